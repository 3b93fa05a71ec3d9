"""How much was spent of each budget, and which budget stops a request. Pure but for the clock.

A request is stopped before it is sent, never in the middle: so what is in flight at the limit is overspent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from clauderon.limits import dollars_shown

SHARES = (0.8, 1.0)  # of a budget, at which it is said

# What a budget is for: ("session", id), ("group", name) or ("day", "2026-11-29").
Purse = tuple[str, str]


class Budgets(NamedTuple):
    """A session's budgets in billionths of a dollar; None for no limit."""

    name: str
    group: str = ""
    session: int | None = None
    of_group: int | None = None


class Stop(NamedTuple):
    """Why a request is refused: in words, and what to type to go on. code: for the audit."""

    code: str
    what: str
    fix: str


class Passed(NamedTuple):
    """A budget of which a share was spent just now. kind: session, group or day; who: its name, or the day."""

    kind: str
    who: str
    session: str
    share: float
    spent: int
    limit: int


def today() -> str:
    """The day of this machine's clock."""
    return time.strftime("%Y-%m-%d")


class Spending:
    """What was spent, and of which limits.

    say: is told when a share of a budget is reached. priced: whether a model, by its API, has a price.
    """

    def __init__(self) -> None:
        self.say: Callable[[Passed], None] = lambda _passed: None
        self.priced: Callable[[str, str], bool] = lambda _api, _model: False
        self._spent: dict[Purse, int] = {}
        self._unpriced: dict[Purse, dict[str, str]] = {}  # a model without a price, and its API
        self._said: set[tuple[Purse, int, float]] = set()
        self._of: Mapping[str, Budgets] = {}
        self._daily: int | None = None

    def use(self, budgets: Mapping[str, Budgets], daily: int | None) -> None:
        """Take over the limits: of each session by its id, and of all of them for a day."""
        self._of, self._daily = budgets, daily
        for session in budgets:
            self._note(session)

    def load(self, sums: Iterable[tuple[Purse, int]], unpriced: Iterable[tuple[Purse, str, str]]) -> None:
        """Add what was spent before, by whom it is counted for. unpriced: (purse, API, model)."""
        for purse, nano in sums:
            self._spent[purse] = self._spent.get(purse, 0) + nano
        for purse, api, model in unpriced:
            self._unpriced.setdefault(purse, {})[model] = api
        # What a worker before this one has said is not said again.
        for session in self._of:
            self._note(session, aloud=False)

    def spend(self, session: str, group: str, nano: int, *, unpriced: tuple[str, str] | None = None) -> None:
        """Count an answer. unpriced: the API and the model, where its price is not known."""
        for purse in self._purses(session, group):
            self._spent[purse] = self._spent.get(purse, 0) + nano
            if unpriced is not None:
                self._unpriced.setdefault(purse, {})[unpriced[1]] = unpriced[0]
        self._note(session)

    def spent(self, purse: Purse) -> int:
        """In billionths of a dollar, by answers that have ended."""
        return self._spent.get(purse, 0)

    def is_limited(self, session: str) -> bool:
        """Whether any budget bounds this session."""
        return any(True for _ in self._limits(session))

    def stop(self, session: str) -> Stop | None:
        """Why this session must not ask a model now, or None."""
        for purse, limit in self._limits(session):
            spent = self._spent.get(purse, 0)
            if spent >= limit:
                return _used_up(purse, self._of[session].name, spent, limit)
            for model, api in self._unpriced.get(purse, {}).items():
                if not self.priced(api, model):
                    return _no_price(purse, self._of[session].name, model)
        return None

    def _limits(self, session: str) -> Iterable[tuple[Purse, int]]:
        budgets = self._of.get(session)
        if budgets is None:
            return
        if budgets.session is not None:
            yield ("session", session), budgets.session
        if budgets.group and budgets.of_group is not None:
            yield ("group", budgets.group), budgets.of_group
        if self._daily is not None:
            yield ("day", today()), self._daily

    @staticmethod
    def _purses(session: str, group: str) -> list[Purse]:
        groups = [("group", group)] if group else []
        return [("session", session), *groups, ("day", today())]

    def _note(self, session: str, *, aloud: bool = True) -> None:
        """Say which share of a budget is reached, each once."""
        for purse, limit in self._limits(session):
            spent = self._spent.get(purse, 0)
            for share in SHARES:
                if spent >= limit * share and (purse, limit, share) not in self._said:
                    self._said.add((purse, limit, share))
                    if aloud:
                        name = self._of[session].name
                        who = name if purse[0] == "session" else purse[1]
                        self.say(Passed(purse[0], who, name, share, spent, limit))


def _whose(purse: Purse, name: str) -> tuple[str, str]:
    """The budget in words, and the command that changes it."""
    if purse[0] == "session":
        return f"the budget of session {name}", f"clauderon budget {name}"
    if purse[0] == "group":
        return f"the budget of group {purse[1]}", f"clauderon budget --group {purse[1]}"
    return "the budget of today", ""


def _used_up(purse: Purse, name: str, spent: int, limit: int) -> Stop:
    what, command = _whose(purse, name)
    fix = (
        f"to go on, on the host: {command} +5"
        if command
        else "to go on: raise [limits] daily_budget in config.toml"
    )
    return Stop("budget", f"{what} is used up ({dollars_shown(spent)} of {dollars_shown(limit)})", fix)


def _no_price(purse: Purse, name: str, model: str) -> Stop:
    what, command = _whose(purse, name)
    other = f", or: {command} none" if command else ""
    return Stop(
        "budget-no-price",
        f"{what} cannot be kept, since the price of {model} is not known",
        f'to go on, on the host: give it one under [prices."{model}"] in config.toml{other}',
    )
