"""The dashboard from where it must not be reached: a session's container, directly and through its proxy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.standins.engine import Engine

pytestmark = pytest.mark.live


class _Reached(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"reached a port of all addresses")

    def log_message(self, *_words: object) -> None:
        """Nothing."""


@pytest.fixture
def everywhere() -> Iterator[int]:
    """A server that containers do reach, so that a failure to reach is no typing error."""
    server = HTTPServer(("0.0.0.0", 0), _Reached)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_no_container_reaches_it(engine: Engine, everywhere: int) -> None:
    """With the server on 0.0.0.0 the gateway's address was seen to lead to it, and to its 403."""
    engine.scripted()
    engine.repo()
    engine.create("one")
    with engine.cli.popen("dashboard", "--quiet") as child:
        assert child.stdout is not None
        try:
            port = int(child.stdout.readline().decode().split(":")[2].split("/")[0])
            networks = engine.inspect("one")["NetworkSettings"]["Networks"]
            gateway = networks[engine.network]["Gateway"]
            direct = "curl -sS -m 3 --noproxy '*'"
            assert "reached" in engine.inside("one", f"{direct} http://{gateway}:{everywhere}/ 2>&1")
            ways = [
                f"{direct} http://{host}:{port}/" for host in (gateway, "127.0.0.1", "host.docker.internal")
            ]
            ways += [f"curl -sS -m 3 http://{host}:{port}/" for host in (gateway, "127.0.0.1", "localhost")]
            for way in ways:
                said = engine.inside("one", f"{way} 2>&1 || :")
                assert said
                assert "clauderon dashboard" not in said, way
        finally:
            child.terminate()
            child.communicate(timeout=20)
