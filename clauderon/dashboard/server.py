"""The dashboard's server: on 127.0.0.1, for whoever `door` lets in. It answers questions and changes nothing.

What it shows is asked for on threads, and only while somebody looks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from clauderon import paths
from clauderon.dashboard import answers
from clauderon.dashboard.door import COOKIE, Door
from clauderon.errors import ClauderonError, NoSuchSession
from clauderon.ledger import Ledger
from clauderon.proxy.audit.aside import Aside
from clauderon.session.feed import Feed, Look
from clauderon.session.story import stories
from clauderon.top.panes import output_lines

LOOK_S, MEASURE_S, PING_S = 1.0, 5.0, 15.0
_MOST_STREAMS = 16
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_SHARE = Path(__file__).parent.parent / "share"
_FILES = {
    "/": ("dashboard.html", "text/html"),
    "/dashboard.js": ("dashboard.js", "text/javascript"),
    "/dashboard.css": ("dashboard.css", "text/css"),
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Dashboard:
    """One server for one home."""

    def __init__(self, feed: Feed, home: paths.Home) -> None:
        self._feed = feed
        self._home = home
        self._door = Door(0)
        self._aside: Aside | None = None
        self._runner: web.AppRunner | None = None
        self._streams = 0
        self._look = Look((), {})
        self._looked = self._measured = 0.0
        self._looking = asyncio.Lock()
        self._closing = asyncio.Event()

    async def start(self, port: int = 0) -> str:
        """Listen; returns the address with its one-time token. Raises OSError for a port that is taken."""
        app = web.Application(middlewares=[self._guard])
        app.on_response_prepare.append(_protect)
        app.router.add_get("/events", self._events)
        app.router.add_get("/api/sessions", self._sessions)
        app.router.add_get("/api/session/{name}", self._session)
        app.router.add_get("/api/usage", self._usage)
        for path in _FILES:
            app.router.add_get(path, self._file)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        # 127.0.0.1 and no other address: no container has a way to it.
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        bound = self._runner.addresses[0][1]
        self._door = Door(bound)
        self._aside = Aside(self._home.audit, bound)
        return self.address

    @property
    def address(self) -> str:
        """Where to look, with the token of now."""
        assert self._runner is not None
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/?token={self._door.token}"

    def renew(self) -> str:
        """The address for another browser."""
        self._door.renew()
        return self.address

    async def stop(self) -> None:
        """End the streams and the server."""
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        verdict = self._door.judge(request.method, request.path, request.query, request.headers)
        if verdict.rule:
            assert self._aside is not None
            self._aside.refused(request.method, request.path, verdict.rule)
            response: web.StreamResponse = web.Response(status=403, text=_said(verdict.rule))
        elif verdict.cookie:
            # To the page without the token, which then is in no history and in no referrer.
            response = web.Response(status=303, headers={"Location": "/"})
            response.set_cookie(COOKIE, verdict.cookie, path="/", httponly=True, samesite="Strict")
        else:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = web.Response(status=error.status, text=f"{error.reason}\n")
            except NoSuchSession as error:
                response = web.Response(status=404, text=f"{error.what}: {error.why}\n")
            except ClauderonError as error:
                response = web.Response(status=502, text=f"{error.what}: {error.why}\n")
        return response

    async def _file(self, request: web.Request) -> web.Response:
        name, kind = _FILES[request.path]
        return web.Response(body=(_SHARE / name).read_bytes(), content_type=kind, charset="utf-8")

    async def _sessions(self, _request: web.Request) -> web.Response:
        return web.json_response(answers.sessions(await self._fresh()))

    async def _session(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.json_response(await asyncio.to_thread(self._closely, name))

    def _closely(self, name: str) -> Mapping[str, Any]:
        with self._feed.opened() as context:
            (story,) = stories(context, [name])
        running = story.about.view.state == "running"
        return answers.session(story, output_lines(self._feed, name, running=running))

    async def _usage(self, _request: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(self._used))

    def _used(self) -> Mapping[str, Any]:
        if not self._home.usage.exists() and not self._home.usage_journals.exists():
            return answers.usage(())
        with Ledger.open(self._home) as book:
            return answers.usage(book.read()[0])

    async def _fresh(self) -> Look:
        """The sessions as of this second: those who look together ask once."""
        async with self._looking:
            if time.monotonic() - self._looked >= LOOK_S:
                self._look = await asyncio.to_thread(self._feed.look)
                self._looked = time.monotonic()
            if self._looked - self._measured >= MEASURE_S and self._look.sessions:
                self._measured = self._looked
                self._measuring = asyncio.create_task(asyncio.to_thread(self._feed.measure))
            return self._look

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self._streams >= _MOST_STREAMS:
            return web.Response(status=503, text="too many pages are open\n")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self._streams += 1
        said, spoke = "", time.monotonic()
        try:
            while not self._closing.is_set():
                text = json.dumps(answers.sessions(await self._fresh()))
                if text != said:
                    await response.write(f"data: {text}\n\n".encode())
                    said, spoke = text, time.monotonic()
                elif time.monotonic() - spoke >= PING_S:
                    await response.write(b": still here\n\n")
                    spoke = time.monotonic()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), LOOK_S)
        except ConnectionError:
            pass  # the page was closed
        finally:
            self._streams -= 1
        return response


async def _protect(_request: web.Request, response: web.StreamResponse) -> None:
    """Of every answer, one about a fault of ours too."""
    response.headers.update(_HEADERS)


def _said(rule: str) -> str:
    why = {
        "wrong-token": "the token in the address is wrong, or was used before",
        "no-cookie": "this browser did not come with the token",
        "other-origin": "another page asks",
        "other-host": "it was asked for under another name",
        "method": "it answers questions alone",
    }[rule]
    return (
        f"clauderon dashboard: {why}\nhint: press Enter where it runs, and open the address that it prints\n"
    )


async def serve(
    feed: Feed, home: paths.Home, port: int, said: Callable[[str], None], *, listens: bool
) -> int:
    """Serve until a signal ends it; returns its number. said: told each address. listens: whether a line on stdin asks
    for another. Raises OSError for a port that is taken.

    The loop itself takes the signals: an exception of a handler's is swallowed where a callback is running.
    """
    dashboard = Dashboard(feed, home)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(number: int) -> None:
        if not ended.done():
            ended.set_result(number)

    for each in ENDING:
        if signal.getsignal(each) is not signal.SIG_IGN:
            loop.add_signal_handler(each, end, int(each))

    def asked() -> None:
        if os.read(0, 4096):
            said(dashboard.renew())
        else:
            loop.remove_reader(0)

    try:
        said(await dashboard.start(port))
        if listens:
            loop.add_reader(0, asked)
        return await ended
    finally:
        if listens:
            loop.remove_reader(0)
        await dashboard.stop()
