"""The host's own logins, lent to sessions by a real service and renewed once for all of them."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clauderon import placeholders
from clauderon.paths import Home
from clauderon.proxy.logins import finding
from clauderon.record import Session
from tests.proxy.service_rig import DEADLINE_S, Service, eventually, running
from tests.standins import issuer as standin
from tests.standins.engine import reserved_ports
from tests.standins.issuer import Issuer

CLAUDE, CHATGPT = ("api.anthropic.com", "/v1/messages"), ("chatgpt.com", "/backend-api/codex/responses")
GOOGLE = ("cloudcode-pa.googleapis.com", "/v1internal:generateContent")


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    with standin.serving(tmp_path) as made:
        yield made


def point(service: Service, issuer: Issuer, text: str = "") -> None:
    there = f"127.0.0.1:{issuer.port}"
    service.configure(
        text,
        upstream_ca=str(issuer.ca_file),
        connect_to={f"{host}:443": there for host in standin.HOSTS},
    )


@pytest.fixture
def lending(proxy: Service, issuer: Issuer) -> Service:
    point(proxy, issuer)
    return proxy


def keep(name: str, content: dict[str, Any]) -> Path:
    path = finding.CLIENTS[name].path(os.environ)
    assert path is not None
    path.parent.mkdir(exist_ok=True)
    # As the clients do: never half a file.
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(content))
    draft.chmod(0o600)
    draft.replace(path)
    return path


def install_gemini(home: Home) -> None:
    """As sessions have it: a package."""
    program = home.agents / "gemini/1.0.0/linux-x64/bundle/chunk.js"
    program.parent.mkdir(parents=True)
    program.parent.with_name("package.json").write_text("{}")
    program.write_text(standin.GEMINI_CODE)


def lent(service: Service, session: Session, where: tuple[str, str] = CLAUDE) -> int:
    """Status of a request that has the placeholder."""
    headers = {"authorization": f"Bearer {placeholders.CLAUDE_ACCESS}"}
    return service.request(session, *where, method="POST", body=b"{}", **headers)[0]


def test_who_is_logged_in_on_the_host_needs_no_configuration(lending: Service, issuer: Issuer) -> None:
    keep("claude", issuer.claude_login(3600))
    keep("codex", issuer.codex_login(3600))
    keep("gemini", issuer.gemini_login(3600))
    session = lending.session("one")
    assert lending.ensure().held == {
        "anthropic-oauth": "login of Claude Code",
        "chatgpt": "login of Codex",
        "google-oauth": "login of Gemini CLI",
    }
    assert lent(lending, session) == 200
    assert lent(lending, session, CHATGPT) == 200
    assert issuer.bearers[1][2]["chatgpt-account-id"] == "account-test"
    assert lent(lending, session, GOOGLE) == 200
    assert issuer.asked == []


def test_a_google_login_is_renewed_as_the_client_that_is_installed(
    lending: Service, issuer: Issuer, home: Home
) -> None:
    """Google asks for a password of the client's, which is in every copy of it and in none of ours."""
    path = keep("gemini", issuer.gemini_login(-1))
    session = lending.session("one")
    lending.ensure()
    status, said = lending.request(session, *GOOGLE, method="POST", body=b"{}")
    assert (status, b"takes Gemini CLI, which is not installed" in said) == (401, True), said
    assert issuer.begun == 0
    # Its own client renews it, and what is lent follows.
    keep("gemini", issuer.gemini_login(3600))
    eventually(lambda: lent(lending, session, GOOGLE) == 200, "the client's own token")
    keep("gemini", issuer.gemini_login(-1))
    install_gemini(home)
    eventually(lambda: lent(lending, session, GOOGLE) == 200 and issuer.asked, "a renewal")
    assert len(issuer.asked) == 1
    assert issuer.refresh in path.read_text()


def test_an_explicit_key_comes_before_a_login(lending: Service, issuer: Issuer, home: Home) -> None:
    keep("claude", issuer.claude_login(3600))
    key = home.secrets / "anthropic_api_key"
    key.write_text("sk-ant-test-not-a-real-key-0001")
    key.chmod(0o600)
    session = lending.session("one")
    lending.ensure()
    assert lent(lending, session) == 401
    assert issuer.bearers[-1][2]["x-api-key"] == "sk-ant-test-not-a-real-key-0001"
    assert "authorization" not in issuer.bearers[-1][2]


def test_the_account_header_of_a_session_is_replaced(lending: Service, issuer: Issuer) -> None:
    """Seen to fail without the further headers among those removed: the session's own went along."""
    keep("codex", issuer.codex_login(3600))
    session = lending.session("one")
    lending.ensure()
    for name in ("ChatGPT-Account-ID", "chatgpt_account_id", "CHATGPT-ACCOUNT-ID"):
        with contextlib.closing(lending.tunnel(session, CHATGPT[0])) as connection:
            connection.request("POST", CHATGPT[1], b"{}", {name: "somebody-else"})
            assert connection.getresponse().status == 200
    for _, _, headers in issuer.bearers:
        assert {name: value for name, value in headers.items() if "account" in name} == {
            "chatgpt-account-id": "account-test"
        }


