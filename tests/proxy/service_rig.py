"""A real service on loopback with a home of its own, an upstream that echoes, and a client through a session's port."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from clauderon import config
from clauderon.config.schema import Config
from clauderon.paths import Home
from clauderon.proxy import service
from clauderon.proxy.status import ServiceStatus
from clauderon.record import Session
from clauderon.store import Store

# Only a hang gets here.
DEADLINE_S = 60.0
CANARY = "sk-ant-test-not-a-real-key-0001"


def eventually(check: Callable[[], Any], what: str = "condition") -> Any:
    """The first true answer of `check`, asked again and again."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.02)


class _Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out in two writes

    def _answer(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        self.server.seen.append((self.path, dict(self.headers.items()), body))  # type: ignore[attr-defined]
        answer = json.dumps({"path": self.path, "length": len(body)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, *_arguments: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, *_arguments: object) -> None:
        pass  # a client that was killed is what these tests are about


@dataclass
class Upstream:
    """seen: (path, headers, body) of each request. ca_file: what to trust it by."""

    port: int
    ca_file: Path
    seen: list[tuple[str, dict[str, str], bytes]]


@contextlib.contextmanager
def upstream(directory: Path, *names: str) -> Iterator[Upstream]:
    """A TLS server for `names` that answers every request with its path and length."""
    ca = trustme.CA()
    ca_file = directory / "upstream-ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    server = _Server(("127.0.0.1", 0), _Echo)
    server.seen = []  # type: ignore[attr-defined]
    # Handshakes in the connection's own thread, so that one client that says nothing holds nobody up.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Upstream(server.server_address[1], ca_file, server.seen)  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(DEADLINE_S)


class Service:
    """One home and its service. `environ` is what commands are started with."""

    def __init__(self, home: Home, ports: range, environ: Mapping[str, str]) -> None:
        self.home = home
        self.ports = ports
        self.environ = dict(environ)
        self.configure()

    def configure(self, text: str = "", *, port: int | None = None, **proxy: object) -> None:
        lines = [
            f"{key} = {json.dumps(value) if not isinstance(value, dict) else _table(value)}"
            for key, value in proxy.items()
        ]
        self.home.config.write_text(
            f'[proxy]\nport = {port or self.port}\nsession_ports = "{self.ports[4]}-{self.ports[-1]}"\n'
            + "\n".join(lines)
            + f"\n{text}"
        )

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def config(self) -> Config:
        return config.load(self.home, self.environ)

    def ensure(self) -> ServiceStatus:
        return service.ensure(self.home, self.config, self.environ)

    def reload(self, session: str | None = None) -> ServiceStatus:
        found = service.reload(self.home, self.config, self.environ, session)
        assert found is not None
        return found

    def status(self) -> ServiceStatus:
        found = service.status(self.home)
        assert found is not None
        return found

    def session(self, name: str, **changes: Any) -> Session:
        """A new row; the service is not told."""
        now = time.time()
        row = Session(
            id=f"{abs(hash(name)) % 16**12:012x}",
            name=name,
            state="running",
            step="",
            port=0,
            repo="/repo",
            git_dir="/repo/.git",
            branch=f"clauderon/{name}",
            base="0" * 40,
            agent="claude",
            image="image",
            ip="127.0.0.1",  # where the tests' clients come from
            created_at=now,
            updated_at=now,
        )
        with Store.open(self.home) as store:
            return store.add(row.changed(**changes), self.config.proxy.session_port_range)

    def request(
        self,
        session: Session,
        host: str,
        path: str = "/",
        *,
        method: str = "GET",
        body: bytes | None = None,
        **headers: str,
    ) -> tuple[int, bytes]:
        """One request in a tunnel of its own; status and body. Raises OSError if the proxy fails it."""
        with contextlib.closing(self.tunnel(session, host)) as connection:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def tunnel(self, session: Session, host: str) -> http.client.HTTPSConnection:
        """A tunnel through the session's port that trusts our CA and nothing else."""
        context = ssl.create_default_context(cafile=str(self.home.ca_cert))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", session.port, timeout=DEADLINE_S, context=context
        )
        connection.set_tunnel(host, 443)
        return connection

    def log(self) -> str:
        path = self.home.logs / "proxy.log"
        return path.read_text() if path.exists() else ""

    def audit(self) -> list[dict[str, Any]]:
        path = self.home.audit
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _table(value: Mapping[str, str]) -> str:
    return "{ " + ", ".join(f"{json.dumps(key)} = {json.dumps(item)}" for key, item in value.items()) + " }"


@contextlib.contextmanager
def running(home: Home, ports: range, environ: Mapping[str, str] | None = None) -> Iterator[Service]:
    """Nothing is started yet; whatever runs at the end is stopped, with force if need be."""
    made = Service(home, ports, os.environ if environ is None else environ)
    try:
        yield made
    finally:
        print(made.log())  # shown with a failure
        service.stop(home)


def listening(address: str, port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex((address, port)) == 0
