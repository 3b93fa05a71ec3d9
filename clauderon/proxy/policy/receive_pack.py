"""Read what a `git push` asks for, up to where its pack begins, and say no as git's server does. Pure.

The request begins with lines (pkt-line): `old new ref`, the first with the client's capabilities behind a NUL, then a
flush, then push options if the client said so, then the pack. Nothing of the pack is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

# What comes before the pack; a command is about 150 bytes.
MOST_BYTES = 1 << 20
_LONGEST = 65520
_HEX = re.compile(rb"[0-9a-fA-F]{4}")
_COMMAND = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) (refs/[!-~\x80-\xff]+)")
_SHALLOW = re.compile(rb"shallow (?:[0-9a-f]{40}|[0-9a-f]{64})")
# As git sends them. Servers read what comes behind another NUL or control character each in their own way.
_CAPABILITIES = re.compile(rb"[ -~\x80-\xff]*\n?")
_SIGNATURE = b"-----BEGIN "
_PUSH_OPTION = b"push-option "
_FLUSH = b"0000"
_IN_BAND = 65515  # of a pkt-line with a band in front
_DATA, _PROGRESS = b"\x01", b"\x02"


class Malformed(ValueError):
    """What came is not how git begins a push, or not surely so. Its text says why."""


class Command(NamedTuple):
    """`ref` is to name `new` instead of `old`; all zeros: it is not there."""

    old: bytes
    new: bytes
    ref: bytes

    @property
    def deletes(self) -> bool:
        """Whether the ref is to be removed."""
        return not self.new.strip(b"0")


class Reader:
    """Takes a request's bytes as they come. `done` once everything before the pack is known.

    probe: it is `0000` alone, as git asks before a push that it sends in chunks.
    """

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.options: list[bytes] = []
        self.capabilities: set[bytes] = set()
        self.done = False
        self._held = bytearray()
        self._read = 0
        self._section = self._command
        self._certificate: list[bytes] = []
        self._flushed = False

    @property
    def probe(self) -> bool:
        """Whether a flush came, and no command before it."""
        return self._flushed and not self.commands

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises Malformed."""
        if self.done:
            return
        if self.probe and data:
            raise Malformed("something follows a push of nothing")
        self._held += data
        at = 0
        while not self.done:
            size = self._held[at : at + 4]
            if len(size) < 4:
                break
            if _HEX.fullmatch(size) is None:
                raise Malformed("it does not begin with lines of git's")
            length = int(size, 16)
            if length > _LONGEST or 0 < length <= 4:
                raise Malformed("a line of a length that git does not send")
            if len(self._held) < at + length:
                break
            line = bytes(self._held[at + 4 : at + length]) if length else None
            at += length or 4
            self._take(line)
            if self.probe and self._held[at:]:
                raise Malformed("something follows a push of nothing")
        self._read += at
        del self._held[: len(self._held) if self.done else at]
        if self._read + len(self._held) > MOST_BYTES and not self.done:
            raise Malformed(f"more than {MOST_BYTES} bytes before its pack")

    def _take(self, line: bytes | None) -> None:
        if line is not None:
            self._section(line)
        elif self._section == self._in_certificate:
            raise Malformed("a signed push that breaks off")
        elif self._section == self._option or b"push-options" not in self.capabilities:
            self._flushed = True
            self.done = bool(self.commands)
        else:
            self._section = self._option

    def _command(self, line: bytes) -> None:
        text, nul, capabilities = line.partition(b"\0")
        if not nul:
            text = line.removesuffix(b"\n")
            if _SHALLOW.fullmatch(text) is not None:
                return
        said = set(capabilities.split())
        # git takes a capability with a value for that capability as well.
        values = any(word.startswith(b"push-options=") for word in said)
        if _CAPABILITIES.fullmatch(capabilities) is None or values:
            raise Malformed("capabilities of another form than git's")
        self.capabilities |= said
        if self._certificate:
            raise Malformed("a command beside a signed push")
        if text == b"push-cert" and not self.commands:
            self._section = self._in_certificate
        else:
            self._add(text)

    def _in_certificate(self, line: bytes) -> None:
        if line != b"push-cert-end\n":
            if b"\0" in line:
                raise Malformed("a signed push of another form than git's")
            self._certificate.append(line)
            return
        head, empty, body = b"".join(self._certificate).partition(b"\n\n")
        before, signature, after = body.partition(_SIGNATURE)
        if not (empty and signature and before.endswith(b"\n")) or _SIGNATURE in after:
            raise Malformed("a signed push of another form than git's")
        for text in before.split(b"\n")[:-1]:
            self._add(text)
        options = [text for text in head.split(b"\n") if text.startswith(_PUSH_OPTION)]
        self.options += [text.removeprefix(_PUSH_OPTION) for text in options]
        self._section = self._command

    def _add(self, text: bytes) -> None:
        match = _COMMAND.fullmatch(text)
        if match is None or len(match[1]) != len(match[2]):
            raise Malformed("a command that is not OLD NEW REF")
        self.commands.append(Command(*match.groups()))

    def _option(self, line: bytes) -> None:
        self.options.append(line.removesuffix(b"\n"))


def report(reader: Reader, reasons: Mapping[bytes, str], said: str) -> bytes | None:
    """The answer's body for a push of which nothing is done; None where the client would not read one.

    reasons: by ref. said: a text for whoever pushes, shown by git behind `remote:`.
    """
    capabilities = reader.capabilities
    if not capabilities & {b"report-status", b"report-status-v2"}:
        return None
    lines = [b"unpack ok\n"]
    lines += [b"ng %b %b\n" % (ref, _words(reason)) for ref, reason in reasons.items()]
    status = b"".join(map(_line, lines)) + _FLUSH
    if not capabilities & {b"side-band-64k", b"side-band"}:
        return status
    most = _IN_BAND if b"side-band-64k" in capabilities else 995
    text = "".join(f"{line}\n" for line in said.splitlines()).encode("utf-8", "replace")
    bands = [(_PROGRESS, text), (_DATA, status)]
    return (
        b"".join(
            _line(band + content[at : at + most])
            for band, content in bands
            for at in range(0, len(content), most)
        )
        + _FLUSH
    )


def _words(reason: str) -> bytes:
    return " ".join(reason.split()).encode("utf-8", "replace")[:1000]


def _line(data: bytes) -> bytes:
    return b"%04x%b" % (len(data) + 4, data)
