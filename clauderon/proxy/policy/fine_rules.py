"""Decide on a request by rules finer than a host: its method, its path, the credential it is lent. Pure.

A path is compared in every way in which a server may read it. Where two ways lead to different answers, the request
is refused: nobody knows which of them the server takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from clauderon import netrules
from clauderon.proxy.http.request import RequestHead, split_target
from clauderon.proxy.policy import read_only

# A path that every server reads in one way.
_PLAIN = re.compile(rb"(?:/(?!\.{0,2}/|\.{1,2}\Z)[A-Za-z0-9._~!$&'()*+,=:@-]*)+")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_SLASH = re.compile(rb"%(2[Ff]|5[Cc])")
_SLASHES = re.compile(rb"/{2,}")
_PARAMETERS = re.compile(rb";[^/]*")
_MOST_READINGS = 128
_LONGEST = 4096  # of one path that servers read in several ways


class Unclear(ValueError):
    """Two servers may read the request differently. Its text says how."""


class FineRule(NamedTuple):
    """A rule, ready to be compared. text: as it was written. paths: None for any."""

    text: str
    allows: bool
    methods: frozenset[bytes]
    paths: re.Pattern[bytes] | None
    credential: str

    def matches(self, method: bytes, path: bytes, credential: str) -> bool:
        """Whether it is about this request; `path` in one of its readings."""
        if self.methods and method not in self.methods:
            return False
        if self.credential and self.credential != credential:
            return False
        return self.paths is None or self.paths.fullmatch(path) is not None


# The rules for one host, of each list that has to let a request through.
Lists = tuple[tuple[FineRule, ...], ...]


def compiled(rule: netrules.NetRule) -> FineRule:
    """A rule as it is compared. A rule for GET is for HEAD too, which shows less."""
    methods = {method.encode() for method in rule.methods}
    if b"GET" in methods:
        methods.add(b"HEAD")
    paths = re.compile(b"|".join(map(_expression, rule.paths)), re.DOTALL) if rule.paths else None
    return FineRule(rule.text(), rule.action == "allow", frozenset(methods), paths, rule.credential)


def decide(rules: tuple[FineRule, ...], head: RequestHead, credential: str) -> FineRule | None:
    """The first rule that is about the request; None if there is none. Raises Unclear."""
    target = split_target(head.target)
    path = b"?".join(target) if target[1] else target[0]
    overriding = read_only.override(path, read_only.fields_of(head))
    if overriding is not None:
        raise Unclear(f"there is {overriding}")
    if head.method != head.method.upper():
        raise Unclear("its method is not in upper case")  # Django, Werkzeug and others take `post` for POST
    found = [_first(rules, head.method, each, credential) for each in readings(target[0])]
    if len({None if rule is None else rule.allows for rule in found}) > 1:
        raise Unclear("its path can be read in two ways, and the rules tell them apart")
    return found[0]


def readings(path: bytes) -> list[bytes]:
    """Every path that a server may take this one for, its percent-encoding undone. Raises Unclear for too many."""
    if _PLAIN.fullmatch(path) is not None:
        bare = path.rstrip(b"/")
        return [path] if bare == path or not bare else [path, bare]
    first = unquote_to_bytes(path)
    if _CONTROL.search(first) is not None:
        raise Unclear("there is a control character in its path")
    if len(path) > _LONGEST:
        raise Unclear("its path is long, and can be read in several ways")
    # An encoded slash is one to some servers, and a letter of a name to others.
    kept = unquote_to_bytes(_SLASH.sub(rb"%25\1", path))
    found = dict.fromkeys((first, kept))
    waiting = list(found)
    while waiting:
        known = waiting.pop()
        for read in _WAYS:
            other = read(known)
            if other not in found:
                found[other] = None
                waiting.append(other)
        if len(found) > _MOST_READINGS:
            raise Unclear("its path can be read in too many ways")
    return list(found)


def _without_dots(path: bytes) -> bytes:
    """As RFC 3986 5.2.4 has it."""
    kept: list[bytes] = []
    segments = path.split(b"/")
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        if segment == b"..":
            if len(kept) > 1:
                kept.pop()
        elif segment != b".":
            kept.append(segment)
            continue
        if last:
            kept.append(b"")
    return b"/".join(kept) or b"/"


_WAYS: tuple[Callable[[bytes], bytes], ...] = (
    unquote_to_bytes,
    _without_dots,
    lambda path: path.replace(b"\\", b"/"),
    lambda path: _SLASHES.sub(b"/", path),
    lambda path: _PARAMETERS.sub(b"", path),
    lambda path: path.partition(b"?")[0] or b"/",
    lambda path: path.partition(b"#")[0] or b"/",
    lambda path: path.rstrip(b"/") or b"/",
)


def _first(rules: tuple[FineRule, ...], method: bytes, path: bytes, credential: str) -> FineRule | None:
    return next((rule for rule in rules if rule.matches(method, path, credential)), None)


def _expression(pattern: str) -> bytes:
    """`*` is any text within a segment, and something where it is a segment; `**` is any number of segments."""
    found = ""
    for segment in pattern.split("/")[1:]:
        if segment == "**":
            found += "(?:/.*)?"
        elif segment == "*":
            found += "/[^/]+"
        else:
            found += "/" + "[^/]*".join(map(re.escape, segment.split("*")))
    return found.encode() or b"/"
