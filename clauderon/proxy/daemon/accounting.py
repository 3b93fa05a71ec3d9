"""Keeps what models were asked: the meter's journal, folded into the database every now and then.

A disk that is full or a database that cannot be written stops no request: the lines wait, and `problems` says so.
"""

from __future__ import annotations

import asyncio
import secrets
import time

from clauderon.config.schema import Config
from clauderon.errors import BackendError
from clauderon.ledger import Ledger
from clauderon.paths import Home
from clauderon.proxy.usage.meter import Meter
from clauderon.proxy.usage.prices import Prices
from clauderon.usage_journal import Journal

FOLD_S = 5.0


class Accounting:
    """The worker's count of what models used: a meter, its journal, and the fold into the database."""

    def __init__(self, home: Home, config: Config) -> None:
        self._home = home
        self._worker = secrets.token_hex(6)
        self._journal = Journal(home)
        self._problem = ""
        self._folded = -1  # how many lines were appended when it was last done
        self.meter = Meter(self._journal, self._worker)
        self.use(config)

    def use(self, config: Config) -> None:
        """Take over the prices of the configuration, for answers from now on."""
        self.meter.prices = Prices(config.prices)

    async def run(self) -> None:
        """Fold for ever."""
        while True:
            self._journal.flush()
            await asyncio.to_thread(self._fold)
            self._journal.rotate()
            await asyncio.sleep(FOLD_S)

    def _fold(self) -> None:
        """Once at the start, for what a killed worker left; then where there is something new."""
        appended = self._journal.appended
        if appended == self._folded or not self._home.usage_journals.exists():
            return
        try:
            with Ledger.open(self._home) as ledger:
                ledger.fold(self._worker, now=time.time())
            self._folded, self._problem = appended, ""
        except (BackendError, OSError) as error:
            self._problem = f"usage of models is not written into the database: {error}"

    def problems(self) -> list[str]:
        """What could not be written, one sentence each, for `proxy status`."""
        return [problem for problem in (self._journal.problem, self._problem) if problem]

    def close(self) -> None:
        """Write what is kept and fold it; blocks for that long."""
        self._journal.close()
        self._fold()
