"""A login is renewed once, whoever comes, and whoever is killed on the way leaves it usable."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.proxy.logins import renew
from clauderon.proxy.logins.renew import Means, Outcome, digest, guard
from clauderon.proxy.net.routes import Routes
from tests.proxy.logins.conftest import Kept
from tests.standins.issuer import CLIENT_SECRET, HOSTS, NOTHING, Issuer

MakeRoutes = Callable[[], Routes]
STEPS = (
    *("connected", "journal made", "asked", "answer read", "answer kept", "answer durable"),
    *("file read", "file replaced", "journal removed"),
)


def renewed(kept: Kept, routes: MakeRoutes, unusable: str) -> Outcome:
    return renew.renew(kept.client, kept.store, digest(unusable), Means(routes, kept.installed))


def beside(kept: Kept) -> set[str]:
    return {path.name for path in kept.path.parent.iterdir()} - {
        kept.path.name,
        f"{kept.path.name}.clauderon-lock",
    }


@pytest.mark.parametrize("skew_s", [0, 3600, -3600])
@pytest.mark.parametrize(
    ("kept", "first"),
    [("claude", "we"), ("claude", "the client"), ("codex", "we"), ("gemini", "we")],
    indirect=["kept"],
)
def test_twenty_sessions_a_second_home_and_the_hosts_client_renew_once(
    issuer: Issuer, kept: Kept, routes: MakeRoutes, skew_s: float, first: str
) -> None:
    """Seen to fail without the lock beside the file: the second request was a reuse, and the family was revoked.
    Without the client's own lock: likewise, by the client.

    Only Claude Code makes a lock; for the others see what is adopted.
    """
    issuer.delay_s = 0.5 if kept.client.name == "claude" else 0.1
    issuer.skew_s = skew_s
    kept.write(-1)
    ended = kept.access
    means = Means(routes, kept.installed)
    outcomes: list[Outcome] = []

    def one() -> None:
        outcomes.append(renew.renew(kept.client, kept.store, digest(ended), means))

    threads = [threading.Thread(target=one) for _ in range(21)]
    if kept.client.name == "claude":
        theirs = threading.Thread(target=issuer.claude_itself, args=(kept.path,))
        threads.insert(0 if first == "the client" else 21, theirs)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(issuer.asked) == 1
    assert not issuer.revoked
    assert {outcome.state for outcome in outcomes} <= {"renewed", "adopted"}
    assert len(outcomes) == 21
    assert issuer.is_good(kept.access)
    assert kept.refresh == issuer.refresh
    assert beside(kept) == set()


def test_every_other_field_and_the_mode_stay(issuer: Issuer, kept: Kept, routes: MakeRoutes) -> None:
    kept.path.chmod(0o640)
    before = kept.content
    assert renewed(kept, routes, kept.access).state == "renewed"
    after = kept.content
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o640
    changed = {
        "claudeAiOauth": ("accessToken", "refreshToken", "expiresAt"),
        "tokens": ("access_token", "refresh_token", "id_token"),
    }
    for content in (before, after):
        for name in ("last_refresh", "access_token", "refresh_token", "id_token", "expiry_date"):
            content.pop(name, None)
        for table, names in changed.items():
            for name in names:
                content.get(table, {}).pop(name, None)
    assert before == after


def test_a_link_to_the_file_stays_a_link(
    issuer: Issuer, kept: Kept, routes: MakeRoutes, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "dotfiles"
    kept.path.rename(elsewhere)
    kept.path.symlink_to(elsewhere)
    assert renewed(kept, routes, kept.access).state == "renewed"
    assert kept.path.is_symlink()
    assert issuer.is_good(kept.access)


def test_what_the_hosts_client_renewed_meanwhile_is_adopted(
    issuer: Issuer, kept: Kept, routes: MakeRoutes
) -> None:
    ended = kept.access
    kept.write(3600)
    assert renewed(kept, routes, ended) == Outcome("adopted")
    assert issuer.asked == []


@pytest.mark.parametrize("where", STEPS)
def test_killed_at_any_step_nobody_is_logged_out(
    issuer: Issuer, kept: Kept, routes: MakeRoutes, where: str, tmp_path: Path
) -> None:
    """Seen to fail without the journal: killed between the answer and the file, the next one used the spent token.
    Without the guard: killed before the answer was in the journal, likewise.
    """
    ended = kept.access
    issuer.delay_s = 0.1
    child = os.fork()
    if child == 0:

        def step(name: str) -> None:
            # The first that comes here, and no other: then there is a guard who takes its place.
            if name == where and not (tmp_path / "killed").exists():
                (tmp_path / "killed").touch()
                os.kill(os.getpid(), signal.SIGKILL)

        means = Means(routes, kept.installed, guard, step)
        renew.renew(kept.client, kept.store, digest(ended), means)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert (tmp_path / "killed").exists()
    assert os.WIFSIGNALED(status) == (where in STEPS[:2])
    # Another home's turn.
    assert renewed(kept, routes, ended).state in ("renewed", "adopted")
    assert not issuer.revoked
    assert issuer.reused == 0
    assert issuer.is_good(kept.access)
    assert kept.refresh == issuer.refresh
    assert beside(kept) == set()


def test_who_waits_may_be_killed_as_well_as_who_works(issuer: Issuer, kept: Kept, routes: MakeRoutes) -> None:
    """The lock stays with who works, so that the next one waits, and finds the new tokens."""
    ended = kept.access
    issuer.delay_s = 0.3
    child = os.fork()
    if child == 0:
        renew.renew(kept.client, kept.store, digest(ended), Means(routes, kept.installed, guard))
        os._exit(0)
    wait_until_asked(issuer)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert renewed(kept, routes, ended).state == "adopted"
    assert len(issuer.asked) == 1
    assert issuer.is_good(kept.access)
    assert beside(kept) == set()


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_stop_of_all_that_the_proxy_has_started_ends_no_renewal(
    issuer: Issuer, home: Home, name: signal.Signals
) -> None:
    """A service's manager signals each process, and kills a group. The one that asks goes on.

    Seen to fail without the signals ignored, and without a session of its own: the answer went to nobody.
    """
    kept = Kept("codex", issuer)
    kept.write(-1)
    point(home, issuer)
    issuer.delay_s = 0.3
    words = ("-m", "clauderon.proxy.logins.renew", str(home.root), "codex", digest(kept.access))
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, process_group=0) as running:
        wait_until_asked(issuer)
        started = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        os.killpg(running.pid, name)
        if name != signal.SIGKILL:
            for pid in started:
                os.kill(int(pid), name)
        said, _ = running.communicate(timeout=30)
    assert len(started) == 1
    assert json.loads(said)["state"] == "renewed"
    assert issuer.is_good(kept.access)


def wait_until_asked(issuer: Issuer) -> None:
    deadline = time.monotonic() + 30
    while not issuer.begun:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_login_by_a_person_while_we_ask_is_not_overwritten(
    issuer: Issuer, kept: Kept, routes: MakeRoutes
) -> None:
    """Seen to fail without the second look at the file: the person's login was replaced by the earlier one's."""
    theirs: list[str] = []

    def step(name: str) -> None:
        if name == "answer durable":
            issuer.number += 50
            kept.write(3600)
            theirs.append(kept.path.read_text())

    renew.renew(kept.client, kept.store, digest(kept.access), Means(routes, kept.installed, step=step))
    assert kept.path.read_text() == theirs[0]
    assert beside(kept) == set()


@pytest.mark.parametrize("kept", ["codex"], indirect=True)
def test_a_client_without_a_lock_that_renews_while_we_connect_is_adopted(
    issuer: Issuer, kept: Kept, routes: MakeRoutes
) -> None:
    """Seen to fail without the look at its file right before the request: the spent token was sent."""
    ended = kept.access

    def step(name: str) -> None:
        if name == "connected":
            issuer.grant(kept.refresh)
            kept.write(3600)

    means = Means(routes, kept.installed, step=step)
    assert renew.renew(kept.client, kept.store, digest(ended), means) == Outcome("adopted")
    assert len(issuer.asked) == 1
    assert not issuer.revoked
    assert beside(kept) == set()


def test_what_the_client_writes_beside_its_login_changes_nothing(
    issuer: Issuer, kept: Kept, routes: MakeRoutes
) -> None:
    """Seen to fail with the whole file compared: the login was taken for another, and nobody renewed it."""

    def step(name: str) -> None:
        if name == "connected":
            kept.path.write_text(json.dumps({**kept.content, "mcpOAuth": {"new": "token"}}))

    means = Means(routes, kept.installed, step=step)
    assert renew.renew(kept.client, kept.store, digest(kept.access), means) == Outcome("renewed")
    assert kept.content["mcpOAuth"] == {"new": "token"}
    assert issuer.is_good(kept.access)


@pytest.mark.parametrize("kept", ["codex", "gemini"], indirect=True)
@pytest.mark.parametrize("half", [False, True], ids=["whole", "half first"])
def test_a_client_that_was_faster_is_adopted_though_it_writes_later(
    issuer: Issuer, kept: Kept, routes: MakeRoutes, half: bool
) -> None:
    """The issuer says that the token is spent, and its successor is not in the file yet.

    Seen to fail without the wait: the person was told to log in again.
    """
    ended = kept.access
    issuer.revoked = True

    def late() -> None:
        issuer.revoked = False
        if half:
            kept.path.write_text("{")
            time.sleep(0.2)
        issuer.number += 1
        kept.write(3600)

    def step(name: str) -> None:
        if name == "answer durable":
            threading.Timer(0.3, late).start()

    means = Means(routes, kept.installed, step=step)
    assert renew.renew(kept.client, kept.store, digest(ended), means) == Outcome("adopted")
    assert issuer.is_good(kept.access)


def test_a_revoked_login_says_so_and_is_left_alone(
    issuer: Issuer, kept: Kept, routes: MakeRoutes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renew, "FASTER_S", 0.1)
    issuer.revoked = True
    before = kept.path.read_bytes()
    outcome = renewed(kept, routes, kept.access)
    assert outcome.state == "revoked"
    assert kept.path.read_bytes() == before
    assert beside(kept) == set()


@pytest.mark.parametrize("how", ["answers 500", "answers nothing", "is not there", "no room to write"])
def test_what_passes_is_no_reason_to_log_in_again(
    issuer: Issuer, kept: Kept, routes: MakeRoutes, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail without the look for room, and without the journal of no answer removed."""
    if how.startswith("answers"):
        issuer.status = 500 if how == "answers 500" else NOTHING
    elif how == "no room to write":
        monkeypatch.setattr("clauderon.proxy.logins.journal._ROOM_BYTES", 1 << 80)
    else:
        unreachable = routes()
        unreachable.targets._connect_to = {
            key: dial._replace(port=1) for key, dial in unreachable.targets._connect_to.items()
        }
        routes = lambda: unreachable  # noqa: E731
    outcome = renewed(kept, routes, kept.access)
    assert outcome.state == "failed"
    assert ("ended the connection" in outcome.why) == (how == "answers nothing"), outcome
    assert kept.refresh == issuer.refresh
    assert len(issuer.asked) == (1 if how.startswith("answers") else 0)
    assert beside(kept) == set()


