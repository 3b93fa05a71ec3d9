"""Who may look at the dashboard. Each refusal was seen to let its request in with its check off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.dashboard.door import COOKIE, Door, Verdict

_PORT = 4321
_HOST = {"Host": f"127.0.0.1:{_PORT}"}


def entered(door: Door) -> dict[str, str]:
    """The headers of a browser that was let in."""
    verdict = door.judge("GET", "/", {"token": door.token}, {**_HOST, "Sec-Fetch-Site": "none"})
    assert verdict.rule == ""
    assert verdict.cookie
    return {**_HOST, "Cookie": f"other=1; {COOKIE}={verdict.cookie}"}


def test_the_token_lets_one_browser_in_once() -> None:
    door = Door(_PORT)
    headers = entered(door)
    assert door.judge("GET", "/api/sessions", {}, headers) == Verdict()
    assert door.judge("GET", "/", {"token": door.token}, _HOST).rule == "wrong-token"
    before = door.token
    door.renew()
    assert door.judge("GET", "/", {"token": before}, _HOST).rule == "wrong-token"
    entered(door)
    assert door.judge("GET", "/api/sessions", {}, headers) == Verdict()


@given(st.text() | st.just(""))
def test_another_token_lets_nobody_in(token: str) -> None:
    door = Door(_PORT)
    assert door.judge("GET", "/", {"token": token}, _HOST).rule == "wrong-token"
    entered(door)


@given(st.text(), st.sampled_from(["", f"{COOKIE}=", f"{COOKIE}=x; {COOKIE}="]))
def test_another_cookie_lets_nobody_in(value: str, start: str) -> None:
    door = Door(_PORT)
    entered(door)
    assert door.judge("GET", "/", {}, {**_HOST, "Cookie": start + value}).rule == "no-cookie"
    assert Door(_PORT).judge("GET", "/", {}, {**_HOST, "Cookie": f"{COOKIE}="}).rule == "no-cookie"


@pytest.mark.parametrize(
    "host",
    [
        "", "127.0.0.1", f"evil.example:{_PORT}", "127.0.0.1:1", f"127.0.0.1:{_PORT}.evil.example", f"[::1]:{_PORT}",
        f"127.0.0.2:{_PORT}", f"x.localhost:{_PORT}", f"127.0.0.1:{_PORT}@evil.example", f"127.1:{_PORT}",
    ],
)  # fmt: skip
def test_a_name_that_was_made_to_lead_here_is_refused(host: str) -> None:
    door = Door(_PORT)
    headers = {**entered(door), "Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert door.judge("GET", "/api/sessions", {}, headers).rule == "other-host"


@pytest.mark.parametrize(
    "more",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": f"https://127.0.0.1:{_PORT}"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Origin": f"http://localhost:{_PORT}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "nonsense"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/events", "/api/usage"])
def test_another_page_is_refused_also_with_the_cookie(more: dict[str, str], path: str) -> None:
    """Cookies know no ports: an agent's dev server on this machine has its visitors send it ours."""
    door = Door(_PORT)
    assert door.judge("GET", path, {}, {**entered(door), **more}).rule == "other-origin"
    door.renew()
    assert door.judge("GET", "/", {"token": door.token}, {**_HOST, **more}).rule == "other-origin"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "get", "X"])
def test_it_answers_questions_alone(method: str) -> None:
    door = Door(_PORT)
    assert door.judge(method, "/api/sessions", {}, entered(door)).rule == "method"


def test_few_browsers_are_remembered() -> None:
    door = Door(_PORT)
    first = entered(door)
    for _ in range(8):
        door.renew()
        entered(door)
    assert door.judge("GET", "/", {}, first).rule == "no-cookie"
