"""Keeps what models were asked: the meter's journal, folded into the database every now and then.

A disk that is full or a database that cannot be written stops no request: the lines wait, and `problems` says so.
"""

from __future__ import annotations

import asyncio
import secrets
import time

from clauderon import events, limits
from clauderon.errors import BackendError
from clauderon.ledger import Ledger, Row, midnight
from clauderon.paths import Home
from clauderon.proxy.daemon.snapshot import Snapshot
from clauderon.proxy.usage.meter import Meter
from clauderon.proxy.usage.prices import Prices
from clauderon.proxy.usage.spending import Passed, Purse, today
from clauderon.usage_journal import Journal

FOLD_S = 5.0


class Accounting:
    """The worker's books: the meter, its journal and the database they end up in."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._worker = secrets.token_hex(6)
        self._journal = Journal(home)
        self._problem = ""
        self._unsaid = ""  # why an event could not be written
        self._folded = -1  # how many lines were appended when it was last done
        self._loaded = False  # what earlier workers counted is known
        self.meter = Meter(self._journal, self._worker)
        self.meter.spending.say = self._say

    @classmethod
    def begin(cls, home: Home, snapshot: Snapshot) -> Accounting:
        """With prices, budgets and what was spent before. Blocks; before anything is served."""
        made = cls(home)
        made.use(snapshot)
        made._load(made._totals())
        return made

    def use(self, snapshot: Snapshot) -> None:
        """Take over the prices of the configuration, for answers from now on, and the budgets."""
        self.meter.prices = Prices(snapshot.config.prices)
        daily = snapshot.config.limits.daily_budget
        self.meter.spending.use(snapshot.budgets, limits.dollars(daily) if daily else None)

    async def run(self) -> None:
        """Fold for ever."""
        while True:
            self.meter.windows.write()
            self._journal.flush()
            if not self._loaded:
                self._load(await asyncio.to_thread(self._totals))
            await asyncio.to_thread(self._fold)
            self._journal.rotate()
            await asyncio.sleep(FOLD_S)

    def _totals(self) -> list[Row] | None:
        """What was used before this worker; None where that cannot be read."""
        if not self._home.usage_journals.exists() and not self._home.usage.exists():
            return []
        try:
            with Ledger.open(self._home) as ledger:
                return ledger.totals(midnight(), without=self._worker)
        except (BackendError, OSError) as error:
            self._problem = (
                f"what was spent before is not known, and budgets count from the proxy's start: {error}"
            )
            return None

    def _load(self, rows: list[Row] | None) -> None:
        if rows is None:
            return
        sums: list[tuple[Purse, int]] = []
        unpriced = []
        for row in rows:
            purses: list[Purse] = [("session", row.session)]
            if row.team:
                purses.append(("group", row.team))
            if row.hour:
                purses.append(("day", today()))
            sums += [(purse, row.nano + row.guessed) for purse in purses]
            if row.unpriced and row.model:
                unpriced += [(purse, row.api, row.model) for purse in purses]
        self.meter.spending.load(sums, unpriced)
        self._loaded, self._problem = True, ""

    def _fold(self) -> None:
        """Once at the start, for what a killed worker left; then where there is something new."""
        appended = self._journal.appended
        if not self._loaded or appended == self._folded or not self._home.usage_journals.exists():
            return
        try:
            with Ledger.open(self._home) as ledger:
                ledger.fold(self._worker, now=time.time())
            self._folded, self._problem = appended, ""
        except (BackendError, OSError) as error:
            self._problem = f"usage of models is not written into the database: {error}"

    def _say(self, passed: Passed) -> None:
        """A budget is spent to a share: an event. Never raises."""
        facts = {
            "session": passed.session, "budget": passed.kind, "of": passed.who, "share": passed.share,
            "spent": passed.spent / limits.NANO, "limit": passed.limit / limits.NANO,
        }  # fmt: skip
        try:
            events.append(self._home, "budget", facts)
            self._unsaid = ""
        except OSError as error:
            self._unsaid = f"an event is lost: {error}"

    def problems(self) -> list[str]:
        """What is not in order, in sentences."""
        return [problem for problem in (self._journal.problem, self._problem, self._unsaid) if problem]

    def close(self) -> None:
        """Fold what is left, and close the journal."""
        self.meter.windows.write()
        self._journal.close()
        self._fold()
