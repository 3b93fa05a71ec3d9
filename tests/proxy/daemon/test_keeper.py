"""When a login's token is renewed, by whom, and what the requests that wait for it are told: without an issuer."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from clauderon.config import defaults
from clauderon.paths import Home
from clauderon.proxy.daemon import keeper as module
from clauderon.proxy.daemon.keeper import Held, Keeper
from clauderon.proxy.logins.client import Login

SECRET = "test-not-a-real-token-0001"


def login(left_s: float | None = 3600.0, access: str = SECRET, refresh: str = "r") -> Login:
    return Login(access, refresh, None if left_s is None else time.time() + left_s, plan={"plan": "pro"})


class Stage:
    """A keeper whose renewals say what they are told to; each is a login that comes next."""

    def __init__(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outcome: dict[str, str] | Exception = {"state": "renewed", "why": ""}
        self.begun = 0
        self.go = asyncio.Event()
        self.go.set()
        self.next: Login | None = None
        self.keeper = Keeper(home, {}, self._reload)
        monkeypatch.setattr(Keeper, "_run", self._run)
        self._loop = asyncio.get_running_loop()

    def _run(self, _held: Held) -> dict[str, str]:
        self.begun += 1
        asyncio.run_coroutine_threadsafe(self.go.wait(), self._loop).result(30)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def _reload(self) -> None:
        if self.next is not None:
            self.lend(self.next)

    def lend(self, found: Login) -> Held:
        """Have this one of Claude Code's in the place of what was lent before."""
        logins = {"anthropic": ("claude", found)}
        snapshot: Any = SimpleNamespace(config=defaults(), secrets={}, logins=logins)
        _, _, lent = self.keeper.lending(snapshot)
        return next(iter(lent.values())).lease  # type: ignore[return-value]


@pytest.fixture
async def stage(home: Home, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(home, monkeypatch)


async def looked(stage: Stage) -> None:
    """One look, and the end of whatever it began."""
    stage.keeper._look()
    await asyncio.gather(*stage.keeper._running.values())


@pytest.mark.parametrize(
    ("left_s", "stale", "due"),
    [(3600, False, False), (241, False, False), (239, False, True), (-1, True, True), (None, False, False)],
)
async def test_a_token_is_due_before_it_ends_and_stale_only_at_its_end(
    stage: Stage, left_s: float | None, stale: bool, due: bool
) -> None:
    held = stage.lend(login(3600))
    held.login = login(left_s)
    assert (held.is_due(), held.is_stale()) == (due, stale)


async def test_a_short_life_is_not_renewed_from_its_beginning(stage: Stage) -> None:
    """Four minutes before the end of a token of five would be at once, and for ever."""
    held = stage.lend(login(300))
    assert not held.is_due()


async def test_a_token_that_nobody_uses_is_left_to_its_client(stage: Stage) -> None:
    held = stage.lend(login(-1))
    await looked(stage)
    assert stage.begun == 0
    held.is_stale()  # as a request asks
    await looked(stage)
    assert stage.begun == 1


async def test_a_login_that_nothing_renews_is_not_tried(stage: Stage) -> None:
    held = stage.lend(login(-1, refresh=""))
    assert held.is_stale()
    await looked(stage)
    held.refused()
    assert stage.begun == 0


async def test_any_number_of_requests_wait_for_one_renewal(stage: Stage) -> None:
    stage.go.clear()
    held = stage.lend(login(-1))
    waiting = [asyncio.create_task(held.renewed()) for _ in range(20)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    stage.next = login(3600, "new")
    stage.go.set()
    assert await asyncio.gather(*waiting) == [""] * 19
    assert stage.begun == 1


async def test_a_lease_of_a_login_that_was_replaced_does_not_wait(stage: Stage) -> None:
    old = stage.lend(login(-1))
    stage.lend(login(3600, "new"))
    assert await old.renewed() == ""
    assert stage.begun == 0


async def test_the_same_login_keeps_its_lease(stage: Stage) -> None:
    one = login()
    assert stage.lend(one) is stage.lend(one)
    assert stage.lend(login(3600, "other")) is not stage.lend(one)


async def test_a_failure_is_said_to_who_waits_and_not_tried_again_at_once(stage: Stage) -> None:
    stage.outcome = {"state": "failed", "why": "no route"}
    held = stage.lend(login(-1))
    said = await held.renewed()
    assert said == "the login of Claude Code could not be renewed: no route"
    assert await held.renewed() == said and stage.begun == 1
    assert stage.keeper.problems() == [f"credential of claude: {said}"]


async def test_after_a_while_it_is_tried_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    stage.outcome = {"state": "failed", "why": "no route"}
    held = stage.lend(login(-1))
    await held.renewed()
    stage.outcome, stage.next = {"state": "renewed", "why": ""}, login(3600, "new")
    assert await held.renewed() == ""


async def test_a_revoked_login_says_what_to_type_until_its_file_changes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    stage.outcome = {"state": "revoked", "why": "invalid_grant"}
    held = stage.lend(login(-1))
    said = await held.renewed()
    assert said.endswith("log in again on the host: claude /login")
    assert await held.renewed() == said and stage.begun == 1
    stage.lend(login(3600, "new"))
    assert stage.keeper.problems() == []


async def test_a_renewal_that_fails_early_disturbs_no_request(stage: Stage) -> None:
    """The token has minutes left."""
    stage.outcome = {"state": "failed", "why": "no route"}
    assert await stage.lend(login(100)).renewed() == ""


@pytest.mark.parametrize("error", [OSError("x"), ValueError("no JSON"), KeyError("state"), TypeError("None")])
async def test_a_process_that_breaks_off_is_a_failure_and_no_end(stage: Stage, error: Exception) -> None:
    stage.outcome = error
    assert (await stage.lend(login(-1)).renewed()).endswith(type(error).__name__)


async def test_a_renewal_whose_login_cannot_be_read_afterwards_is_a_failure(stage: Stage) -> None:
    """Seen to be taken for a good one without the look at what is held now."""
    held = stage.lend(login(-1))
    assert "cannot be read" in await held.renewed()


async def test_a_hosts_refusal_is_reason_for_one_renewal_a_minute(stage: Stage) -> None:
    stage.outcome = {"state": "failed", "why": "no route"}
    held = stage.lend(login(3600))
    for _ in range(3):
        held.refused()
        await asyncio.gather(*stage.keeper._running.values())
    assert stage.begun == 1
    assert not held.is_stale()  # what was refused may have been the request


async def test_what_the_container_is_told_holds_no_token(stage: Stage) -> None:
    held = stage.lend(login(access=SECRET, refresh="test-not-a-real-refresh-0001"))
    assert "not-a-real" not in str(held.answer())


async def test_it_looks_again_and_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    looks: list[Keeper] = []
    third = asyncio.Event()

    def look(keeper: Keeper) -> None:
        looks.append(keeper)
        if len(looks) == 3:
            third.set()

    monkeypatch.setattr(Keeper, "_look", look)
    task = asyncio.create_task(stage.keeper.run())
    await asyncio.wait_for(third.wait(), 30)
    task.cancel()
