"""How a refusal is said."""

from __future__ import annotations

from tests.proxy.rig import Rig, connect_answer


def test_the_reason_stands_in_the_status_line_of_a_refused_connect(rig: Rig) -> None:
    rig.session(allow=())
    head, _ = connect_answer(rig, "api.test:443")
    assert head.startswith(b"HTTP/1.1 403 api.test is not on this session's allow list\r\n")


def test_a_refusal_names_its_rule_in_one_word_and_what_helps(rig: Rig) -> None:
    rig.session(allow=("other.test",))
    head, body = connect_answer(rig, "api.test:443")
    assert b"X-Clauderon-Refusal: not-allowed\r\n" in head
    assert b'add "api.test" to [network] allow' in body
    rig.call(rig.plane.update_policy, rig.policy(allow=("other.test",), own_allow=True))
    head, body = connect_answer(rig, "api.test:443")
    assert b"clauderon network allow one api.test" in body and b"[network]" not in body
