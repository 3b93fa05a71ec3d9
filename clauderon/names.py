"""Session names: what is allowed, and how one is made from a prompt. Pure apart from the random tail."""

from __future__ import annotations

import os
import re

from clauderon.errors import UsageError

# A name becomes a directory, a git branch, a container name and a hostname; this is what all four allow.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
# Characters that no part of a ref may hold: they have a meaning in gitrevisions(7), or no file system takes them.
_NO_REF = re.compile(r"\.\.|@\{|[\x00-\x20\x7f~^:?*\[\\]")
# A file's name is at most 255 bytes, and git writes NAME.lock beside it.
_PART_BYTES = 250
_WORD = re.compile(r"[a-z0-9]+")
# 32 letters and digits that are not mistaken for one another.
_TAIL_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
# `refs/clauderon/rescue/` holds what deleted sessions left behind; a session's own refs are beside it.
_RESERVED = frozenset({"rescue"})
_SLUG_WORDS = 4
_SLUG_CHARS = 40


def validated(name: str) -> str:
    """`name` itself, or UsageError saying which rule it breaks."""
    if not name:
        raise UsageError("session name", "it is empty", hint="clauderon create --name fix-bug ...")
    shown = ascii(name)
    if not _NAME.match(name):
        why = "use 1 to 63 letters, digits, '.', '_' or '-', beginning with a letter or a digit"
    elif ".." in name or name.endswith((".", ".lock")):
        why = "git takes no branch with '..' in it, or with '.' or '.lock' at its end"
    elif name.lower() in _RESERVED:
        why = "that name is taken by refs/clauderon/rescue, where deleted sessions leave their work"
    else:
        return name
    raise UsageError(f"session name {shown}", why, hint="clauderon create --name fix-bug ...")


def branch_problem(name: str) -> str | None:
    """Why git would make no branch of this name, in words; None if it would. The rules of `git check-ref-format`."""
    parts = name.split("/")
    if not name:
        return "it is empty"
    if name.startswith("-"):
        return "it begins with '-', and git would take it for an option"
    if name in ("HEAD", "@") or _NO_REF.search(name):
        return "git accepts no branch with this name"
    if any(not part or part.startswith(".") or part.endswith(".lock") for part in parts) or name.endswith(
        "."
    ):
        return "git takes no branch with a part that is empty, begins with '.' or ends with '.lock'"
    if any(len(part.encode("utf-8", "surrogateescape")) > _PART_BYTES for part in parts):
        return f"a part of it is longer than {_PART_BYTES} bytes"
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "it is not UTF-8"
    return None


def branch_named(name: str, what: str) -> str:
    """`name` itself if git can make a branch of it. Raises UsageError, on `what`."""
    why = branch_problem(name)
    if why is not None:
        raise UsageError(
            f"{what} {ascii(name)[1:-1]}".rstrip(), why, hint=f"clauderon create {what} fix-bug ..."
        )
    return name


def group_named(name: str, what: str) -> str:
    """`name` itself if a group of sessions can be called that. Raises UsageError, on `what`."""
    if _NAME.match(name):
        return name
    why = "use 1 to 63 letters, digits, '.', '_' or '-', beginning with a letter or a digit"
    raise UsageError(f"{what} {ascii(name)[1:-1]}".rstrip(), why, hint=f"clauderon create {what} nightly ...")


def from_prompt(prompt: str) -> str:
    """The prompt's first words and a short random tail: `fix-the-bug-x7k2`."""
    words: list[str] = []
    for word in _WORD.findall(prompt.lower()):
        if len("-".join([*words, word])) > _SLUG_CHARS or len(words) == _SLUG_WORDS:
            break
        words.append(word)
    tail = "".join(_TAIL_ALPHABET[byte % 32] for byte in os.urandom(4))
    return "-".join([*(words or ["session"]), tail])


def network(base: str, mode: str, session_id: str = "") -> str:
    """The network of a session. A `proxied` one has an internal network to itself: "" while it has no id."""
    if mode != "proxied":
        return base
    return f"{base}-proxied-{session_id}" if session_id else ""


def shared_proxied(base: str) -> str:
    """The internal network that `proxied` sessions were on together, in earlier versions."""
    return f"{base}-proxied"


def new_id() -> str:
    """A fresh session id: 12 hexadecimal digits."""
    return os.urandom(6).hex()


def new_conversation() -> str:
    """A fresh random UUID (RFC 9562, version 4). Not the `uuid` module: its import costs `create` 3 ms."""
    data = bytearray(os.urandom(16))
    data[6] = data[6] & 0x0F | 0x40
    data[8] = data[8] & 0x3F | 0x80
    text = data.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def branch(name: str) -> str:
    """The branch a session commits to unless `--branch` says otherwise."""
    return f"clauderon/{name}"


def container(name: str) -> str:
    """The name of a session's container."""
    return f"clauderon-{name}"


def replaced(name: str) -> str:
    """What the old container is called while a new one is being made; no session's own container is called that."""
    return f"{container(name)}..replaced"


def hostname(name: str) -> str:
    """`name` as an RFC 1123 label: no dots, no underscores, no dash at either end."""
    return re.sub(r"[._]", "-", name).strip("-") or "session"
