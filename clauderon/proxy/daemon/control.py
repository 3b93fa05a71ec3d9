"""The service's control endpoint: HTTP over a unix socket that only its owner can open. Never on a network.

`GET /status`, `POST /reload` (`{"secrets": {name: [secret, origin]}}`, or null for one to forget), `POST /offer` (the
same without null, and a reload only if one of them is not held yet), `POST /stop`. Answers hold no secret. On h11,
since a framework costs the service 14 MiB.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import h11

from clauderon.errors import ClauderonError
from clauderon.proxy.daemon.unix_socket import peer_uid
from clauderon.proxy.secrets.in_file import BadSecret

MAX_BODY = 1 << 20
READ = 1 << 16
# A request that is not whole after this time is dropped.
PATIENCE_S = 5.0
CLOSING_S = 1.0
Answer = dict[str, Any]


class TooLong(Exception):
    """A request's body is longer than MAX_BODY."""


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
        self._takers = {"/reload": reload, "/offer": offer}
        self._stop = stop
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def start(self, sock: socket.socket) -> None:
        """Serve on a listening unix socket, which is ours from now on."""
        self._server = await asyncio.start_unix_server(self._connected, sock=sock)

    async def close(self) -> None:
        """Stop listening; answers that are being given have a second."""
        if self._server is not None:
            self._server.close()
        if self._talks:
            _done, left = await asyncio.wait(self._talks, timeout=CLOSING_S)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and close: whoever asks again connects again."""
        connection = h11.Connection(h11.SERVER)
        try:
            async with asyncio.timeout(PATIENCE_S):
                request, body = await _read(connection, reader, writer)
            status, answer = await self._answer(writer, request, body)
        except TimeoutError:
            status, answer = 408, _problem("usage", "control", "the request did not come whole")
        except TooLong:
            status, answer = 413, _problem("usage", "control", f"a body has at most {MAX_BODY} bytes")
        except h11.RemoteProtocolError as error:
            status, answer = error.error_status_hint, _problem("usage", "control", "not HTTP")
        except (EOFError, OSError):
            writer.close()
            return
        with contextlib.suppress(OSError):
            writer.write(_response(connection, status, json.dumps(answer).encode()))
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()

    async def _answer(
        self, writer: asyncio.StreamWriter, request: h11.Request, body: bytes
    ) -> tuple[int, Answer]:
        """The status and the JSON of an answer. The socket's mode keeps others out; this holds should it be changed."""
        if peer_uid(writer.get_extra_info("socket").fileno()) != os.getuid():
            return 403, _problem("refused", "control", "not yours")
        asked = (request.method.decode(), request.target.decode())
        if asked == ("GET", "/status"):
            return 200, self._status()
        if asked == ("POST", "/stop"):
            self._stop()
            return 200, {"stopping": True}
        if asked[0] == "POST" and asked[1] in self._takers:
            return await _take(self._takers[asked[1]], body)
        known = asked[1] in ("/status", "/stop", *self._takers)
        return (405 if known else 404), _problem("usage", "control", f"no {' '.join(asked)}")


async def _read(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[h11.Request, bytes]:
    """A whole request. Raises EOFError, OSError, TooLong and h11's RemoteProtocolError."""
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                writer.write(connection.send(go_on) or b"")
            data = await reader.read(READ)
            if not data and request is None and not connection.trailing_data[0]:
                raise EOFError
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise TooLong
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return request, bytes(body)
        else:
            raise EOFError


async def _take(take: Callable[[dict[str, Any]], Awaitable[Answer]], body: bytes) -> tuple[int, Answer]:
    try:
        secrets = json.loads(body).get("secrets", {}) if body else {}
        if not isinstance(secrets, dict):
            raise ValueError("`secrets` is not a table")
        return 200, await take(secrets)
    except ClauderonError as error:
        return 409, {"error": {"code": error.code, "what": error.what, "why": error.why, "hint": error.hint}}
    except (ValueError, AttributeError) as error:
        # JSON's own message may quote what it could not read, and that may be a secret.
        ours = type(error) is ValueError or isinstance(error, BadSecret)
        return 400, _problem("usage", "reload", str(error) if ours else "not the expected JSON")


def _problem(code: str, what: str, why: str) -> Answer:
    return {"error": {"code": code, "what": what, "why": why}}


def _response(connection: h11.Connection, status: int, content: bytes) -> bytes:
    """A response as bytes; also where the request was none."""
    headers = [
        ("content-type", "application/json"), ("content-length", str(len(content))), ("connection", "close"),
    ]  # fmt: skip
    if connection.our_state is not h11.SEND_RESPONSE and connection.our_state is not h11.IDLE:
        connection = h11.Connection(h11.SERVER)
    parts = [
        connection.send(h11.Response(status_code=status, headers=headers)),
        connection.send(h11.Data(data=content)),
        connection.send(h11.EndOfMessage()),
    ]
    return b"".join(part for part in parts if part)
