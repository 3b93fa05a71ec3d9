"""Checks of the keys that say how far a credential and a session go. They are called as those of `checks` are."""

from __future__ import annotations

import re

from clauderon.config.checks import texts

_REPOSITORY = r"(?!\.{1,2}/)[A-Za-z0-9._~+@-]+(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~+@-]+)+"
_PUSH_REF = r"refs/[A-Za-z0-9._+@/*-]+"
_GRAPHQL_NAME = r"[_A-Za-z][_0-9A-Za-z]*"


def repositories(value: object) -> tuple[str, ...]:
    """A list of `OWNER/NAME`, with `.git` at the end or without."""
    for name in texts(value):
        if not re.fullmatch(_REPOSITORY, name):
            raise ValueError(f"{name!r} is not OWNER/NAME")
    return texts(value)


def push_refs(value: object) -> tuple[str, ...]:
    """A list of full names of refs, at most one `*` in each."""
    for ref in texts(value):
        if not re.fullmatch(_PUSH_REF, ref) or ".." in ref or "//" in ref or ref.count("*") > 1:
            raise ValueError(f'{ref!r} is not a full name of a ref; write it as "refs/heads/agents/*"')
    return texts(value)


def graphql_names(value: object) -> tuple[str, ...]:
    """A list of names of GraphQL's."""
    for name in texts(value):
        if not re.fullmatch(_GRAPHQL_NAME, name):
            raise ValueError(f"{name!r} is not the name of a mutation")
    return texts(value)


def network_rules(value: object) -> tuple[str, ...]:
    """A list of tables, as the texts of rules. Raises ValueError."""
    if not isinstance(value, list):
        raise ValueError("expected tables; write each as [[network.rules]]")
    from clauderon import netrules

    return tuple(netrules.of_table(item).text() for item in value)
