"""Whether anything at all answers where npm goes, found while npm tries. npm itself tries for minutes.

Opens a connection and closes it; sends nothing.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from clauderon import proc
from clauderon.errors import ClauderonError

# After so long without a connection there is no network; npm that is slow to say where it goes has longer.
NO_NETWORK_S = 4.0
SLOW_NPM_S = 8.0
_PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "PROXY")
_PORTS = {"http": 80, "https": 443}


class Probe:
    """connected: the registry, or a proxy before it, took a connection; asked: it is known where they are."""

    def __init__(self, spec: str, environ: Mapping[str, str]) -> None:
        self.connected = threading.Event()
        self.asked = threading.Event()
        self._begun = time.monotonic()
        threading.Thread(target=self._look, args=(spec, environ), daemon=True).start()

    def gave_up(self) -> bool:
        """Whether to wait no longer: time is up, and nothing has answered."""
        wait_s = NO_NETWORK_S if self.asked.is_set() else SLOW_NPM_S
        return not self.connected.is_set() and time.monotonic() - self._begun > wait_s

    def _look(self, spec: str, environ: Mapping[str, str]) -> None:
        places = _places(spec, environ)
        self.asked.set()
        for place in places:
            # Each on its own: one that drops everything is not to hide the next.
            threading.Thread(target=self._connect, args=place, daemon=True).start()

    def _connect(self, host: str, port: int) -> None:
        with contextlib.suppress(OSError, UnicodeError):
            socket.create_connection((host, port), timeout=SLOW_NPM_S).close()
            self.connected.set()


def _places(spec: str, environ: Mapping[str, str]) -> list[tuple[str, int]]:
    """(host, port) of everything npm may go to for a package: its registry, and the proxies."""
    return list(
        dict.fromkeys(_parsed(url for ask in (_configured(spec, environ), _set(environ)) for url in ask))
    )


def _set(environ: Mapping[str, str]) -> list[str]:
    return [environ[name] for name in _PROXIES if environ.get(name)]


def _configured(spec: str, environ: Mapping[str, str]) -> list[str]:
    scope = spec.partition("/")[0] if spec.startswith("@") else ""
    keys = ["registry", "proxy", "https-proxy", *([f"{scope}:registry"] if scope else [])]
    try:
        said = proc.run(["npm", "config", "get", *keys], env=environ, cwd="/", timeout_s=SLOW_NPM_S).text
    except ClauderonError:
        return []
    return [line.partition("=")[2].strip() for line in said.splitlines()]


def _parsed(urls: Iterator[str]) -> Iterator[tuple[str, int]]:
    for url in urls:
        with contextlib.suppress(ValueError):
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port or _PORTS.get(parts.scheme)
            if parts.hostname and port and parts.hostname not in ("null", "undefined"):
                yield parts.hostname, port
