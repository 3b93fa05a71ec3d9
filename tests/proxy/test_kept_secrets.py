"""A secret that is set, changed and removed while sessions are served: they have the new value, or none, at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.proxy import service
from clauderon.proxy.secrets import keeping, ring
from clauderon.proxy.secrets.credentials import Secret
from clauderon.record import Session
from tests.proxy.daemon.load import kill_worker
from tests.proxy.service_rig import Service, Upstream, eventually
from tests.standins import keyrings
from tests.standins.cli import Cli

TABLE = '[credentials.own]\nhosts = ["plain.test"]\n'


@pytest.fixture
def served(pointed: Service, echo: Upstream, tmp_path: Path) -> Iterator[tuple[Service, Session]]:
    """A service that has a session and no secret, and commands that have a keyring."""
    pointed.environ |= keyrings.environment(tmp_path / "ring.json")
    pointed.home.config.write_text(pointed.home.config.read_text() + TABLE)
    session = pointed.session("one")
    pointed.ensure()
    yield pointed, session


def cli(service: Service) -> Cli:
    return Cli(cwd=service.home.root, environ=service.environ)


def sent(service: Service, session: Session, echo: Upstream) -> str:
    """What the upstream got as the session's credential."""
    assert service.request(session, "plain.test")[0] == 200
    return echo.seen[-1][1].get("authorization", "")


@pytest.mark.parametrize("flags", [(), ("--file",)], ids=["keyring", "file"])
def test_a_live_session_has_what_was_set_and_not_what_was_removed(
    served: tuple[Service, Session], echo: Upstream, flags: tuple[str, ...]
) -> None:
    """Seen to fail for the keyring without the hand-over: the first value went on."""
    proxy, session = served
    run = cli(proxy)
    assert sent(proxy, session, echo) == ""
    for value in ("first-not-real", "second-not-real"):
        run.ok("secret", "set", *flags, "own", stdin=f"{value}\n".encode())
        assert sent(proxy, session, echo) == f"Bearer {value}"
    kill_worker(proxy)
    eventually(lambda: sent(proxy, session, echo) == "Bearer second-not-real", "the next worker has it too")
    run.ok("secret", "rm", "own")
    assert sent(proxy, session, echo) == ""
    kill_worker(proxy)
    assert sent(proxy, session, echo) == ""


def test_what_was_set_replaces_what_another_commands_environment_gave(
    served: tuple[Service, Session], echo: Upstream
) -> None:
    """Seen to fail without the forgetting: the value of the variable went on, and outlived `rm`."""
    proxy, session = served
    proxy.home.config.write_text(proxy.home.config.read_text() + 'env = "OWN"\n')
    service.ensure(proxy.home, proxy.config, {**proxy.environ, "OWN": "of-the-variable"})
    assert sent(proxy, session, echo) == "Bearer of-the-variable"
    run = cli(proxy)
    run.ok("secret", "set", "--file", "own", stdin=b"of-the-file")
    assert sent(proxy, session, echo) == "Bearer of-the-file"
    said = run.ok("secret", "set", "own", stdin=b"unused", env={"OWN": "of-the-variable"})
    assert "env OWN comes first" in said.error
    run.ok("secret", "rm", "own")
    assert sent(proxy, session, echo) == ""


def test_a_start_gets_it_from_the_keyring_and_waits_for_a_closed_one_only_so_long(
    served: tuple[Service, Session], echo: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail without the child's alarm: the start waited for a minute."""
    proxy, session = served
    keeping.keep(proxy.home, proxy.environ, "own", "own", Secret("kept-not-real"))
    service.stop(proxy.home)
    monkeypatch.setattr(ring.asking_argv, "__defaults__", (1,))
    hanging = {**proxy.environ, "FAKE_KEYRING_IS": "hangs"}
    began = time.monotonic()
    said = service.ensure(proxy.home, proxy.config, hanging)
    assert time.monotonic() - began < 30
    (problem,) = said.problems
    assert problem.startswith("credential own: ") and problem.endswith("clauderon proxy start")
    assert sent(proxy, session, echo) == ""
    cli(proxy).ok("proxy", "start")
    assert sent(proxy, session, echo) == "Bearer kept-not-real"


def test_the_value_is_in_no_file_of_ours_but_its_own(
    served: tuple[Service, Session], echo: Upstream, tmp_path: Path
) -> None:
    """With the keyring in none at all: configuration, database, audit, log and locks."""
    proxy, session = served
    cli(proxy).ok("secret", "set", "own", stdin=b"canary-not-real-0001")
    assert sent(proxy, session, echo) == "Bearer canary-not-real-0001"
    cli(proxy).ok("proxy", "stop")
    files = [path for path in proxy.home.root.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if b"canary-not-real" in path.read_bytes()] == []
