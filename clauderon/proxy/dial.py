"""Open a connection to an upstream: resolve, guard the address, connect, go through an upstream proxy, verify TLS.

The only module of the data plane that resolves names or makes outgoing connections.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clauderon.config.schema import Proxy
from clauderon.errors import UsageError
from clauderon.proxy.addresses import canonical_address, guarded
from clauderon.proxy.hosts import HostError, format_authority, is_address, parse_authority
from clauderon.proxy.refusal import Problem
from clauderon.proxy.rules import Rules, Targets, parse_patterns
from clauderon.proxy.upstream import Key, Pool, Upstream

RESOLVE_S = 10.0
CONNECT_S = 10.0
TLS_S = 15.0
_RESOLVED_S = 5.0
_RESOLVED_KEPT = 1024

Resolved = tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]


@dataclass(frozen=True, slots=True)
class UpstreamProxy:
    """An HTTP proxy between us and the upstreams. `authorization` is the field's value, or empty."""

    host: str
    port: int
    authorization: bytes


def parse_upstream_proxy(text: str, origin: str) -> UpstreamProxy | None:
    """`http://[user:password@]host:port`; empty for none. Raises UsageError, which never shows the password."""
    if not text:
        return None
    url = text if "://" in text else f"http://{text}"
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError(origin, "only http://HOST:PORT is understood as an upstream proxy")
    try:
        host, port = parse_authority(parts.netloc.rpartition("@")[2].encode("ascii"), 80)
    except (HostError, UnicodeError) as error:
        raise UsageError(origin, str(error)) from None
    authorization = b""
    if parts.username is not None:
        user = urllib.parse.unquote(parts.username)
        password = urllib.parse.unquote(parts.password or "")
        authorization = b"Basic " + base64.b64encode(f"{user}:{password}".encode())
    assert port is not None
    return UpstreamProxy(host, port, authorization)


class Routes:
    """The settings that say how upstreams are reached. Raises UsageError for what cannot be understood."""

    def __init__(self, settings: Proxy, environ: Mapping[str, str]) -> None:
        try:
            self.targets = Targets(settings.connect_to, settings.passthrough)
        except (HostError, UnicodeError) as error:
            raise UsageError("[proxy] connect_to or passthrough", str(error)) from None
        self.context = upstream_context(settings.upstream_ca)
        lower = {name.lower(): value for name, value in environ.items() if name.lower().endswith("_proxy")}
        common = lower.get("all_proxy", "")
        if settings.upstream_proxy:
            self.proxies = dict.fromkeys(
                (True, False), parse_upstream_proxy(settings.upstream_proxy, "[proxy] upstream_proxy")
            )
        else:
            self.proxies = {
                True: parse_upstream_proxy(lower.get("https_proxy", common), "HTTPS_PROXY"),
                False: parse_upstream_proxy(lower.get("http_proxy", common), "HTTP_PROXY"),
            }
        self.direct_all, self.direct = _no_proxy(lower.get("no_proxy", ""))

    def proxy_for(self, secure: bool, host: str, port: int) -> UpstreamProxy | None:
        proxy = self.proxies[secure]
        if proxy is None or self.direct_all or any(p.matches(host, port) for p in self.direct):
            return None
        return proxy


def _no_proxy(text: str) -> tuple[bool, tuple]:  # type: ignore[type-arg]
    words = [word.strip() for word in text.split(",") if word.strip()]
    names = [word.removeprefix("*").removeprefix(".") for word in words if word != "*"]
    exact = parse_patterns(names, strict=False)
    below = parse_patterns((f"*.{name}" for name in names), strict=False)
    return "*" in words, exact + below


