"""One rule on a session's requests, as `[[network.rules]]` and `--rule` have it: read, written and joined. Pure.

As a text: `allow GET,HEAD api.example.com /v1/** credential=NAME`. Methods, paths and the credential may be left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from clauderon import grammar

ACTIONS = ("allow", "deny")
# Between two lists of rules in one: what is let through must be let through by both.
AND = "and"
_METHODS = r"[A-Z][A-Z-]*(?:,[A-Z][A-Z-]*)*"
_PATH = r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]*)+"
_CREDENTIAL = r"[a-z0-9][a-z0-9_-]*"
_KEYS = ("action", "host", "methods", "paths", "credential")


class NetRule(NamedTuple):
    """One rule. methods, paths: empty for any. credential: a name, of which the request must be lent the secret."""

    action: str
    host: str
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    credential: str = ""

    @property
    def is_for_all(self) -> bool:
        """Whether it is for every request to its host."""
        return not (self.methods or self.paths or self.credential)

    def text(self) -> str:
        """The rule in one line, as `parse` reads it."""
        credential = f"credential={self.credential}" if self.credential else ""
        return " ".join(
            filter(None, (self.action, ",".join(self.methods), self.host, *self.paths, credential))
        )


def parse(text: str) -> NetRule:
    """Raises ValueError with the reason in lower case."""
    words = text.split()
    if len(words) < 2 or words[0] not in ACTIONS:
        raise ValueError(f"{text!r} is not allow or deny, methods, a host and paths")
    action, *rest = words
    methods = tuple(rest.pop(0).split(",")) if re.fullmatch(_METHODS, rest[0]) else ()
    if not rest:
        raise ValueError(f"{text!r} names no host; write * for all")
    host, *rest = rest
    credential = ""
    if rest and rest[-1].startswith("credential="):
        credential = rest.pop().removeprefix("credential=") or "="
    return _checked(NetRule(action, host, methods, tuple(rest), credential))


def of_table(table: object) -> NetRule:
    """A table of `[[network.rules]]`. Raises ValueError with the reason in lower case."""
    if not isinstance(table, dict):
        raise ValueError(f"expected tables, found {grammar.type_name(table)}")
    for key in table:
        if key not in _KEYS:
            raise ValueError(f"{key!r} is not one of {', '.join(_KEYS)}")
    for key in ("action", "host"):
        if key not in table:
            raise ValueError(f"a rule needs {key!r}")
    action = grammar.text(table["action"])
    if action not in ACTIONS:
        raise ValueError(f"{action!r} is not one of allow, deny")
    methods, paths = (_texts(table, key) for key in ("methods", "paths"))
    return _checked(
        NetRule(
            action, grammar.text(table["host"]), methods, paths, grammar.text(table.get("credential", ""))
        )
    )


def groups(rules: Iterable[str]) -> list[tuple[str, ...]]:
    """The lists that are joined in one; one empty list for none at all."""
    found: list[list[str]] = [[]]
    for rule in rules:
        if rule == AND:
            found.append([])
        else:
            found[-1].append(rule)
    return [tuple(each) for each in found]


def joined(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The reverse of `groups`, each list once."""
    found: list[str] = []
    for number, each in enumerate(dict.fromkeys(lists)):
        found += [AND, *each] if number else each
    return tuple(found)


def narrower(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """What lets through no more than either."""
    return joined([*groups(one), *groups(other)])


def _checked(rule: NetRule) -> NetRule:
    for method in rule.methods:
        if not re.fullmatch(_METHODS, method):
            raise ValueError(f"{method!r} is not a method in upper case")
    for path in rule.paths:
        if not re.fullmatch(_PATH, path) or "//" in path:
            raise ValueError(f"{path!r} is not a path like /v1/**, without encodings, '..', '?' and spaces")
        if any("**" in segment and segment != "**" for segment in path.split("/")):
            raise ValueError(f"{path!r}: ** is a whole segment of a path")
    if rule.credential and not re.fullmatch(_CREDENTIAL, rule.credential):
        raise ValueError(f"{rule.credential!r} is not the name of a credential")
    return rule._replace(host=grammar.destination(rule.host))


def _texts(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{key}: expected a list of strings, found {grammar.type_name(value)}")
    return tuple(grammar.filled(item) for item in value)
