"""The service's control endpoint: HTTP over a unix socket that only its owner can open. Never on a network.

`GET /status`, `POST /reload` (`{"secrets": {name: [secret, origin]}}`), `POST /offer` (the same, and a reload only if
one of them is not held yet), `POST /stop`. Answers hold no secret.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from clauderon.errors import ClauderonError
from clauderon.proxy.daemon.unix_socket import peer_uid
from clauderon.proxy.secrets.credentials import BadSecret

MAX_BODY = 1 << 20
Answer = dict[str, Any]


class Control:
    """The control socket's server: status, reload, secrets, stop."""

    def __init__(
        self,
        *,
        status: Callable[[], Answer],
        reload: Callable[[dict[str, Any]], Awaitable[Answer]],
        offer: Callable[[dict[str, Any]], Awaitable[Answer]],
        stop: Callable[[], None],
    ) -> None:
        """reload, offer: take the secrets of the body; may raise ClauderonError and ValueError."""
        self._status = status
        self._reload = reload
        self._offer = offer
        self._stop = stop
        app = web.Application(middlewares=[_owner_only], client_max_size=MAX_BODY)
        app.router.add_get("/status", self._get_status)
        app.router.add_post("/reload", self._post_reload)
        app.router.add_post("/offer", self._post_offer)
        app.router.add_post("/stop", self._post_stop)
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=5, shutdown_timeout=1)

    async def start(self, sock: socket.socket) -> None:
        """Serve on a listening unix socket, which is ours from now on."""
        await self._runner.setup()
        await web.SockSite(self._runner, sock).start()

    async def close(self) -> None:
        """Stop listening and end what is connected."""
        await self._runner.cleanup()

    async def _get_status(self, _request: web.Request) -> web.Response:
        return web.json_response(self._status())

    async def _post_reload(self, request: web.Request) -> web.Response:
        return await self._post_secrets(request, self._reload)

    async def _post_offer(self, request: web.Request) -> web.Response:
        return await self._post_secrets(request, self._offer)

    async def _post_secrets(
        self, request: web.Request, take: Callable[[dict[str, Any]], Awaitable[Answer]]
    ) -> web.Response:
        try:
            body = await request.json() if request.can_read_body else {}
            secrets = body.get("secrets", {})
            if not isinstance(secrets, dict):
                raise ValueError("`secrets` is not a table")
            return web.json_response(await take(secrets))
        except ClauderonError as error:
            problem = {"code": error.code, "what": error.what, "why": error.why, "hint": error.hint}
            return web.json_response({"error": problem}, status=409)
        except (ValueError, AttributeError) as error:
            # JSON's own message may quote what it could not read, and that may be a secret.
            ours = type(error) is ValueError or isinstance(error, BadSecret)
            why = str(error) if ours else "not the expected JSON"
            return web.json_response({"error": {"code": "usage", "what": "reload", "why": why}}, status=400)

    async def _post_stop(self, _request: web.Request) -> web.Response:
        self._stop()
        return web.json_response({"stopping": True})


@web.middleware
async def _owner_only(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The socket's mode keeps others out already; this holds should its mode ever be changed."""
    connection = request.get_extra_info("socket")
    uid = None if connection is None else peer_uid(connection.fileno())
    if uid != os.getuid():
        return web.json_response(
            {"error": {"code": "refused", "what": "control", "why": "not yours"}}, status=403
        )
    return await handler(request)
