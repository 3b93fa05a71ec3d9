"""From what a session asked for to the shortest list that admits it. Pure; reads no file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

# Paths that mean the same to every server and can be written in a rule.
_PLAIN = re.compile(r"(?:/(?!\.{0,2}/|\.{1,2}\Z)[A-Za-z0-9._~!$&'()*+,=:@-]*)+")
_METHOD = re.compile(r"[A-Z][A-Z-]*")
_USUAL = {80, 443}
# Nobody's work depends on these.
_TELEMETRY = re.compile(
    r"(?:.+\.)?(?:statsig\.(?:com|anthropic\.com)|sentry\.io|datadoghq\.com|segment\.io|play\.googleapis\.com)|telemetry\..+"
)


class Asked(NamedTuple):
    """One kind of request of the audit, and how often it came. path: None where nobody looked into its tunnel."""

    host: str
    port: int
    method: str
    path: str | None
    credential: str
    refused: bool
    failed: bool
    times: int
    rule: str = ""


class Line(NamedTuple):
    """One line of a list: a host or a rule, for how many requests; `mark` says why it may not be needed."""

    text: str
    requests: int
    mark: str = ""


def asked(records: Iterable[Mapping[str, Any]]) -> list[Asked]:
    """The audit's records (`audit.reader`), alike ones together; those that are about no host are left out."""
    found: dict[Asked, int] = {}
    for record in records:
        host, port = record.get("host"), record.get("port")
        if (
            record.get("kind") not in ("request", "upgrade", "tunnel")
            or not host
            or not isinstance(port, int)
        ):
            continue
        seen = record["kind"] != "tunnel" and record.get("method") != "CONNECT" and not record.get("cut")
        one = Asked(
            str(host), port, str(record.get("method", "")), str(record.get("path", "")) if seen else None,
            str(record.get("credential") or ""), bool(record.get("refused")),
            bool(record.get("error")) or int(record.get("status") or 0) >= 400, 0, str(record.get("rule", "")),
        )  # fmt: skip
        found[one] = found.get(one, 0) + 1 + int(record.get("repeated") or 0)
    return [one._replace(times=times) for one, times in found.items()]


def lines(found: Iterable[Asked], *, paths: bool) -> list[Line]:
    """The list that admits all of it that was not refused. paths: rules with methods and paths, instead of hosts."""
    passed: dict[str, list[Asked]] = {}
    for one in found:
        if not one.refused:
            passed.setdefault(one.host, []).append(one)
    made = []
    for host, those in sorted(passed.items()):
        name = _name(host, {one.port for one in those})
        if not paths:
            made.append(_line(name, host, those))
            continue
        made += [_line(_rule(name, group, path), host, group) for path, group in _by_path(those)]
    return made


def refused(found: Iterable[Asked]) -> list[Line]:
    """What was refused, for a person to see: no line admits it."""
    counts: dict[tuple[str, str], int] = {}
    for one in found:
        if one.refused:
            counts[one.host, one.rule] = counts.get((one.host, one.rule), 0) + one.times
    return [Line(host, count, f"refused: {rule}") for (host, rule), count in sorted(counts.items())]


def parse(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The hosts and the rules of a list as it is printed; `#` begins a comment."""
    kept = [line.partition("#")[0].strip() for line in text.splitlines()]
    rules = tuple(line for line in kept if line.startswith(("allow ", "deny ")))
    return tuple(line for line in kept if line and line not in rules), rules


def _line(text: str, host: str, those: list[Asked]) -> Line:
    mark = "telemetry" if _TELEMETRY.fullmatch(host) else ""
    if all(one.failed for one in those):
        mark = "only failed"
    return Line(text, sum(one.times for one in those), mark)


def _name(host: str, ports: set[int]) -> str:
    """The host, with its port where that is a single unusual one."""
    port = next(iter(ports))
    if len(ports) > 1 or port in _USUAL or not 0 < port < 65536:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _by_path(those: list[Asked]) -> list[tuple[str, list[Asked]]]:
    """Patterns of paths of which none is about another's requests; "" for the whole host."""
    if not all(_plain(one) for one in those):
        return [("", those)]
    groups: dict[str, list[Asked]] = {}
    for one in those:
        assert one.path is not None
        groups.setdefault(one.path.split("/")[1], []).append(one)
    return [(_pattern([one.path or "" for one in group]), group) for _, group in sorted(groups.items())]


def _plain(one: Asked) -> bool:
    """Whether a rule with a path can be about it: one is not where its method is in lower case."""
    path = one.path
    return (
        path is not None
        and bool(_PLAIN.fullmatch(path))
        and "**" not in path
        and one.method == one.method.upper()
    )


def _pattern(paths: list[str]) -> str:
    distinct = sorted({path.rstrip("/") for path in paths})
    if len(distinct) == 1:
        return f"{distinct[0]}/**" if distinct[0] and f"{distinct[0]}/" in paths else distinct[0] or "/"
    split = [path.split("/") for path in distinct]
    common = []
    for segments in zip(*split, strict=False):
        if len(set(segments)) > 1:
            break
        common.append(segments[0])
    return "/".join(common) + "/**"


def _rule(name: str, those: list[Asked], path: str) -> str:
    methods = {one.method for one in those}
    if "GET" in methods:
        methods.discard("HEAD")
    known = all(_METHOD.fullmatch(method) and method != "CONNECT" for method in methods)
    known = known and all(one.path is not None for one in those)
    return " ".join(filter(None, ("allow", ",".join(sorted(methods)) if known else "", name, path)))
