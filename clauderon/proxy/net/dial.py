"""Open a connection to an upstream: resolve, guard the address, connect, go through an upstream proxy, verify TLS.

The only module of the data plane that makes outgoing connections.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable

from clauderon.proxy.http.problem import HTTP2_FIX, Problem
from clauderon.proxy.net.pool import Pool
from clauderon.proxy.net.resolver import Resolved, Resolver
from clauderon.proxy.net.routes import Routes, UpstreamProxy
from clauderon.proxy.net.turns import Turn
from clauderon.proxy.net.upstream import Key, Upstream
from clauderon.proxy.policy.addresses import canonical_address, guarded
from clauderon.proxy.policy.hosts import format_authority, is_address
from clauderon.proxy.policy.rules import Rules, Verdict

CONNECT_S = 10.0
TLS_S = 15.0
GLANCE_S = 1.0  # how long an address is looked for behind an upstream proxy, where this machine may not know the name
_UNKNOWN_S = 60.0  # how long it is not looked for again
_UNKNOWN = 1024

# Names that lead to guarded addresses wherever they lead anywhere. Where an upstream proxy looks names up, this machine
# may know none of them.
_GUARDED = frozenset(
    {"localhost", "ip6-localhost", "ip6-loopback", "host.docker.internal", "gateway.docker.internal"}
    | {"metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)


class Dialler:
    """Opens upstream connections for every session. `own` says whether an address and port is our own listener."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, routes: Routes, pool: Pool, own: Callable[[str, int], bool]
    ) -> None:
        self.loop = loop
        self.routes = routes
        self.pool = pool
        self.own = own
        # These calls are all that it asks of the network.
        self.resolver = Resolver(loop)
        self.sock_connect = loop.sock_connect
        self._unknown: dict[str, float] = {}

    async def open(self, key: Key, rules: Rules, turn: Turn | None = None, *, raw: bool = False) -> Upstream:
        """A connected upstream, secured if the key says so and not `raw`. turn: whose work it is. Raises Problem."""
        while True:
            generation = self.pool.generation
            wire = await self._reach(key, rules, turn, raw)
            wire.generation = generation  # the settings may have changed on the way
            if not key.secure or raw:
                return wire
            try:
                await self._secure(key, wire)
            except Problem as problem:
                # A session that the upstream will not take up again (it should begin a new one, and some do not) is
                # no reason to refuse: the next handshake offers none.
                if not wire.resumes or problem.code != "upstream-tls":
                    raise
            else:
                return wire

    async def _secure(self, key: Key, wire: Upstream) -> None:
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
            if "NO_APPLICATION_PROTOCOL" in reason.upper().replace(" ", "_"):
                what = f"{key.host} does not speak HTTP/1.1, perhaps only HTTP/2"
                raise Problem(502, "upstream-http2", what, HTTP2_FIX.format(key.host)) from None
            raise Problem(502, "upstream-tls", f"TLS with {key.host} failed: {reason}") from None
        except OSError as error:
            raise Problem(502, "upstream-tls", f"TLS with {key.host} failed: {_text(error)}") from None
        except BaseException:
            wire.abort()
            raise

    async def _reach(self, key: Key, rules: Rules, turn: Turn | None, raw: bool) -> Upstream:
        target = rules.targets.dial(key.host, key.port)
        proxy = self.proxy_for(key, rules, raw=raw)
        if proxy is None:
            return await self._connect(key, target.host, target.port, turn, None if target.named else rules)
        if is_address(key.host) and (problem := rules.address_problem(key.host, key.port)):
            raise Problem(403, "address-guard", problem.problem or "", problem.fix, True, problem.rule)
        if key.host in _GUARDED or key.host.endswith(".localhost"):
            what = f"{key.host} is guarded (the host itself, or a cloud's metadata)"
            raise Problem(403, "address-guard", what, "", True, "address-guard")
        await self._glance(key, rules)
        wire = await self._connect(key, proxy.host, proxy.port, turn, None)
        if key.secure or raw:
            await wire.tunnel_through(format_authority(key.host, key.port), proxy.authorization)
        else:
            wire.via, wire.needles = proxy.authorization, proxy.needles
        return wire

    def proxy_for(self, key: Key, rules: Rules, *, raw: bool = False) -> UpstreamProxy | None:
        """The upstream proxy in between, if there is one."""
        proxy = self.routes.proxy_for(key.secure or raw, key.host, key.port)
        return None if proxy is None or rules.targets.dial(key.host, key.port).named else proxy

    async def _glance(self, key: Key, rules: Rules) -> None:
        """Refuse a name that leads to addresses closed to it alone, as far as this machine can tell. Raises Problem.

        The upstream proxy looks it up once more and may find something else: that is for its own rules.
        """
        now = self.loop.time()
        if is_address(key.host) or self._unknown.get(key.host, 0.0) > now:
            return
        try:
            async with asyncio.timeout(GLANCE_S):
                found = await self.resolver.look_up(key.session, key.host, key.port)
        except (OSError, UnicodeError):  # a TimeoutError is an OSError
            if len(self._unknown) >= _UNKNOWN:
                self._unknown.clear()
            self._unknown[key.host] = now + _UNKNOWN_S
            return
        verdicts = [rules.address_problem(canonical_address(str(to[0])), key.port) for _, to in found]
        first = verdicts[0] if verdicts and all(verdicts) else None
        if first is not None:
            raise _closed(key.host, first)

    async def _connect(
        self, key: Key, host: str, port: int, turn: Turn | None, guard: Rules | None
    ) -> Upstream:
        """Connect to the first address that accepts; `guard`'s rules apply to the very address dialled."""
        failure: Problem | None = None
        for family, address in await self._resolve(key, host, port):
            text = canonical_address(str(address[0]))
            if self.own(text, port):
                what = f"{key.host} leads back to clauderon's own proxy"
                raise Problem(403, "address-guard", what, "", True, "address-guard")
            if guard is not None and (verdict := guard.address_problem(text, key.port)):
                failure = _closed(key.host if text != key.host else "", verdict)
                continue
            sock: socket.socket | None = None
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
                sock.setblocking(False)
                async with asyncio.timeout(CONNECT_S):
                    await self.sock_connect(sock, address)
                if guard is not None and _is_self(sock) and guarded(text) is None:
                    what = f"{key.host} is this machine itself"
                    raise Problem(403, "address-guard", what, "", True, "address-guard")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                _, wire = await self.loop.create_connection(
                    lambda: Upstream(self.loop, key, self.pool, turn), sock=sock
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

    async def _resolve(self, key: Key, host: str, port: int) -> list[Resolved]:
        if is_address(host):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return [(family, (host, port))]
        try:
            return await self.resolver.look_up(key.session, host, port)
        except TimeoutError:
            raise Problem(504, "upstream-dns", f"the name {host} was not resolved in time") from None
        except (OSError, UnicodeError) as error:
            raise Problem(
                502, "upstream-dns", f"the name {host} cannot be resolved: {_text(error)}"
            ) from None


def _closed(name: str, verdict: Verdict) -> Problem:
    """The refusal of a guarded address. name: what led to it; empty where the address itself was asked for."""
    what = verdict.problem or ""
    if name:
        what = f"{name} resolves to an address that is not open to it: {what}"
    return Problem(403, "address-guard", what, verdict.fix, True, verdict.rule)


def _is_self(sock: socket.socket) -> bool:
    """A connection whose two ends have the same address never left this machine."""
    try:
        return bool(sock.getsockname()[0] == sock.getpeername()[0])
    except OSError:
        return False


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
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
