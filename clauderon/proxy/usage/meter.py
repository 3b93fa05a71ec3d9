"""Counts what sessions use of models: a journal line when a request begins, and one when it ends.

On the event loop. Nothing here raises, waits for a disk (the journal is a short append), or touches the answer.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from clauderon.proxy.http.request import RequestHead
from clauderon.proxy.usage.amounts import UNKNOWN, Usage
from clauderon.proxy.usage.apis import HOSTS, Api, asked, route, uncounted
from clauderon.proxy.usage.dialects import Dialect
from clauderon.proxy.usage.guess import UNKNOWN_PRICE, Size, guess, least
from clauderon.proxy.usage.newest_windows import Lines, NewestWindows
from clauderon.proxy.usage.prices import Price, Prices
from clauderon.proxy.usage.reader import Answer
from clauderon.proxy.usage.spending import Spending, Stop
from clauderon.proxy.usage.totals import Totals
from clauderon.proxy.usage.websocket import Messages, unremarkable

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_SUMS = ("input", "cache_read", "cache_write", "cache_write_1h", "output")


class Meter:
    """worker: tells this process's requests from those of one that was killed."""

    def __init__(self, journal: Lines, worker: str) -> None:
        self._journal = journal
        self._worker = worker
        self._count = 0
        # By session and API, of models that it used and of one that nobody named: whoever chooses what answers say may
        # ask a cheap model first.
        self._dearest: dict[tuple[str, str], Price] = {}
        self.hosts: Mapping[str, Api] = HOSTS
        self.windows = NewestWindows(journal)
        self.prices = Prices()
        self.totals = Totals()
        self.spending = Spending()
        self.spending.priced = lambda api, model: self.prices.of(api, model) is not None

    def stop(self, session: str, host: str, head: RequestHead) -> Stop | None:
        """Why a budget stops this request, or None. session: its id; host: one of `hosts`."""
        if not self.spending.is_limited(session):
            return None
        if asked(head.method, head.target, bool(head.upgrade)):
            stop = self.spending.stop(session)
            if stop is not None:
                return stop
        if uncounted(self.hosts[host], head):
            what = "there is a budget, and what this request costs cannot be counted"
            return Stop("budget-uncounted", what, "docs/usage.md says which requests can")
        return None

    def begin(
        self,
        session: tuple[str, str, str],
        host: str,
        method: bytes,
        target: bytes,
        *,
        upgrade: bool,
        lent: str,
        length: int = 0,
    ) -> Metering | None:
        """For a request that a model answers; None for all others.

        session: id, name, group; lent: the credential; length: of the request's body, as far as it is known.
        """
        api = self.hosts.get(host)
        found = None if api is None else route(api, method, target, upgrade)
        if api is None or found is None:
            return None
        dialect, model = found
        return Metering(self, session, api, lent, upgrade, length, model, dialect)

    def write_begin(self, session: tuple[str, str, str], api: Api, one: str, length: int) -> None:
        """A request begins: what is kept of it if this process is killed."""
        price = self._dearest.get((session[0], api.name), UNKNOWN_PRICE)
        record = self._head(session, api, one, False, "")
        record["guessed"] = least(price, length)
        self._journal.append(record)

    def write_end(self, session: tuple[str, str, str], api: Api, one: str, usage: Usage, size: Size) -> None:
        """A request has ended."""
        record = self._head(session, api, one, True, usage.model)
        record |= {"requests": 1, **{name: getattr(usage, name) for name in _SUMS}}
        price = self.prices.of(api.name, usage.model)
        dearest = self._dearest.get((session[0], api.name), UNKNOWN_PRICE)
        spent, unpriced = 0, None
        if price is not None:
            record["nano"] = spent = price.cost(usage)
            if price.output > dearest.output:
                self._dearest[session[0], api.name] = price
        elif usage.tokens or (usage.model and not usage.known):
            record["unpriced"] = 1
            # A model that is not named has no price, so that of the dearest is used.
            unpriced = (api.name, usage.model) if usage.model else None
        likely = price or dearest
        guessed = likely.cost(usage) if price is None and not usage.model else 0
        if not usage.known:
            record["unknown"] = 1
            guessed += guess(usage, likely, size)
        guessed = usage.times * guessed + (usage.times - 1) * spent
        if guessed:
            record["guessed"] = guessed
            spent += guessed
        self._journal.append(record)
        self.totals.add(record)
        self.spending.spend(session[0], session[2], spent, unpriced=unpriced)

    def _head(
        self, session: tuple[str, str, str], api: Api, one: str, end: bool, model: str
    ) -> dict[str, Any]:
        return {
            "id": one, "end": end, "worker": self._worker, "time": time.time(),
            "session": session[0], "name": session[1], "team": session[2], "api": api.name, "model": model,
        }  # fmt: skip

    def nothing(self, one: str) -> None:
        """The request that began so was not answered by a model."""
        self._journal.append({"id": one, "end": True, "nothing": True})

    def next_id(self) -> str:
        """An id for a request, another one each time."""
        self._count += 1
        return f"{self._worker}-{self._count}"


