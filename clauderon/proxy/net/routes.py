"""How upstreams are reached: connect_to, upstream proxies, whom to trust. Settings made ready; no I/O but that file."""

from __future__ import annotations

import base64
import ssl
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clauderon import files, tls
from clauderon.config.schema import Proxy
from clauderon.errors import UsageError
from clauderon.proxy.http.needles import SHORTEST, Needles
from clauderon.proxy.policy.hosts import HostError, parse_authority
from clauderon.proxy.policy.rules import Pattern, Targets, parse_patterns


@dataclass(frozen=True, slots=True)
class UpstreamProxy:
    """An HTTP proxy between us and the upstreams. `authorization` is the field's value, or empty.

    needles: the forms of its password that must not come back to a container; None without one.
    """

    host: str
    port: int
    authorization: bytes = field(default=b"", repr=False)
    needles: Needles | None = field(default=None, repr=False)


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
    authorization, needles = b"", None
    if parts.username is not None:
        user = urllib.parse.unquote(parts.username)
        password = urllib.parse.unquote(parts.password or "")
        basic = base64.b64encode(f"{user}:{password}".encode())
        authorization = b"Basic " + basic
        needles = _needles(user, password, basic.decode())
    assert port is not None
    return UpstreamProxy(host, port, authorization, needles)


def _needles(user: str, password: str, basic: str) -> Needles | None:
    """A password that cannot be looked for by itself is looked for in the form it is sent in."""
    if password.isascii() and len(password) >= SHORTEST:
        return Needles(password, user)
    return Needles(basic) if len(basic) >= SHORTEST else None


# Path, inode, time of the last change and size of each file of roots.
Trusted = tuple[tuple[str, int, int, int], ...]


class Routes:
    """The settings that say how upstreams are reached. Raises UsageError for what cannot be understood."""

    def __init__(self, settings: Proxy, environ: Mapping[str, str], before: Routes | None = None) -> None:
        """before: the routes in force; their context is kept if it trusts the same file."""
        try:
            self.targets = Targets(settings.connect_to, settings.passthrough)
        except (HostError, UnicodeError) as error:
            raise UsageError("[proxy] connect_to or passthrough", str(error)) from None
        self._upstream_ca = settings.upstream_ca
        self.trusted = _identity(
            settings.upstream_ca
        )  # before it is read: a change meanwhile is seen afterwards
        self.context: ssl.SSLContext
        if before is not None and before.trusted == self.trusted:
            self.context = before.context
        else:
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

    def trusted_now(self) -> Trusted:
        """Another value than `trusted` once the roots on the disk are other ones than those in force."""
        return _identity(self._upstream_ca)

    def proxy_for(self, secure: bool, host: str, port: int) -> UpstreamProxy | None:
        """The upstream proxy for a host and port; None to dial it directly."""
        proxy = self.proxies[secure]
        if proxy is None or self.direct_all or any(p.matches(host, port) for p in self.direct):
            return None
        return proxy


def _identity(upstream_ca: str) -> Trusted:
    """What changes when the file of that name or the system's roots do."""
    found: list[tuple[str, int, int, int]] = []
    for path in (upstream_ca, ssl.get_default_verify_paths().cafile or ""):
        try:
            status = Path(path).stat()
        except OSError:
            found.append((path, 0, 0, 0))
        else:
            found.append((path, status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _no_proxy(text: str) -> tuple[bool, tuple[Pattern, ...]]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    names = [word.removeprefix("*").removeprefix(".") for word in words if word != "*"]
    exact = parse_patterns(names, strict=False)
    below = parse_patterns((f"*.{name}" for name in names), strict=False)
    return "*" in words, exact + below


def upstream_context(upstream_ca: str) -> ssl.SSLContext:
    """The one client-side context: the system's roots and `upstream_ca`. Slow (22 ms), so made once.

    Raises UsageError if the file cannot be read.
    """
    context = tls.client_context()
    context.load_default_certs()
    if upstream_ca:
        try:
            context.load_verify_locations(cadata=files.read(upstream_ca).decode("ascii", "replace"))
        except (OSError, ValueError) as error:
            raise UsageError("[proxy] upstream_ca", f"{upstream_ca} cannot be read: {error}") from None
    return context
