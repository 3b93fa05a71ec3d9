"""Keeps the logins that are lent good: knows when each token ends, and has one process at a time renew it.

A refresh token never comes into this process's hands beyond reading the client's file; `logins.renew` uses it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from clauderon import proc
from clauderon.config.schema import Credential
from clauderon.errors import ClauderonError
from clauderon.paths import Home
from clauderon.proxy.daemon.snapshot import Snapshot
from clauderon.proxy.logins import finding
from clauderon.proxy.logins.client import Login
from clauderon.proxy.logins.renew import SOON_S, digest
from clauderon.proxy.secrets.credentials import Secret
from clauderon.proxy.secrets.grants import Lent

# A client that runs renews its token five minutes before the end, so it does so before us.
EARLY_S = 240.0
# The same for a short-lived token, as a part of its life.
EARLY_SHARE = 0.1
# After a failure that may pass, and between two renewals that a host's refusal asked for.
RETRY_S = 10.0
LOOK_S = 1.0
FORCED_S = 60.0

log = logging.getLogger("clauderon.proxy")


class Held:
    """Implements `policy.grant.Lease`: one token of one client."""

    def __init__(self, keeper: Keeper, client: str, login: Login) -> None:
        self.client = client
        self.named = digest(login.access)
        self.login = login
        self._keeper = keeper
        self._refused = False
        self.used = False
        life = 0.0 if login.expires_at is None else max(0.0, login.expires_at - time.time())
        self._early = min(EARLY_S, life * EARLY_SHARE)

    def is_due(self) -> bool:
        """Whether it is time to have another."""
        return self._refused or self._ends_within(self._early)

    def is_stale(self) -> bool:
        self.used = True  # by a request: what nobody uses is left to its client
        return self._refused or self._ends_within(min(SOON_S, self._early))

    def _ends_within(self, seconds: float) -> bool:
        return self.login.expires_at is not None and time.time() >= self.login.expires_at - seconds

    def refused(self) -> None:
        if self.login.refresh and self._keeper.may_force(self):
            self._refused = True
            self._keeper.start(self)

    def forgive(self) -> None:
        """What was refused may have been the request; the token has not ended by its date."""
        self._refused = False

    async def renewed(self) -> str:
        return await self._keeper.renewed(self)

    def answer(self) -> dict[str, Any]:
        return finding.CLIENTS[self.client].answer(self.login.plan)


class Keeper:
    """reload: reads everything again, the logins too."""

    def __init__(
        self, home: Home, environ: Mapping[str, str], reload: Callable[[], Awaitable[object]]
    ) -> None:
        self._home = home
        self._environ = environ
        self._reload = reload
        self._held: dict[str, Held] = {}
        self._running: dict[str, asyncio.Task[str]] = {}
        self._failed: dict[str, tuple[str, float, str]] = {}  # the token's name, when, why
        self._forced: dict[str, float] = {}

    def lending(
        self, snapshot: Snapshot
    ) -> tuple[Mapping[str, Credential], Mapping[str, Secret], Mapping[str, Lent]]:
        """What `LiveGrants` takes: with a lease for each token that is a login's."""
        before, self._held = self._held, {}
        found = {}
        for name, (client, login) in snapshot.logins.items():
            held = before.get(client)
            if held is None or held.login != login:
                held = Held(self, client, login)
            self._held[client] = held
            found[name] = Lent(held, login.account)
        return snapshot.config.credentials, snapshot.secrets, found

    def problems(self) -> list[str]:
        """A sentence for each login that cannot be renewed."""
        return [
            f"credential of {client}: {why}"
            for client, (named, _, why) in self._failed.items()
            if client in self._held and self._held[client].named == named
        ]

    async def run(self) -> None:
        """For ever: have renewed what is due."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._look()

    def _look(self) -> None:
        for held in list(self._held.values()):
            if held.used and held.login.refresh and held.is_due() and not self._failure(held):
                self.start(held)

    def may_force(self, held: Held) -> bool:
        """Whether a host's refusal is reason enough: not for the same client again and again."""
        now = time.monotonic()
        if (
            self._held.get(held.client) is not held
            or now - self._forced.get(held.client, -FORCED_S) < FORCED_S
        ):
            return False
        self._forced[held.client] = now
        return True

    def start(self, held: Held) -> asyncio.Task[str]:
        """The renewal under way, or a new one."""
        task = self._running.get(held.client)
        if task is None:
            task = self._running[held.client] = asyncio.get_running_loop().create_task(self._renew(held))
            task.add_done_callback(lambda _: self._running.pop(held.client, None))
        return task

    async def renewed(self, held: Held) -> str:
        """As `Lease.renewed`. One request that leaves does not end the renewal that others wait for."""
        if self._held.get(held.client) is not held:
            return ""
        return self._failure(held) or await asyncio.shield(self.start(held))

    def _failure(self, held: Held) -> str:
        """Why it was not renewed a moment ago; a login that is revoked stays so until its file changes."""
        named, until, why = self._failed.get(held.client, ("", 0.0, ""))
        return why if named == held.named and time.monotonic() < until else ""

    async def _renew(self, held: Held) -> str:
        client = finding.CLIENTS[held.client]
        try:
            outcome = await asyncio.to_thread(self._run, held)
            state, why = outcome["state"], outcome["why"]
        except (ClauderonError, OSError, ValueError, KeyError, TypeError) as error:
            state, why = "failed", f"{type(error).__name__}"
        if state in ("renewed", "adopted"):
            self._failed.pop(held.client, None)
            await self._reload()
            if self._held.get(held.client) is not held:
                return ""
            why = "what was put in its place cannot be read"
        text = f"the login of {client.title} could not be renewed: {why}"
        if state == "revoked":
            text = f"the login of {client.title} has ended ({why}); log in again on the host: {client.again}"
        log.warning("%s", text)
        wait = float("inf") if state == "revoked" else RETRY_S
        self._failed[held.client] = (held.named, time.monotonic() + wait, text)
        if held.login.expires_at is None or held.login.expires_at > time.time():
            held.forgive()
            return ""
        return text

    def _run(self, held: Held) -> dict[str, str]:
        """In a thread. The process is in a group of its own: it goes on if we are stopped or killed."""
        words = ("-P", "-m", "clauderon.proxy.logins.renew", str(self._home.root), held.client, held.named)
        running = proc.start((sys.executable, *words), env=self._environ or os.environ, cwd="/")
        found: dict[str, str] = json.loads(running.result(ok=None).text)
        return found