def test_a_file_that_cannot_be_written_burns_no_token(
    issuer: Issuer, kept: Kept, routes: MakeRoutes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer waits beside it, and is put in place once that can be done. Seen to fail without the journal read."""
    real = type(kept.store).replace

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device", str(kept.path))

    ended = kept.access
    monkeypatch.setattr(type(kept.store), "replace", full)
    assert renewed(kept, routes, ended).state == "failed"
    monkeypatch.setattr(type(kept.store), "replace", real)
    assert renewed(kept, routes, ended).state == "renewed"
    assert len(issuer.asked) == 1
    assert issuer.is_good(kept.access)


@pytest.mark.parametrize("skew_s", [3600, -3600])
def test_an_issuer_whose_clock_is_an_hour_off_is_asked_once(
    issuer: Issuer, kept: Kept, routes: MakeRoutes, skew_s: float
) -> None:
    """Seen to fail with an end by the issuer's clock: it was asked again and again, or not at all."""
    issuer.skew_s = skew_s
    kept.write(-1)
    ended = kept.access
    assert renewed(kept, routes, ended).state == "renewed"
    assert renewed(kept, routes, ended).state == "adopted"
    assert len(issuer.asked) == 1
    login = kept.client.parse(kept.content)
    assert login is not None
    assert login.expires_at == pytest.approx(time.time() + issuer.life_s, abs=30)


def test_claude_codes_own_lock_is_waited_for_and_taken(issuer: Issuer, routes: MakeRoutes) -> None:
    """Seen to fail without it: Claude Code's own renewal ran at the same time, with the same token."""
    kept = Kept("claude", issuer)
    kept.write(-1)
    ended = kept.access
    lock = kept.path.parent / ".oauth_refresh.lock"
    lock.mkdir()
    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(renewed(kept, routes, ended).state == "adopted"))
    thread.start()
    time.sleep(0.3)
    assert issuer.asked == []
    kept.write(3600)
    lock.rmdir()
    thread.join(30)
    assert seen == [True]
    assert not lock.exists()


def test_a_lock_that_nobody_touched_for_a_minute_is_nobodys(issuer: Issuer, routes: MakeRoutes) -> None:
    kept = Kept("claude", issuer)
    kept.write(-1)
    lock = kept.path.parent / ".oauth_refresh.lock"
    lock.mkdir()
    os.utime(lock, (time.time() - 61, time.time() - 61))
    assert renewed(kept, routes, kept.access).state == "renewed"


def point(home: Home, issuer: Issuer) -> None:
    there = ", ".join(f'"{host}:443" = "127.0.0.1:{issuer.port}"' for host in HOSTS)
    home.config.write_text(f'[proxy]\nupstream_ca = "{issuer.ca_file}"\nconnect_to = {{ {there} }}\n')


def test_the_process_says_what_came_of_it_and_no_token(issuer: Issuer, kept: Kept, home: Home) -> None:
    """Seen to fail with the login in what it says."""
    point(home, issuer)
    kept.install(home.agents)
    words = ("-m", "clauderon.proxy.logins.renew", str(home.root), kept.client.name, digest(kept.access))
    said = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(said.stdout) == {"state": "renewed", "why": ""}
    for secret in (issuer.refresh, kept.access, CLIENT_SECRET):
        assert secret not in said.stdout + said.stderr