def upstream_context(upstream_ca: str) -> ssl.SSLContext:
    """The one client-side context: the system's roots and `upstream_ca`. Slow (22 ms), so made once.

    Raises UsageError if the file cannot be read.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if upstream_ca:
        try:
            context.load_verify_locations(cafile=upstream_ca)
        except (OSError, ssl.SSLError) as error:
            raise UsageError("[proxy] upstream_ca", f"{upstream_ca} cannot be read: {error}") from None
    return context


class Dialler:
    """Opens upstream connections for every session. `own` says whether an address and port is our own listener."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, routes: Routes, pool: Pool, own: Callable[[str, int], bool]
    ) -> None:
        self.loop = loop
        self.routes = routes
        self.pool = pool
        self.own = own
        self._resolved: dict[tuple[str, int], tuple[float, list[Resolved]]] = {}

    async def open(self, key: Key, rules: Rules, *, raw: bool = False) -> Upstream:
        """A connected upstream, secured if the key says so and not `raw`. Raises Problem."""
        wire = await self._reach(key, rules, raw)
        if not key.secure or raw:
            return wire
        try:
            async with asyncio.timeout(TLS_S):
                await wire.secure_for(self.routes.context, key.host)
        except TimeoutError:
            wire.abort()
            raise Problem(504, "upstream-timeout", f"{key.host} did not complete the TLS handshake") from None
        except ssl.SSLCertVerificationError as error:
            raise _certificate_problem(key.host, error) from None
        except ssl.SSLError as error:
            reason = error.reason or str(error)
            raise Problem(502, "upstream-tls", f"TLS with {key.host} failed: {reason}") from None
        except OSError as error:
            raise Problem(502, "upstream-tls", f"TLS with {key.host} failed: {_text(error)}") from None
        except BaseException:
            wire.abort()
            raise
        return wire

    async def _reach(self, key: Key, rules: Rules, raw: bool) -> Upstream:
        target = rules.targets.dial(key.host, key.port)
        proxy = None if target.named else self.routes.proxy_for(key.secure or raw, key.host, key.port)
        if proxy is None:
            return await self._connect(key, target.host, target.port, None if target.named else rules)
        if is_address(key.host) and (problem := rules.address_problem(key.host, key.port)):
            raise Problem(403, "address-guard", problem.problem or "", problem.fix, True, problem.rule)
        if key.host == "localhost" or key.host.endswith(".localhost"):
            raise Problem(
                403, "address-guard", f"{key.host} is guarded (loopback)", "", True, "address-guard"
            )
        wire = await self._connect(key, proxy.host, proxy.port, None)
        if key.secure or raw:
            await wire.tunnel_through(format_authority(key.host, key.port), proxy.authorization)
        else:
            wire.via = proxy.authorization
        return wire

    async def _connect(self, key: Key, host: str, port: int, guard: Rules | None) -> Upstream:
        """Connect to the first address that accepts; `guard`'s rules apply to the very address dialled."""
        failure: Problem | None = None
        for family, address in await self._resolve(host, port):
            text = canonical_address(str(address[0]))
            if self.own(text, port):
                what = f"{key.host} leads back to clauderon's own proxy"
                raise Problem(403, "address-guard", what, "", True, "address-guard")
            if guard is not None and (verdict := guard.address_problem(text, key.port)):
                what = verdict.problem or ""
                if text != key.host:
                    what = f"{key.host} resolves to an address that is not open to it: {what}"
                failure = Problem(403, "address-guard", what, verdict.fix, True, verdict.rule)
                continue
            sock: socket.socket | None = None
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
                sock.setblocking(False)
                async with asyncio.timeout(CONNECT_S):
                    await self.loop.sock_connect(sock, address)
                if guard is not None and _is_self(sock) and guarded(text) is None:
                    what = f"{key.host} is this machine itself"
                    raise Problem(403, "address-guard", what, "", True, "address-guard")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                _, wire = await self.loop.create_connection(
                    lambda: Upstream(self.loop, key, self.pool), sock=sock
                )
                self.pool.wires.add(wire)
                return wire
            except TimeoutError:
                failure = Problem(504, "upstream-timeout", f"{key.host} did not accept a connection in time")
            except OSError as error:
                failure = Problem(502, "upstream-connect", f"connecting to {key.host} failed: {_text(error)}")
            except BaseException:
                if sock is not None:
                    sock.close()
                raise
            if sock is not None:
                sock.close()
        raise failure or Problem(502, "upstream-dns", f"{key.host} has no address")

    async def _resolve(self, host: str, port: int) -> list[Resolved]:
        if is_address(host):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return [(family, (host, port))]
        now = self.loop.time()
        known = self._resolved.get((host, port))
        if known is not None and known[0] > now:
            return known[1]
        try:
            async with asyncio.timeout(RESOLVE_S):
                answers = await self.loop.getaddrinfo(
                    host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
                )
        except TimeoutError:
            raise Problem(504, "upstream-dns", f"the name {host} was not resolved in time") from None
        except (OSError, UnicodeError) as error:
            raise Problem(
                502, "upstream-dns", f"the name {host} cannot be resolved: {_text(error)}"
            ) from None
        found: list[Resolved] = [(family, address) for family, _, _, _, address in answers]
        if len(self._resolved) >= _RESOLVED_KEPT:
            self._resolved.clear()
        self._resolved[host, port] = (now + _RESOLVED_S, found)
        return found


def _is_self(sock: socket.socket) -> bool:
    """A connection whose two ends have the same address never left this machine."""
    try:
        return bool(sock.getsockname()[0] == sock.getpeername()[0])
    except OSError:
        return False


def _text(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


_CERTIFICATE_WORDS = {
    10: ("certificate has expired", "check this machine's clock, or tell the owner of the host"),
    9: ("certificate is not yet valid", "check this machine's clock"),
    18: ("certificate is self-signed", "if it is yours, put it in the file named by [proxy] upstream_ca"),
    19: (
        "certificate chain ends in an unknown root",
        "put that root in the file named by [proxy] upstream_ca",
    ),
    20: ("certificate is from an unknown issuer", "put the issuer in the file named by [proxy] upstream_ca"),
    62: ("certificate is for another host", "check the name, or [proxy] connect_to"),
    64: ("certificate is for another address", "check the address, or [proxy] connect_to"),
}


def _certificate_problem(host: str, error: ssl.SSLCertVerificationError) -> Problem:
    words, fix = _CERTIFICATE_WORDS.get(error.verify_code, (f"certificate: {error.verify_message}", ""))
    return Problem(502, "upstream-certificate", f"{host} was not trusted: its {words}", fix)
