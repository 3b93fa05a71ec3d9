"""An origin that answers like the model APIs, and a client that asks it through a proxy: for `scripts/bench usage`.

Both on one event loop. What is measured is the proxy between them, so they may take their time.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ANTHROPIC, OPENAI = "api.anthropic.com", "api.openai.com"
# An answer of some 200 tokens, each in an event of its own, as the APIs send them.
TOKENS = 200
PAUSE_S = 0.001
_WORDS = "the quick brown fox jumps over a lazy dog and runs "


class Kind(NamedTuple):
    """One kind of traffic. pieces: what the origin sends for a request, apart by `pause_s`; ask: what it is sent.

    answers: asked on each tunnel in a run.
    """

    title: str
    host: str
    ask: bytes
    pieces: Sequence[bytes]
    answers: int
    pause_s: float = 0.0


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _compact({"type": kind, **fields}))


def _usage(output: int) -> dict[str, int]:
    return {"input_tokens": 1000, "cache_read_input_tokens": 30000, "output_tokens": output}


def _events() -> list[bytes]:
    """A stream of Anthropic's Messages."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-4-5",
        "usage": _usage(1),
    }
    deltas = [
        _event(
            "content_block_delta", index=0, delta={"type": "text_delta", "text": _WORDS[n % 40 : n % 40 + 6]}
        )
        for n in range(TOKENS)
    ]
    end = _event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": TOKENS})
    return [_event("message_start", message=message), *deltas, end, _event("message_stop")]


def _frames() -> list[bytes]:
    """The messages of OpenAI's Responses on a WebSocket, as a server's frames."""
    response: dict[str, Any] = {"id": "resp_1", "object": "response", "model": "gpt-5-codex", "usage": None}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": response}]
    events += [
        {
            "type": "response.output_text.delta",
            "item_id": "msg_1",
            "output_index": 0,
            "delta": _WORDS[n % 40 : n % 40 + 6],
        }
        for n in range(TOKENS)
    ]
    events.append({"type": "response.completed", "response": {**response, "usage": _usage(TOKENS)}})
    return [_frame(0x81, _compact(event)) for event in events]


def _frame(head: int, text: bytes) -> bytes:
    size = bytes((len(text),)) if len(text) < 126 else b"\x7e" + len(text).to_bytes(2, "big")
    return bytes((head,)) + size + text


def _zipped(parts: Sequence[bytes]) -> list[bytes]:
    """Each part flushed, as a server does that streams gzip."""
    squeeze = zlib.compressobj(wbits=31)
    found = [squeeze.compress(part) + squeeze.flush(zlib.Z_SYNC_FLUSH) for part in parts]
    return [*found[:-1], found[-1] + squeeze.flush()]


def _chunks(parts: Sequence[bytes]) -> list[bytes]:
    found = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
    return [*found[:-1], found[-1] + b"0\r\n\r\n"]


def _whole(body: bytes, kind: bytes, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b\r\n" % (kind, len(body), more)
    return head + body


def _ask(path: bytes, host: str) -> bytes:
    return (
        b"POST %b HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        % (path, host.encode())
    )


_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n%b\r\n"
_SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
UPGRADE = (
    f"GET /v1/responses HTTP/1.1\r\nHost: {OPENAI}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()


def kinds(plain: str) -> dict[str, Kind]:
    """By key. plain: a host that is no model API."""
    message = {
        "id": "msg_1", "type": "message", "model": "claude-opus-4-5", "usage": _usage(TOKENS),
        "content": [{"type": "text", "text": _WORDS * 24}],
    }  # fmt: skip
    body, events = _compact(message), _events()
    packed = b"Content-Encoding: gzip\r\n"
    messages = _ask(b"/v1/messages", ANTHROPIC)
    single = [_STREAM % b"", *_chunks(events)]
    squeezed = [_STREAM % packed, *_chunks(_zipped(events))]
    json_ = b"application/json"
    return {
        "json": Kind("JSON", ANTHROPIC, messages, [_whole(body, json_)], 300),
        "json-gzip": Kind("JSON, gzip", ANTHROPIC, messages, [_whole(gzip.compress(body), json_, packed)], 300),
        "sse": Kind("200 events, one by one", ANTHROPIC, messages, single, 6, PAUSE_S),
        "sse-gzip": Kind("200 events, gzip, one by one", ANTHROPIC, messages, squeezed, 6, PAUSE_S),
        "burst": Kind("200 events at once", ANTHROPIC, messages, [b"".join(single)], 100),
        "websocket": Kind("200 messages of a WebSocket", OPENAI, _frame_of_client(), _frames(), 6, PAUSE_S),
        "plain": Kind("a host that is no model API", plain, _ask(b"/v1/messages", plain), [_whole(body, json_)], 300),
    }  # fmt: skip


def _frame_of_client() -> bytes:
    text = _compact({"type": "response.create", "model": "gpt-5-codex"})
    return bytes((0x81, 0x80 | len(text))) + b"\0\0\0\0" + text


class Origin:
    """Answers every request on its port as `kind` says."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.kind: Kind | None = None
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)

    async def listen(self, port: int) -> None:
        await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=self._context)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            socket = b"websocket" in head
            if socket:
                writer.write(_SWITCHED)
            while True:
                assert self.kind is not None
                if socket:
                    await reader.readexactly(len(self.kind.ask))
                else:
                    await reader.readexactly(2)
                for piece in self.kind.pieces:
                    writer.write(piece)
                    if self.kind.pause_s:
                        await asyncio.sleep(self.kind.pause_s)
                await writer.drain()
                if not socket:
                    await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def ask(kind: Kind, proxy_port: int, ca: Path) -> None:
    """One tunnel, and all its answers. Raises what the connection raises."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy_port)
    writer.write(f"CONNECT {kind.host}:443 HTTP/1.1\r\nHost: {kind.host}:443\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    await writer.start_tls(ssl.create_default_context(cafile=str(ca)), server_hostname=kind.host)
    socket = kind.host == OPENAI
    if socket:
        writer.write(UPGRADE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    end = b"".join(kind.pieces)[-24:]
    for _ in range(kind.answers):
        writer.write(kind.ask)
        if not socket:
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
            if length:
                await reader.readexactly(int(length))
                continue
        await reader.readuntil(end)
    writer.close()
