"""A refusal says why, by which rule, what may be done instead and what would change it, in the form the client reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clauderon.proxy.policy.grant import Scope
from clauderon.proxy.usage.apis import HOSTS
from clauderon.proxy.usage.meter import Meter
from tests.proxy.rig import Rig


def _ask(
    rig: Rig, host: str, accept: str = "*/*", method: str = "POST", target: str = "/x"
) -> tuple[bytes, bytes]:
    client = rig.tunnel(host)
    client.send(
        f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    return client.message()


WORDS = [
    ("*/*", False), ("", False), ("application/json", True), ("application/vnd.github+json", True), ("text/html, application/json;q=0.5", False),
    ("application/json, text/plain, */*", True), ("application/json;q=0", False), ("text/plain;q=0.2, application/problem+json; q=0.9", True),
    ("application/jsonlines", False), ("text/html,application/xhtml+xml,*/*;q=0.8", False),
]  # fmt: skip


@pytest.mark.parametrize(("accept", "as_json"), WORDS)
def test_it_is_said_in_words_or_in_json_as_the_client_reads(rig: Rig, accept: str, as_json: bool) -> None:
    rig.session(rules=("allow GET api.test", "deny api.test"))
    head, body = _ask(rig, "api.test", accept)
    assert b"403 Forbidden" in head and b"X-Clauderon-Refusal: deny" in head
    what = 'clauderon: the rule "deny api.test" refuses this request'
    parts = ["rule: deny api.test", "instead: what the rules allow here: allow GET api.test",
             "hint: it is in [[network.rules]] of config.toml, or was given with --rule"]  # fmt: skip
    assert (b"application/json" in head) == as_json
    if not as_json:
        assert body.decode() == "\n".join([what, *parts, ""])
        return
    said = json.loads(body)
    assert said["message"] == said["error"]["message"] == ". ".join([what, *parts])
    assert (said["error"]["rule"], said["error"]["code"]) == ("deny api.test", "deny")
    assert said["error"]["instead"] and said["error"]["hint"]


def _shape(host: str) -> set[str]:
    return {"anthropic": {"type", "error"}, "openai": {"error"}, "google": {"error"}}[HOSTS[host].errors]


@pytest.mark.parametrize("host", ["api.anthropic.com", "api.openai.com", "generativelanguage.googleapis.com"])
def test_a_model_api_says_it_in_its_own_shape(rig: Rig, host: str) -> None:
    """Whatever the client accepts: an agent's library looks for its API's error."""
    rig.grants.add(host, value=None, model_api=True)
    rig.session()
    rig.call(lambda: setattr(rig.plane.shared, "meter", _Hosts()))
    head, body = _ask(rig, host, "text/event-stream")
    said = json.loads(body)
    assert b"401 Unauthorized" in head and set(said) == _shape(host)
    message = said["error"]["message"]
    assert f"no credential is set for {host}" in message and "rule: no-credential" in message
    assert (
        "instead: nothing inside this container changes that" in message
        and "hint: set ANTHROPIC_API_KEY" in message
    )
    if host == "generativelanguage.googleapis.com":
        assert (said["error"]["code"], said["error"]["status"]) == (401, "UNAUTHENTICATED")
    else:
        assert said["error"]["type"] == "authentication_error"


class _Hosts(Meter):
    """Knows the hosts and stops nothing."""

    def __init__(self) -> None:
        self.hosts = HOSTS

    def stop(self, *_args: object, **_more: object) -> None:
        return None


@pytest.mark.parametrize(
    ("rights", "target", "code", "instead"),
    [
        (
            {"allow": ("other.test",)},
            "api.test:443",
            "not-allowed",
            "tell the person who runs this session which host",
        ),
        ({"deny": ("api.test",)}, "api.test:443", "deny", "tell the person who runs this session which host"),
        ({}, "127.0.0.1:443", "address-guard", "use a public address"),
    ],
)
def test_every_refusal_of_a_host_says_what_may_be_done_instead(
    rig: Rig, rights: dict[str, Any], target: str, code: str, instead: str
) -> None:
    rig.session(**rights)
    client = rig.connect()
    client.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    head, body = client.message()
    assert f"X-Clauderon-Refusal: {code}".encode() in head
    lines = body.decode().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["clauderon", "rule", "instead", "hint"]
    assert instead in lines[2]


def test_a_forge_says_it_where_its_client_looks(rig: Rig) -> None:
    rig.grants.add("api.github.com", b"authorization", scope=Scope(), name="github")
    rig.session(remotes=("github.com/owner/repo",), refs=("refs/heads/clauderon/one",))
    _, body = _ask(
        rig, "api.github.com", "application/vnd.github+json", "PUT", "/repos/owner/repo/pulls/1/merge"
    )
    message = json.loads(body)["message"]
    assert message.startswith(
        "clauderon: PUT of pulls/1/merge is not what the credential github is lent for in this session. rule: "
    )
    assert (
        "instead: pull requests, comments, reviews and check runs" in message and 'scope = "any"' in message
    )
