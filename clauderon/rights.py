"""What narrows a session, in a small file beside it, so that a lost database does not widen anything.

The row stays the truth while there is one; nothing here decides a request. The file is never wider than the row: it
is written before a row that narrows and after one that widens, so a command killed between leaves the narrower.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clauderon import choices, files, limits
from clauderon.paths import Home

Rights = Mapping[str, Any]

_FILE = "rights.json"
_MOST_BYTES = 1 << 20


def _mode(one: str, other: str) -> str:
    return "read-write" if one == other == "read-write" else "read-only"


def _network(one: str, other: str) -> str:
    return "open" if one == other == "open" else "proxied"


def _allow(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """None lets everything through, or is every credential; of two lists, what is in both as it is written."""
    if one is None or other is None:
        return other if one is None else one
    return tuple(host for host in one if host in other)


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """What both have; nothing is needed for what neither may."""
    return tuple(item for item in one if item in other)


def _deny(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _rules(one: Any, other: Any) -> Any:
    from clauderon import netrules  # few sessions have any

    return netrules.narrower(one, other)


def _budget(one: str, other: str) -> str:
    """US dollars; empty for no bound."""
    return min(filter(None, (one, other)), key=float, default="")


def _timeout(one: float | None, other: float | None) -> float | None:
    return min((each for each in (one, other) if each is not None), default=None)


# Every field of a session that bounds what it may do, and how two values of it become the narrower.
NARROWER: Mapping[str, Callable[[Any, Any], Any]] = {
    "access_mode": _mode,
    "archived": lambda one, other: one or other,
    "network": _network,
    "allow": _allow,
    "deny": _deny,
    "remotes": _both,
    "rules": _rules,
    "credentials": _allow,
    "no_credentials": _deny,
    "budget": _budget,
    "timeout_s": _timeout,
}
# What a file of an earlier version lacks: the narrowest, or what no session could be denied then.
_ABSENT: Rights = {"remotes": [], "rules": [], "credentials": None, "no_credentials": []}
_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "access_mode": lambda value: value in choices.ACCESS_MODES,
    "archived": lambda value: isinstance(value, bool),
    "network": lambda value: value in choices.NETWORK_MODES,
    "allow": lambda value: value is None or _is_texts(value),
    "deny": lambda value: _is_texts(value),
    "remotes": lambda value: _is_texts(value),
    "rules": lambda value: _is_texts(value),
    "credentials": lambda value: value is None or _is_texts(value),
    "no_credentials": lambda value: _is_texts(value),
    "budget": lambda value: value == "" or (isinstance(value, str) and _is_amount(value)),
    "timeout_s": lambda value: value is None or (isinstance(value, (int, float)) and value > 0),
}


def of(record: Mapping[str, Any]) -> Rights:
    """The rights among the fields of a session."""
    return {name: record[name] for name in NARROWER}


def narrower(one: Rights, other: Rights) -> Rights:
    """What both let through."""
    return {name: narrow(one[name], other[name]) for name, narrow in NARROWER.items()}


def write(home: Home, session_id: str, rights: Rights, *, durable: bool = True) -> None:
    """Replace the session's file. durable: also survives a machine that loses its power now. Raises OSError."""
    path = _path(home, session_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(files.draft_name(path.parent, _FILE))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(draft, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump(dict(rights), file)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)
    if durable:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def read(home: Home, session_id: str) -> Rights | None:
    """What was written last; None where there is nothing, or nothing that can be believed whole."""
    try:
        descriptor = os.open(
            _path(home, session_id), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
        with open(descriptor, "rb") as file:
            data = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if isinstance(data, dict):
        data = {**_ABSENT, **data}
    if not isinstance(data, dict) or not all(
        name in data and check(data[name]) for name, check in _CHECKS.items()
    ):
        return None
    found = of(data)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def group_budget(home: Home, group: str) -> str | None:
    """What a group was given: US dollars, empty for no limit, None where it was given nothing.

    What cannot be read is no money at all: `0`.
    """
    try:
        text = files.text(home.group_budgets / group).strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return "0"
    if text == "none":
        return ""
    return text if _is_amount(text) else "0"


def keep_group_budget(home: Home, group: str, budget: str) -> None:
    """Give a group US dollars; empty for no limit. Raises OSError."""
    home.group_budgets.mkdir(mode=0o700, exist_ok=True)
    draft = home.group_budgets / files.draft_name(home.group_budgets, group)
    draft.write_text(f"{budget or 'none'}\n")
    draft.replace(home.group_budgets / group)


def _path(home: Home, session_id: str) -> Path:
    return home.session_dir(session_id) / _FILE


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_amount(text: str) -> bool:
    return limits.dollars(text) is not None
