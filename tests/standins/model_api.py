"""A stand-in for the model APIs, over TLS with a CA of its own: Anthropic, OpenAI (SSE and WebSocket), Google.

Run as a program; it prints one JSON line `{"port": ..., "ca": ...}` when it is ready and stops on SIGTERM.
It knows nothing of clauderon and accepts only the keys it is told. What it saw goes to `--record`, one JSON
object a line; credentials are recorded as `accepted`, `refused` or `none`, never by value.
"""

from __future__ import annotations

import argparse
import gzip
import ipaddress
import json
import signal
import ssl
import sys
import threading
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import model_answers as answers  # type: ignore[import-not-found]
import model_websocket as websocket  # type: ignore[import-not-found]
from model_parts import CREDENTIAL_HEADERS, HOSTS, Keys, Record, tls  # type: ignore[import-not-found]

CHATGPT = "/backend-api/codex/responses"
CODE_ASSIST = "/v1internal:"  # what Gemini CLI speaks to with a Google account
PLAN = {"currentTier": {"id": "standard-tier"}, "cloudaicompanionProject": "test-project"}
ACCOUNTS = "/backend-api/wham/accounts/check"


@dataclass(frozen=True)
class Behaviour:
    """step_delay_s: a pause before each event; a model takes its time, and so streaming can be seen."""

    script: answers.Script = field(default_factory=answers.Script)
    keys: Keys = field(default_factory=Keys)
    step_delay_s: float = 0.0


