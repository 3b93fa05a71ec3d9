"""Counts what sessions use of models: a journal line when a request begins, and one when it ends.

On the event loop. Nothing here raises, waits for a disk (the journal is a short append), or touches the answer.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from clauderon.proxy.usage.amounts import UNKNOWN, Usage
from clauderon.proxy.usage.apis import HOSTS, Api, asked
from clauderon.proxy.usage.prices import Prices
from clauderon.proxy.usage.reader import Answer
from clauderon.proxy.usage.websocket import Messages
from clauderon.proxy.usage.windows import windows

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_SUMS = ("input", "cache_read", "cache_write", "cache_write_1h", "output")


class Lines(Protocol):
    """Where the meter writes (`usage_journal.Journal`)."""

    def append(self, record: Mapping[str, Any]) -> None:
        """Keep a record for the journal. Never raises."""


class Meter:
    """worker: tells this process's requests from those of one that was killed."""

    def __init__(self, journal: Lines, worker: str) -> None:
        self._journal = journal
        self._worker = worker
        self._count = 0
        self.hosts: Mapping[str, Api] = HOSTS
        self.prices = Prices()

    def begin(
        self,
        session: tuple[str, str, str],
        host: str,
        method: bytes,
        target: bytes,
        *,
        upgrade: bool,
        lent: str,
    ) -> Metering | None:
        """For a request that a model answers; None for all others. session: id, name, group; lent: the credential."""
        api = self.hosts.get(host)
        if api is None or not asked(api, method, target, upgrade):
            return None
        return Metering(self, session, api, lent, upgrade)

    def write(self, session: tuple[str, str, str], api: Api, end: bool, one: str, usage: Usage) -> None:
        """Write that a request began (`end` false) or what it used."""
        record: dict[str, Any] = {
            "id": one, "end": end, "worker": self._worker, "time": time.time(),
            "session": session[0], "name": session[1], "team": session[2], "api": api.name, "model": usage.model,
        }  # fmt: skip
        if end:
            record |= {"requests": 1, **{name: getattr(usage, name) for name in _SUMS}}
            price = self.prices.of(api.name, usage.model)
            if not usage.known:
                record["unknown"] = 1
            if price is not None:
                record["nano"] = price.cost(usage)
            elif usage.tokens:
                record["unpriced"] = 1
        self._journal.append(record)

    def nothing(self, one: str) -> None:
        """The request that began so was not answered by a model."""
        self._journal.append({"id": one, "end": True, "nothing": True})

    def limits(self, api: Api, credential: str, fields: Iterable[tuple[bytes, bytes]]) -> None:
        """Write the subscription windows that an answer's fields name."""
        now = time.time()
        found = windows(fields, now)
        if found:
            self._journal.append({"api": api.name, "credential": credential, "time": now, "windows": found})

    def next_id(self) -> str:
        """An id for a request, unique among all workers."""
        self._count += 1
        return f"{self._worker}-{self._count}"


class Metering:
    """One request to a model, or one WebSocket. Told of the answer's head and body as they pass, and of its end."""

    def __init__(
        self, meter: Meter, session: tuple[str, str, str], api: Api, lent: str, upgrade: bool
    ) -> None:
        self._meter = meter
        self._session = session
        self._api = api
        self._lent = lent
        self._answer: Answer | None = None
        self._messages: Messages | None = None
        self._refused = False
        self._over = False
        self._begun = ""  # the id of what a model is asked at present
        if not upgrade:
            self._begin()

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
            self._messages = Messages(self._api.dialect, extensions)
        elif 200 <= status < 300:
            streamed = found.get(b"content-type", b"").lower().startswith(b"text/event-stream")
            coding = found.get(b"content-encoding", b"").decode("latin-1")
            self._answer = Answer(self._api.dialect, streamed, coding)
        else:
            self._refused = True
        self._meter.limits(self._api, self._lent, fields)

    def body(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes of the body without its framing; of a WebSocket the upstream's bytes."""
        if self._answer is not None:
            self._answer.feed(data)
        elif self._messages is not None:
            for usage in self._messages.feed(data):
                self._end(usage)
            if self._messages.answering and not self._begun:
                self._begin()

    def end(self, complete: bool) -> None:
        """complete: the answer came to its own end. Only the first call says anything."""
        if self._over:
            return
        self._over = True
        if self._messages is not None:
            for usage in self._messages.end():
                self._end(usage)
        elif self._answer is not None:
            self._end(self._answer.end(complete))
        elif self._begun and self._refused:
            self._meter.nothing(self._begun)
        elif self._begun:
            self._end(UNKNOWN)

    def _begin(self) -> None:
        self._begun = self._meter.next_id()
        self._meter.write(self._session, self._api, False, self._begun, UNKNOWN)

    def _end(self, usage: Usage) -> None:
        self._meter.write(self._session, self._api, True, self._begun or self._meter.next_id(), usage)
        self._begun = ""
