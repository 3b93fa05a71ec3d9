"""The TLS sessions to resume towards upstreams, and how seldom one is asked for. No I/O of its own."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)

# Reading a connection's session leaks all of it, some 6 KiB, in every Python before 3.12.7 (gh-116810). So none is read
# for a place that is visited once, and at most one in this time for any other; meanwhile a ticket is used again.
RENEW_S = 1800.0
MOST = 1024


class _Kept(NamedTuple):
    session: ssl.SSLSession | None  # None: there was none, or nobody has asked yet
    until: float


class Tickets(Generic[K]):
    """By what makes two connections interchangeable (`upstream.Key`)."""

    def __init__(self, most: int = MOST) -> None:
        self._kept: dict[K, _Kept] = {}
        self._most = most

    def get(self, key: K) -> ssl.SSLSession | None:
        """The TLS session to resume with `key`; None if there is none."""
        kept = self._kept.get(key)
        return kept.session if kept is not None else None

    def learn(self, key: K, now: float, read: Callable[[], ssl.SSLSession | None]) -> None:
        """A connection has had its first answer, and with it the peer's tickets, which `read` reads."""
        kept = self._kept.get(key)
        if kept is None:
            while len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = _Kept(None, now)
        elif now >= kept.until:
            self._kept[key] = _Kept(read(), now + RENEW_S)

    def drop(self, key: K) -> None:
        """The session cannot be used: it was made in another context. A new one is read at the next chance."""
        if key in self._kept:
            self._kept[key] = _Kept(None, 0.0)

    def rest(self, key: K, now: float) -> None:
        """A handshake that offered the session failed: none is offered for as long as one would have been used."""
        if key in self._kept:
            self._kept[key] = _Kept(None, now + RENEW_S)

    def forget(self, which: Callable[[K], bool]) -> None:
        """Drop all that is known of the keys that `which` says."""
        self._kept = {key: kept for key, kept in self._kept.items() if not which(key)}
