"""Where a login lies: a file of the client's, or an item of macOS's keychain. Reads and replaces it whole.

The file is the client's: never truncated, never written in place, its owner and mode kept.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from pathlib import Path
from typing import NamedTuple, Protocol

from clauderon import proc
from clauderon.errors import ClauderonError
from clauderon.proxy.logins.client import Content

MOST_BYTES = 256 * 1024
# macOS asks its person whether we may; that takes as long as it takes a person.
KEYCHAIN_S = 60.0
# `security -i` reads a line of 4096 bytes, and takes what is behind it for another command.
_LINE_BYTES = 4000
SECURITY = "/usr/bin/security"


class BadLogin(Exception):
    """What lies there cannot be read as a login; the text says why, never a value."""


class Store(Protocol):
    """Where one client keeps its login."""

    @property
    def beside(self) -> Path:
        """The path that locks and journals lie beside, whether or not there is a file."""
        ...

    @property
    def place(self) -> str:
        """Its name for people."""
        ...

    def read(self) -> Content | None:
        """What is there; None for nothing. Raises BadLogin."""
        ...

    def replace(self, content: Content) -> None:
        """Put this in place, whole. Raises OSError."""
        ...


class InFile(NamedTuple):
    """In a file, at `beside`."""

    beside: Path

    @property
    def place(self) -> str:
        return str(self.beside)

    def read(self) -> Content | None:
        """Its JSON object; None where there is no such file. Raises BadLogin."""
        try:
            # Non-blocking, so that a pipe of that name stops nobody.
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            descriptor = os.open(self.beside, flags)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise BadLogin(f"it cannot be read: {error.strerror}") from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise BadLogin("it is not a file")
            if status.st_uid != os.geteuid():
                raise BadLogin("it belongs to another user")
            if status.st_mode & 0o022:
                raise BadLogin(f"others may write to it; chmod 600 {self.beside}")
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(MOST_BYTES + 1)
        finally:
            os.close(descriptor)
        return parse(data)

    def replace(self, content: Content) -> None:
        """Put the content in place in one step, with the owner and mode of what was there. Raises OSError."""
        # A link stays a link: what it leads to is replaced.
        target = Path(os.path.realpath(self.beside))
        before = target.stat()
        draft = target.with_name(f"{target.name}.clauderon-draft")
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(draft, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.flush()
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                with contextlib.suppress(PermissionError):
                    os.chown(file.fileno(), before.st_uid, before.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            os.fsync(file.fileno())
        draft.replace(target)
        sync_directory(target.parent)


class InKeychain(NamedTuple):
    """In an item of macOS's keychain, by its name. beside: where the file would be."""

    item: str
    beside: Path
    user: str
    program: str = SECURITY

    @property
    def place(self) -> str:
        return f"keychain {self.item}"

    def find_argv(self) -> tuple[str, ...]:
        """What prints it."""
        return (self.program, "find-generic-password", "-a", self.user, "-w", "-s", self.item)

    def read(self) -> Content | None:
        """None where there is no such item, or no keychain. Raises BadLogin."""
        try:
            asked = proc.start(self.find_argv(), env=os.environ, cwd="/")
            answer = asked.result(timeout_s=KEYCHAIN_S, ok=None, aloud=False)
        except ClauderonError as error:
            raise BadLogin(f"macOS's keychain did not answer: {error.why}") from None
        return parse(_unhexed(answer.stdout)) if answer.status == 0 else None

    def add_argv(self, hexed: str) -> tuple[str, ...]:
        """What puts it there, by words that everybody on the machine can read while it runs."""
        return (self.program, "add-generic-password", "-U", "-a", self.user, "-s", self.item, "-X", hexed)

    def replace(self, content: Content) -> None:
        """By the tool's standard input, since everybody can read a process's words; by words where it is too long for

        a line of that, as the client itself does then. Raises OSError.
        """
        hexed = json.dumps(content, separators=(",", ":")).encode().hex()
        line = f'add-generic-password -U -a "{self.user}" -s "{self.item}" -X "{hexed}"\n'.encode()
        argv, told = ((self.program, "-i"), line) if len(line) <= _LINE_BYTES else (self.add_argv(hexed), b"")
        try:
            adding = proc.start(argv, env=os.environ, cwd="/", stdin=told)
            adding.result(timeout_s=KEYCHAIN_S, aloud=False)
        except ClauderonError as error:
            raise OSError(errno.EIO, f"macOS's keychain did not take it: {type(error).__name__}") from None


def _unhexed(data: bytes) -> bytes:
    """What `security` prints of a text that is not ASCII alone is its bytes in hexadecimal; JSON never is."""
    with contextlib.suppress(ValueError):
        return bytes.fromhex(data.strip().decode("ascii"))
    return data


def parse(data: bytes) -> Content | None:
    """The JSON object in a login's text; None for an empty one. Raises BadLogin."""
    if len(data) > MOST_BYTES:
        raise BadLogin(f"it has more than {MOST_BYTES} bytes")
    if not data.strip():
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise BadLogin("it is not JSON") from None
    if not isinstance(found, dict):
        raise BadLogin("it is not a JSON object")
    return found


def sync_directory(directory: Path) -> None:
    """Make names in a directory survive a machine that loses its power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
