"""Which credentials a session is lent: those it was given, without those it was not to have. Pure.

A name stands for its secret: credentials with the same `file` are one token, so they are lent or withheld together.
Those that share a variable, a command or a login may have the same one, so they are withheld together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from clauderon.config.schema import Credential


def names(
    credentials: Mapping[str, Credential], only: Collection[str] | None, without: Collection[str]
) -> frozenset[str]:
    """The names of those that are lent. only: None for all. A name that is not known is none."""
    wanted = set(credentials) if only is None else together(credentials, only)
    return frozenset(wanted - alike(credentials, without))


def together(credentials: Mapping[str, Credential], some: Iterable[str]) -> set[str]:
    """These, as far as they are known, and all that share a secret with one of them."""
    known = [credentials[name] for name in some if name in credentials]
    files = {credential.file for credential in known if credential.file}
    return {credential.name for credential in known} | {
        name for name, credential in credentials.items() if credential.file in files
    }


def alike(credentials: Mapping[str, Credential], some: Iterable[str]) -> set[str]:
    """These, and all whose secret may be that of one of them, read in the same place. To withhold, never to lend."""
    found = together(credentials, some)
    places = {place for name in found for place in _places(credentials[name])}
    return found | {name for name, each in credentials.items() if not places.isdisjoint(_places(each))}


def _places(credential: Credential) -> set[object]:
    found: set[object] = {*credential.env, credential.file, credential.command, credential.login}
    return found - {"", ()}
