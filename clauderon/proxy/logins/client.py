"""What we know of a client that keeps a login on the host, one value for each. Reads and sends nothing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

Content = dict[str, Any]
# Milliseconds, some three thousand years of them: what a date can be made of.
_MOST = 1e14


class Login(NamedTuple):
    """A login as its client keeps it. Printing it shows no secret.

    access: the token that is lent. refresh: what renews it; empty where nothing does.
    expires_at: by this machine's clock; None for a token that does not expire by itself.
    account: what the client names beside the token, or empty. plan: what may be told inside: no secret, no name.
    """

    access: str
    refresh: str = ""
    expires_at: float | None = None
    account: str = ""
    plan: Mapping[str, Any] = MappingProxyType({})

    def __repr__(self) -> str:
        return f"Login(expires_at={self.expires_at!r})"


class Asking(NamedTuple):
    """A request to an issuer's token endpoint. It holds a refresh token: never printed, never logged."""

    host: str
    path: str
    content_type: str
    body: bytes

    def __repr__(self) -> str:
        return f"Asking({self.host!r}, {self.path!r})"


class Installed(NamedTuple):
    """Where a client's own program may lie: on the PATH of `environ`, or among the agents that we fetched."""

    environ: Mapping[str, str]
    agents: Path | None = None


class Lacking(Exception):
    """A login cannot be renewed without its client's program, which is not there. The text says so, for people."""


def _no_locks(_path: Path) -> tuple[Path, ...]:
    return ()


class Client(NamedTuple):
    """A client with a login on the host.

    title: its name for people. again: what they type to log in again.
    path: where the login lies, by the environment. keychain: the item on macOS where there is no file, or None.
    parse: the login in the file's content, None where there is none in it.
    asking: the request that renews it. Raises Lacking.
    renewed: the content with an answer's tokens in it, and all else as it was; `now` is when the answer came. Raises
    ValueError for an answer without a token.
    locks: directories that the client itself makes while it renews. endpoints: host to paths where it asks.
    answer: what its own call to these is answered inside, by the plan, with no secret in it.
    """

    name: str
    title: str
    again: str
    path: Callable[[Mapping[str, str]], Path | None]
    parse: Callable[[Content], Login | None]
    asking: Callable[[Login, Installed], Asking]
    renewed: Callable[[Content, Mapping[str, Any], float], Content]
    endpoints: Mapping[str, tuple[str, ...]]
    answer: Callable[[Mapping[str, Any]], Content]
    keychain: Callable[[Mapping[str, str]], str] | None = None
    locks: Callable[[Path], tuple[Path, ...]] = _no_locks


def home_of(environ: Mapping[str, str], variable: str, default: str) -> Path | None:
    """The directory that `variable` names, else `default` below HOME; None without either, and for a relative one."""
    named = environ.get(variable) or (f"{environ['HOME']}/{default}" if environ.get("HOME") else "")
    return Path(named) if named.startswith("/") else None


def text_of(content: Mapping[str, Any], key: str) -> str:
    """A filled text of a table, or empty: whatever else is there is no token."""
    value = content.get(key)
    return value if isinstance(value, str) else ""


def number_of(content: Mapping[str, Any], key: str) -> float | None:
    """A number of a table that can be a time or a duration, or None."""
    value = content.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not -_MOST < value < _MOST:
        return None
    return float(value)


def claims_of(token: str) -> Content:
    """What a JWT says, unverified: its issuer gave it to this machine. Empty for what is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        data = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        found = json.loads(data)
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
