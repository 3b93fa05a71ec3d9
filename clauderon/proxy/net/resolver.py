"""Look names up in threads of its own, so that slow ones hold up nobody but who asked for them. Judges no address.

The event loop's own look-ups share four threads with all else it does there: four names of a server that does not
answer would stop every session's dials.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import weakref

LOOK_UP_S = 10.0
# How many look-ups may run at once, for one session and in all. One whose asker gave up is counted until it ends.
SHARE = 8
TOTAL = 64
_REMEMBERED_S = 5.0
_REMEMBERED = 1024

Resolved = tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]
_Name = tuple[str, int]


class Resolver:
    """Names and ports to addresses. `getaddrinfo` is all it asks of the system, and blocks."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.getaddrinfo = socket.getaddrinfo
        self._remembered: dict[_Name, tuple[float, list[Resolved]]] = {}
        self._running: dict[_Name, asyncio.Future[list[Resolved]]] = {}
        self._room = asyncio.Semaphore(TOTAL)
        self._shares: weakref.WeakValueDictionary[str, asyncio.Semaphore] = weakref.WeakValueDictionary()

    async def look_up(self, session: str, host: str, port: int) -> list[Resolved]:
        """The addresses of `host`, asked for by `session`. Raises OSError, UnicodeError, TimeoutError."""
        name = (host, port)
        known = self._known(name)
        if known is not None:
            return known
        async with asyncio.timeout(LOOK_UP_S):
            running = self._running.get(name)
            if running is None:
                share = self._shares.get(session)
                if share is None:
                    share = self._shares[session] = asyncio.Semaphore(SHARE)
                await self._take(share)
                # While this waited for its turn another may have asked for the same.
                known = self._known(name)
                running = self._running.get(name)
                if known is not None or running is not None:
                    self._give_back(share)
                    if known is not None:
                        return known
                if running is None:
                    running = self._begin(name, share)
            return await asyncio.shield(running)

    def _known(self, name: _Name) -> list[Resolved] | None:
        known = self._remembered.get(name)
        return known[1] if known is not None and known[0] > self.loop.time() else None

    async def _take(self, share: asyncio.Semaphore) -> None:
        await share.acquire()
        try:
            await self._room.acquire()
        except BaseException:
            share.release()
            raise

    def _give_back(self, share: asyncio.Semaphore) -> None:
        self._room.release()
        share.release()

    def _begin(self, name: _Name, share: asyncio.Semaphore) -> asyncio.Future[list[Resolved]]:
        def work() -> None:
            answer: list[Resolved] | Exception
            try:
                found = self.getaddrinfo(*name, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
                answer = [(family, address) for family, _, _, _, address in found]
            except Exception as error:  # noqa: BLE001, raised where it is waited for
                answer = error
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(self._end, name, share, answer)

        running: asyncio.Future[list[Resolved]] = self.loop.create_future()
        self._running[name] = running
        try:
            # A daemon: a server that does not answer must not hold up the end of the process either.
            threading.Thread(target=work, name="look-up", daemon=True).start()
        except RuntimeError as error:
            self._end(name, share, OSError(f"no thread for it: {error}"))
        return running

    def _end(self, name: _Name, share: asyncio.Semaphore, answer: list[Resolved] | Exception) -> None:
        running = self._running.pop(name)
        self._give_back(share)
        if isinstance(answer, Exception):
            running.set_exception(answer)
            running.exception()  # it may be that nobody waits any more
            return
        if len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        self._remembered[name] = (self.loop.time() + _REMEMBERED_S, answer)
        running.set_result(answer)