class Handler(BaseHTTPRequestHandler):
    """One connection. The server carries the behaviour and the record."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing on stderr: the record says it."""

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._websocket()
        elif self.path == ACCOUNTS and self.server.behaviour.keys.accepts(CHATGPT, self.headers):
            origin = "https://chatgpt.com"
            account = {
                "id": "account-test",
                "workspace_backend_origin": origin,
                "account_routing_override": "us",
            }
            self._record({}, None, None, status=200)
            self._json(200, {"accounts": [account], "account_ordering": ["account-test"]})
        else:
            self._elsewhere({}, answers.GITHUB.get(self.path.partition("?")[0]))

    def do_HEAD(self) -> None:
        self._elsewhere({})

    def do_POST(self) -> None:
        request = self._body()
        path = self.path.partition("?")[0]
        if (
            path in ("/v1/messages", "/v1/responses", CHATGPT)
            or path.endswith("/chat/completions")
            or ":streamGenerateContent" in path
            or path.startswith(CODE_ASSIST)
            or (path.startswith("/v1beta/") and ":generateContent" in path)
        ):
            if not self._authorised(path, request):
                return
            if path == "/v1/messages":
                self._anthropic(request)
            elif path in ("/v1/responses", CHATGPT):
                self._openai(request)
            elif path.endswith("/chat/completions"):
                self._chat(request)
            elif path.startswith(CODE_ASSIST) and not path.endswith("enerateContent"):
                self._elsewhere(request, PLAN if path == f"{CODE_ASSIST}loadCodeAssist" else {})
            else:
                self._google(request, stream=":streamGenerateContent" in path)
        elif path == "/v1/messages/count_tokens":
            self._elsewhere(request, {"input_tokens": 12})
        elif path.endswith(":countTokens"):
            self._elsewhere(request, {"totalTokens": 12})
        else:
            self._elsewhere(request)

    do_PUT = do_PATCH = do_DELETE = do_POST

    # What each API says ----------------------------------------------------------------------------------

    def _anthropic(self, request: Mapping[str, Any]) -> None:
        talk = answers.anthropic_talk(request)
        step = self.server.behaviour.script.step(talk)
        self._record(request, talk, step)
        message = answers.anthropic_message(request, step, talk.tool)
        if request.get("stream"):
            self._stream(answers.anthropic_events(message))
        else:
            self._json(200, message)

    def _openai(self, request: Mapping[str, Any]) -> None:
        talk = answers.openai_talk(request, [])
        step = self.server.behaviour.script.step(talk)
        self._record(request, talk, step)
        self._stream(answers.openai_events(request, step, talk.tool))

    def _chat(self, request: Mapping[str, Any]) -> None:
        talk = answers.chat_talk(request)
        step = self.server.behaviour.script.step(talk)
        self._record(request, talk, step)
        message = answers.chat_message(request, step, talk.tool)
        if request.get("stream"):
            self._stream(answers.chat_events(message), named=False, done=b"data: [DONE]\n\n")
        else:
            self._json(200, message)

    def _google(self, request: Mapping[str, Any], *, stream: bool) -> None:
        wrapped = self.path.startswith(CODE_ASSIST)
        request = request.get("request", {}) if wrapped else request
        talk = answers.google_talk(request)
        step = self.server.behaviour.script.step(talk)
        self._record(request, talk, step)
        answer = answers.google_answer(request, step, talk.tool)
        if wrapped:
            answer = {"response": answer, "traceId": "test"}
        if stream:
            self._stream([answer], named=False)
        else:
            self._json(200, answer)

    def _websocket(self) -> None:
        path = self.path.partition("?")[0]
        if not self._authorised(path, {}):
            return
        self.send_response_only(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", websocket.accept_key(self.headers["Sec-WebSocket-Key"]))
        self.end_headers()
        self.close_connection = True
        earlier: list[Any] = []
        while (message := websocket.receive(self.rfile, self.connection)) is not None:
            request = json.loads(message)
            if request.get("previous_response_id") is None:
                earlier = []
            talk = answers.openai_talk(request, earlier)
            step = self.server.behaviour.script.step(talk)
            self._record(request, talk, step, transport="websocket")
            earlier += request.get("input", [])
            if request.get("generate") is False:
                # Codex warms a connection up with a request that wants no answer but its id.
                step = answers.Step(say="")
            for event in answers.openai_events(request, step, talk.tool):
                time.sleep(self.server.behaviour.step_delay_s)
                websocket.send(self.connection, json.dumps(event).encode())

    # Mechanics -------------------------------------------------------------------------------------------

    def _body(self) -> dict[str, Any]:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        encoding = self.headers.get("Content-Encoding", "")
        if encoding == "gzip":
            body = gzip.decompress(body)
        elif encoding == "deflate":
            body = zlib.decompress(body)
        try:
            value = json.loads(body or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def _authorised(self, path: str, request: Mapping[str, Any]) -> bool:
        if self.server.behaviour.keys.accepts(path, self.headers):
            return True
        self._record(request, None, None, status=401)
        error = {
            "type": "authentication_error",
            "message": "invalid x-api-key",
            "code": "invalid_api_key",
        }
        # As the real one says it; without it Claude Code tries for minutes.
        self._json(401, {"type": "error", "error": error}, {"x-should-retry": "false"})
        return False

    def _record(
        self,
        request: Mapping[str, Any],
        talk: answers.Talk | None,
        step: answers.Step | None,
        *,
        status: int = 200,
        transport: str = "http",
    ) -> None:
        path = self.path.partition("?")[0]
        shown = [name for name in self.headers if name.lower() in CREDENTIAL_HEADERS]
        verdict = "accepted" if self.server.behaviour.keys.accepts(path, self.headers) else "refused"
        credential = verdict if shown else "none"
        headers = {name: f"<{verdict}>" if name in shown else value for name, value in self.headers.items()}
        self.server.record.add(
            time=time.time(),
            host=self.headers.get("Host", ""),
            method=self.command,
            path=self.path,
            status=status,
            transport=transport,
            credential=credential,
            credential_headers=sorted(name.lower() for name in shown),
            headers=headers,
            turn=talk.turn if talk else 0,
            results=talk.results if talk else 0,
            tool=talk.tool if talk else "",
            prompt=talk.prompt if talk else "",
            answer=("run" if step.run else "say") if step else "",
            request=dict(request) if self.server.record_bodies else {},
        )

    def _elsewhere(self, request: Mapping[str, Any], answer: Mapping[str, Any] | None = None) -> None:
        # Both agents ask these again and again, for some seconds, until they are told that there is no such thing.
        status = 404 if self.path.startswith(("/api/claude_code/", "/backend-api/", "/mcp")) else 200
        self._record(request, None, None, status=status)
        self._json(status, answer or {})

    def _json(self, status: int, value: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _stream(self, events: Iterable[answers.Event], *, named: bool = True, done: bytes = b"") -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            time.sleep(self.server.behaviour.step_delay_s)
            name = f"event: {event['type']}\n" if named else ""
            data = f"{name}data: {json.dumps(event)}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        if done:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(done), done))
        self.wfile.write(b"0\r\n\r\n")


class Server(ThreadingHTTPServer):
    """The listening stand-in. `ca_pem` is what a client must trust."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        address: tuple[str, int],
        behaviour: Behaviour,
        *,
        record: Path | None = None,
        record_bodies: bool = False,
        hosts: Iterable[str] = HOSTS,
        ca_directory: Path | None = None,
    ) -> None:
        self.behaviour = behaviour
        self.record = Record(record)
        self.record_bodies = record_bodies
        self._tls, self.ca_pem = tls(hosts, ca_directory)
        super().__init__(address, Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake belongs to the connection's own thread, so that a slow client stops nobody else.
        try:
            request.settimeout(600)
            connection = self._tls.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError) as error:
            self.record.add(time=time.time(), method="TLS", path="", status=0, answer=str(error))
            return
        try:
            self.RequestHandlerClass(connection, client_address, self)  # type: ignore[arg-type]
        except (ConnectionError, ssl.SSLError, TimeoutError):
            return  # a client that leaves in the middle is no news
        finally:
            connection.close()


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    keys = Keys()
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--directory", type=Path, required=True, help="keeps the CA (stand-in-ca.pem)")
    parser.add_argument("--host", action="append", default=[], help="one more name or address to serve")
    parser.add_argument("--record", type=Path, help="append what is seen here, one JSON object a line")
    parser.add_argument("--record-bodies", action="store_true")
    parser.add_argument("--script", type=Path, help=answers.Script.from_json.__doc__)
    parser.add_argument("--step-delay", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--anthropic-key", default=keys.anthropic)
    parser.add_argument("--anthropic-oauth", default=keys.anthropic_oauth)
    parser.add_argument("--openai-key", default=keys.openai)
    parser.add_argument("--google-key", default=keys.google)
    parser.add_argument("--chatgpt-token", default=keys.chatgpt)
    parser.add_argument("--google-token", default=keys.google_login)
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    options = _arguments(argv)
    script = answers.Script()
    if options.script is not None:
        script = answers.Script.from_json(options.script.read_text())
    given = (options.anthropic_key, options.anthropic_oauth, options.openai_key, options.google_key)
    keys = Keys(*given, options.chatgpt_token, options.google_token)
    bound = [options.bind] if _is_address(options.bind) and options.bind != "0.0.0.0" else []
    server = Server(
        (options.bind, options.port),
        Behaviour(script, keys, options.step_delay),
        record=options.record,
        record_bodies=options.record_bodies,
        hosts=dict.fromkeys([*HOSTS, *bound, *options.host]),
        ca_directory=options.directory,
    )
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: threading.Thread(target=server.shutdown).start())
    print(
        json.dumps({"port": server.server_address[1], "ca": str(options.directory / "stand-in-ca.pem")}),
        flush=True,
    )
    server.serve_forever()
    return 0


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