OTHER_PAGES = (
    "/backend-api/conversations",
    "/",
    "/backend-api/codexx",
    "/backend-api/codex/../conversations",
    "/backend-api/codex/%2e%2e/conversations",
    "/backend-api/codex//../conversations",
    "/backend-api/codex/..;/conversations",
    "/backend-api/codex\\..\\conversations",
    "/BACKEND-API/codex/responses",
)


def test_a_chatgpt_login_is_not_lent_to_the_accounts_other_pages(lending: Service, issuer: Issuer) -> None:
    """Seen to fail without `paths`: every page of the account was open to the session."""
    keep("codex", issuer.codex_login(3600))
    session = lending.session("one")
    lending.ensure()
    for path in OTHER_PAGES:
        assert lent(lending, session, ("chatgpt.com", path)) == 401, path
        assert not {"authorization", "chatgpt-account-id"} & issuer.bearers[-1][2].keys(), path


@pytest.mark.parametrize("where", [CLAUDE, CHATGPT])
def test_twenty_sessions_and_a_second_home_at_the_end_of_a_token_renew_once(
    lending: Service, issuer: Issuer, where: tuple[str, str], tmp_path: Path
) -> None:
    """Seen to fail without the wait in front of a stale token: requests went on with the one that had ended."""
    issuer.delay_s = 0.3
    for name, made in (("claude", issuer.claude_login), ("codex", issuer.codex_login)):
        if (name == "claude") == (where is CLAUDE):
            keep(name, made(-1))
    sessions = [lending.session(f"s{number}") for number in range(10)]
    other_home = Home(tmp_path / "second")
    other_home.create()
    with (
        reserved_ports() as ports,
        running(other_home, ports, {**os.environ, "CLAUDERON_HOME": str(other_home.root)}) as second,
    ):
        point(second, issuer)
        more = [second.session(f"t{number}") for number in range(10)]
        services = [(lending, session) for session in sessions] + [(second, session) for session in more]
        threads = [threading.Thread(target=one.ensure) for one in (lending, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        statuses: list[int] = []
        threads = [
            threading.Thread(
                target=lambda one=one, session=session: statuses.append(lent(one, session, where))
            )
            for one, session in services
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
    assert statuses == [200] * 20
    assert len(issuer.asked) == 1
    assert not issuer.revoked


def test_a_token_is_renewed_before_it_ends(lending: Service, issuer: Issuer) -> None:
    path = keep("claude", issuer.claude_login(8))
    session = lending.session("one")
    lending.ensure()
    assert lent(lending, session) == 200
    eventually(lambda: issuer.asked, "a renewal before the next request")
    eventually(lambda: issuer.refresh in path.read_text(), "the new token in the client's file")
    assert len(issuer.asked) == 1


def test_what_the_hosts_client_renews_is_adopted(lending: Service, issuer: Issuer) -> None:
    """Seen to fail without the look at the client's file: the earlier token went on being lent."""
    keep("claude", issuer.claude_login(3600))
    session = lending.session("one")
    lending.ensure()
    assert lent(lending, session) == 200
    theirs = issuer.claude_login(3600)
    keep("claude", theirs)
    bearer = f"Bearer {theirs['claudeAiOauth']['accessToken']}"
    eventually(
        lambda: lent(lending, session) == 200 and issuer.bearers[-1][2]["authorization"] == bearer,
        "the new token",
    )
    assert issuer.asked == []


@pytest.mark.parametrize("name", ["claude", "codex", "gemini"])
def test_a_clock_that_is_an_hour_slow_costs_one_refusal(
    lending: Service, issuer: Issuer, home: Home, name: str
) -> None:
    """The host says 401 while our clock takes the token for good; the client inside asks its issuer, and tries again.

    Seen to fail without `Lease.refused`: it was told to go on with the same token.
    """
    issuer.skew_s = 3600
    issuer.life_s = 3600
    where, endpoint = {
        "claude": (CLAUDE, ("platform.claude.com", "/v1/oauth/token")),
        "codex": (CHATGPT, ("auth.openai.com", "/oauth/token")),
        "gemini": (GOOGLE, ("oauth2.googleapis.com", "/token")),
    }[name]
    keep(name, issuer.logins[name](3000))
    install_gemini(home)
    issuer.ends.clear()
    session = lending.session("one")
    lending.ensure()
    assert lent(lending, session, where) == 401
    assert lent(lending, session, endpoint) == 200
    assert lent(lending, session, where) == 200
    assert len(issuer.asked) == 1


ENDPOINTS = (
    ("platform.claude.com", "/v1/oauth/token"),
    ("console.anthropic.com", "/v1/oauth/token"),
    ("api.anthropic.com", "/v1/oauth/token"),
    ("platform.claude.com", "//v1/./oauth/token/?x=1"),
    ("platform.claude.com", "/v1/oauth%2Ftoken"),
    ("platform.claude.com", "/V1/OAuth/Token"),
    ("auth.openai.com", "/oauth/token"),
    ("oauth2.googleapis.com", "/token"),
    ("oauth2.googleapis.com", "/./token"),
    ("oauth2.googleapis.com", "/tokeninfo?access_token=x"),
)


def test_a_session_cannot_reach_a_token_endpoint(lending: Service, issuer: Issuer) -> None:
    """Seen to fail without the answer of our own: the placeholder reached the issuer, which revoked the family."""
    keep("claude", issuer.claude_login(3600))
    keep("codex", issuer.codex_login(3600))
    keep("gemini", issuer.gemini_login(3600))
    session = lending.session("one")
    lending.ensure()
    body = json.dumps({"grant_type": "refresh_token", "refresh_token": placeholders.CLAUDE_REFRESH}).encode()
    for (host, path), chunked in itertools.product(ENDPOINTS, (False, True)):
        with contextlib.closing(lending.tunnel(session, host)) as connection:
            headers = {"content-type": "application/json"}
            connection.request(
                "POST", path, iter([body]) if chunked else body, headers, encode_chunked=chunked
            )
            answer = connection.getresponse()
            said = answer.read()
        assert answer.status == 200
        found = json.loads(said)
        assert "placeholder" in found["access_token"]
        assert "placeholder" in found["refresh_token"]
        assert found["expires_in"] > 86400
        for token in (*issuer.ends, issuer.refresh):
            assert token.encode() not in said
    assert issuer.asked == []
    assert issuer.bearers == []


def test_a_token_that_nobody_uses_is_left_to_its_client(lending: Service, issuer: Issuer) -> None:
    path = keep("claude", issuer.claude_login(1))
    before = path.read_bytes()
    lending.session("one")
    lending.ensure()
    time.sleep(3)
    assert issuer.asked == []
    assert path.read_bytes() == before


def test_a_read_only_session_is_answered_as_any_other(lending: Service, issuer: Issuer) -> None:
    keep("claude", issuer.claude_login(-1))
    session = lending.session("one", access_mode="read-only")
    lending.ensure()
    assert lent(lending, session, ("platform.claude.com", "/v1/oauth/token")) == 200
    headers = {"content-type": "application/json"}
    assert lending.request(session, *CLAUDE, method="POST", body=b"{}", **headers)[0] == 200
    assert len(issuer.asked) == 1


def test_a_revoked_login_says_what_to_type_and_disturbs_nobody_else(lending: Service, issuer: Issuer) -> None:
    issuer.revoked = True
    path = keep("claude", issuer.claude_login(-1))
    before = path.read_bytes()
    session = lending.session("one")
    lending.ensure()
    for _ in range(3):
        status, said = lending.request(session, *CLAUDE, method="POST", body=b"{}")
        assert status == 401
        assert b"claude /login" in said
    assert len(issuer.asked) == 1
    assert path.read_bytes() == before
    assert any("claude /login" in problem for problem in lending.status().problems)
    issuer.revoked = False
    keep("claude", issuer.claude_login(3600))
    eventually(lambda: lent(lending, session) == 200, "the login of a person")


def test_an_issuer_that_is_not_there_is_asked_again(lending: Service, issuer: Issuer) -> None:
    issuer.status = 500
    keep("claude", issuer.claude_login(-1))
    session = lending.session("one")
    lending.ensure()
    status, said = lending.request(session, *CLAUDE, method="POST", body=b"{}")
    assert (status, b"answered 500" in said) == (401, True)
    issuer.status = 200
    issuer.asked.clear()
    eventually(lambda: lent(lending, session) == 200, "a renewal")


def test_a_worker_that_is_killed_while_a_token_is_renewed_loses_nothing(
    lending: Service, issuer: Issuer
) -> None:
    """Seen to fail with the renewal in the worker itself: the answer went to a process that was gone."""
    keep("claude", issuer.claude_login(-1))
    issuer.delay_s = 1.0
    session = lending.session("one")
    lending.ensure()
    asked = threading.Thread(
        target=lambda: contextlib.suppress(OSError).__enter__() or _quietly(lending, session)
    )
    asked.start()
    time.sleep(0.7)
    os.kill(lending.status().pid, signal.SIGKILL)
    asked.join(DEADLINE_S)
    eventually(lambda: _quietly(lending, session) == 200, "a service that works")
    assert len(issuer.asked) == 1
    assert not issuer.revoked


def _quietly(service: Service, session: Session) -> int:
    try:
        return lent(service, session)
    except (OSError, ssl.SSLError, http.client.HTTPException):
        return 0


def test_no_token_is_in_what_the_service_writes(lending: Service, issuer: Issuer, home: Home) -> None:
    keep("claude", issuer.claude_login(-1))
    session = lending.session("one")
    lending.ensure()
    assert lent(lending, session) == 200
    canaries = [token.encode() for token in issuer.ends] + [b"sk-ant-ort01-test"]
    for path in home.root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(canary in data for canary in canaries), path
    command_lines = b"".join(
        path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
    )
    assert not any(canary in command_lines for canary in canaries)
