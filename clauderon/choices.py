"""The words a flag, a key or a recorded session may have, each list once: as a type and as a tuple. No policy."""

from __future__ import annotations

from typing import Literal, get_args

from clauderon.errors import UsageError

Backend = Literal["docker"]
AccessMode = Literal["read-write", "read-only"]
NetworkMode = Literal["open", "proxied"]
PullPolicy = Literal["always", "if-not-present", "never"]
SharedCaches = Literal["verified", "repository", "open", "off"]
LendingScope = Literal["session", "any"]
FetchScope = Literal["any", "remotes"]
# Whose logins on the host can be lent: the clients' by name, Codex's key, and what `gh auth token` prints.
Login = Literal["claude", "codex", "codex-key", "gemini", "gh"]

# What `create --network` takes beside the modes: `proxied`, and every host allowed.
LEARN = "learn"

BACKENDS: tuple[str, ...] = get_args(Backend)
ACCESS_MODES: tuple[str, ...] = get_args(AccessMode)
NETWORK_MODES: tuple[str, ...] = get_args(NetworkMode)
PULL_POLICIES: tuple[str, ...] = get_args(PullPolicy)
SHARED_CACHES: tuple[str, ...] = get_args(SharedCaches)
LENDING_SCOPES: tuple[str, ...] = get_args(LendingScope)
FETCH_SCOPES: tuple[str, ...] = get_args(FetchScope)
LOGINS: tuple[str, ...] = get_args(Login)


def one_of(value: str, allowed: tuple[str, ...], flag: str, typed: str = "") -> str:
    """`value` if it is allowed; else UsageError listing what is.

    typed: the command line to type, with `{}` where the word goes; default: `create` with the flag. Where no allowed
    word is near, the hint is the command's help: a guess could widen what a session may do.
    """
    if value in allowed:
        return value
    import difflib

    typed = typed or f"clauderon create {flag} {{}} ..."
    near = difflib.get_close_matches(value.lower(), allowed, 1)
    hint = typed.format(near[0]) if near else f"{' '.join(typed.split()[:2])} --help"
    choice = allowed[0] if len(allowed) == 1 else f"{', '.join(allowed[:-1])} or {allowed[-1]}"
    raise UsageError(f"{flag} {value}", f"use {choice}", hint=hint)