class Metering:
    """One request to a model, or one WebSocket. Told of the answer's head and body as they pass, and of its end.

    answers: how many have ended.
    """

    def __init__(
        self,
        meter: Meter,
        session: tuple[str, str, str],
        api: Api,
        lent: str,
        upgrade: bool,
        length: int,
        model: str,
        dialect: Dialect,
    ) -> None:
        self._meter = meter
        self._session = session
        self._api = api
        self._lent = lent
        self._dialect = dialect
        self._model = model  # as the request names it, if it does so in its path
        self._answer: Answer | None = None
        self._messages: Messages | None = None
        self._refused = False
        self._over = False
        self._up, self._down = length, 0  # bytes since the last answer's end
        self._begun = ""  # the id of what a model is asked at present
        self._since = time.monotonic()
        self.answers = 0
        if not upgrade:
            self._begin()

    @property
    def api(self) -> Api:
        """Which it asks."""
        return self._api

    @property
    def answering(self) -> bool:
        """Whether a WebSocket's answer is under way."""
        return self._messages is not None and self._messages.answering

    def stop(self) -> Stop | None:
        """Why a budget ends this WebSocket before its next message, or None."""
        spending = self._meter.spending
        if (
            self._messages is not None
            and not self._messages.readable
            and spending.is_limited(self._session[0])
        ):
            what = "there is a budget, and this WebSocket cannot be read"
            return Stop("budget-uncounted", what, "docs/usage.md says what can be counted")
        return spending.stop(self._session[0])

    def sent(self, size: int) -> None:
        """More bytes of the client's on a WebSocket."""
        self._up += size

    def head(self, head: bytes) -> None:
        """The answer's final head, or a 101's, with its empty line."""
        lines = head.split(b"\r\n")
        fields = [
            (name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines[1:])
        ]
        found = dict(fields)
        match = _STATUS.match(lines[0])
        status = int(match[1]) if match else 0
        if status == 101:
            extensions = found.get(b"sec-websocket-extensions", b"").decode("latin-1")
            self._messages = Messages(self._dialect, extensions)
        elif 200 <= status < 300:
            streamed = found.get(b"content-type", b"").lower().startswith(b"text/event-stream")
            coding = found.get(b"content-encoding", b"").decode("latin-1")
            self._answer = Answer(self._dialect, streamed, coding)
        else:
            self._refused = True
        self._meter.windows.take(self._api.name, self._lent, fields)

    def body(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes of the body without its framing; of a WebSocket the upstream's bytes."""
        self._down += len(data)
        if self._answer is not None:
            self._answer.feed(data)
            return
        if self._messages is not None:
            for usage in self._messages.feed(data):
                self._end(usage)
            if self._messages.answering and not self._begun:
                self._begin()

    def is_talk(self, data: memoryview | bytes) -> bool:
        """Whether these bytes of the upstream's, which begin between two messages, are whole ones that say nothing of
        usage; then they are counted with this.
        """
        if unremarkable(bytes(data)) < len(data):
            return False
        self._down += len(data)
        return True

    def end(self, complete: bool, up: int = 0, *, reached: bool = True) -> None:
        """complete: the answer came to its own end. up: bytes of the request that were sent; of 0 no model knows.
        reached: no trouble was in the way of an answer. Only the first call says anything.
        """
        if self._over:
            return
        self._over = True
        if not reached and self._answer is None and self._messages is None:
            self._since = time.monotonic()
        if self._messages is not None:
            for usage in self._messages.end():
                self._end(usage)
            return
        self._up = up
        if self._answer is not None:
            self._end(self._answer.end(complete))
        elif self._begun and (self._refused or not up):
            self._meter.nothing(self._begun)
        elif self._begun:
            self._end(UNKNOWN)

    def _begin(self) -> None:
        self._begun = self._meter.next_id()
        self._since = time.monotonic()
        self._meter.write_begin(self._session, self._api, self._begun, self._up)

    def _end(self, usage: Usage) -> None:
        usage = usage if usage.model else usage._replace(model=self._model)
        streamed = self._messages is not None or (self._answer is not None and self._answer.streamed)
        one = self._begun or self._meter.next_id()
        size = Size(self._up, self._down, streamed, time.monotonic() - self._since)
        self._meter.write_end(self._session, self._api, one, usage, size)
        self._begun = ""
        self._up = self._down = 0
        self.answers += 1
