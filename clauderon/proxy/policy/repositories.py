"""Say which repository a URL names, in one form for each repository. Pure: compares text, and asks nobody.

The form is `host/path`, with `:port` behind the host where it is not 443, and without `.git` at its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol
from urllib.parse import unquote

from clauderon.proxy.policy.hosts import HostError, parse_authority

USUAL_PORT = 443
# Nothing in a name that a server would rewrite before it looks for the repository.
NAME = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~+@-]+"
_PATH = re.compile(rf"{NAME}(?:/{NAME})*")
_SCP = re.compile(r"(?:[^@/:]+@)?([^@/:]+):(.+)")
# On these hosts upper and lower case name the same repository. Elsewhere they may name two.
_ANY_CASE = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org")


def of_url(url: str) -> str:
    """The repository that a remote's URL names; "" for one that no https request can name (a local path)."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        match = _SCP.fullmatch(url)
        return _form(match[1], USUAL_PORT, match[2]) if match is not None else ""
    authority, _, path = rest.partition("/")
    host = authority.rpartition("@")[2]
    if scheme.lower() == "https":
        return _form(host, None, path)
    # ssh has a port of its own; inside, such a URL becomes https on the usual one.
    return _form(host, USUAL_PORT, path) if scheme.lower() in ("ssh", "git+ssh", "git") else ""


class Remote(Protocol):
    """A remote, with where it is fetched from and pushed to."""

    @property
    def url(self) -> str:
        """Where it is fetched from."""

    @property
    def push_url(self) -> str:
        """Where it is pushed to."""


def of_remotes(remotes: Iterable[Remote]) -> tuple[str, ...]:
    """The repositories that these name, each once."""
    urls = (url for each in remotes for url in (each.url, each.push_url))
    return tuple(dict.fromkeys(filter(None, map(of_url, urls))))


def of_path(host: str, port: int, path: str) -> str:
    """The form of a repository on a normalised host; "" for a path that a server might read in another way."""
    path = path.strip("/")
    if _PATH.fullmatch(path) is None:
        return ""
    path = path.removesuffix(".git")
    if not path or path.endswith("/"):
        return ""
    if host in _ANY_CASE:
        path = path.lower()
    authority = f"[{host}]" if ":" in host else host
    return f"{authority}/{path}" if port == USUAL_PORT else f"{authority}:{port}/{path}"


def _form(authority: str, port: int | None, path: str) -> str:
    """port: None for the authority's own."""
    try:
        host, own = parse_authority(authority.encode("ascii"), USUAL_PORT)
    except (HostError, UnicodeEncodeError):
        return ""
    assert own is not None
    if "?" in path or "#" in path:
        return ""
    return of_path(host, own if port is None else port, unquote(path))
