"""The transcript file: entries to lines and back. Pure.

    @ <WORK>/repo                     the directory of the call
    & LC_ALL=C.UTF-8                  the environment that is allow-listed
    = after 3                         what had ended before it began; without it: the entry before
    $ docker container ls -aq         the whole argv
    0| text                           stdin
    1| text                           stdout, then
    2| text                           stderr
    ! INT                             a signal the caller sent
    ? 0                               the status, or `signal TERM`

A backslash escapes: `\\\\`, `\\xNN`, `\\t`; one at the end of a line says that no newline follows.
`0# DIGEST BYTES` stands for an input too long to read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.transcripts import placeholders
from tests.transcripts.placeholders import Text

MAGIC = "# clauderon transcript 1"
_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./<>{}~^\[\]#*?!-]+\Z")
_ESCAPED = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPES = {"\\": "\\", "t": "\t", "n": "\n", "'": "'", "r": "\r"}
_SPECIAL = {"\\": "\\\\", "\t": "\\t", "\r": "\\r", "\n": "\\n"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One call. after: the ordinal of the entry that had ended before this one began; 0 for none.

    outcome: the exit status, or the name of the signal that ended it (`TERM`).
    stdin_digest: `sha256 bytes` instead of `stdin`.
    """

    argv: tuple[Text, ...]
    cwd: Text
    env: tuple[Text, ...] = ()
    after: int = 0
    stdin: Text = ()
    stdin_digest: str = ""
    stdout: Text = ()
    stderr: Text = ()
    signals: tuple[str, ...] = ()
    outcome: int | str = 0

    @property
    def tool(self) -> str:
        return placeholders.show(self.argv[0])


@dataclass(frozen=True, slots=True)
class Transcript:
    """header: `key` to value; `real` names the tools that replay runs for real after matching the call."""

    header: dict[str, str]
    entries: tuple[Entry, ...]

    @property
    def real(self) -> frozenset[str]:
        return frozenset(self.header.get("real", "").split())


def render(transcript: Transcript) -> str:
    lines = [MAGIC, *(f"# {key}: {value}" for key, value in transcript.header.items())]
    for ordinal, entry in enumerate(transcript.entries, 1):
        lines += ["", f"@ {_escape(placeholders.show(entry.cwd))}"]
        if entry.env:
            lines.append("& " + " ".join(_word(text) for text in entry.env))
        if entry.after != ordinal - 1:
            lines.append(f"= after {entry.after}")
        lines.append("$ " + " ".join(_word(text) for text in entry.argv))
        lines += [f"0# {entry.stdin_digest}"] if entry.stdin_digest else _block("0", entry.stdin)
        lines += _block("1", entry.stdout) + _block("2", entry.stderr)
        lines += [f"! {name}" for name in entry.signals]
        lines.append(f"? {entry.outcome}" if isinstance(entry.outcome, int) else f"? signal {entry.outcome}")
    return "\n".join(lines) + "\n"


def parse(source: str) -> Transcript:
    """Read a transcript. Raises ValueError naming the line."""
    lines = source.split("\n")
    if lines[0] != MAGIC:
        raise ValueError(f"line 1: not {MAGIC!r}")
    header: dict[str, str] = {}
    entries: list[Entry] = []
    current: dict[str, list[str]] = {}
    for number, line in enumerate(lines[1:], 2):
        mark, _, rest = line.partition(" ")
        if not line or (mark == "#" and not current):
            if mark == "#":
                key, _, value = rest.partition(": ")
                header[key] = value
            continue
        if mark not in ("@", "&", "=", "$", "0|", "1|", "2|", "0#", "!", "?"):
            raise ValueError(f"line {number}: unknown mark {mark!r}")
        if mark == "@" and current:
            raise ValueError(f"line {number}: the entry before has no '?' line")
        if mark in ("@", "&", "=", "$", "0#", "?") and mark in current:
            raise ValueError(f"line {number}: a second {mark!r} line")
        current.setdefault(mark, []).append(rest)
        if mark == "?":
            try:
                entries.append(_entry(current, len(entries) + 1))
            except (ValueError, KeyError) as error:
                raise ValueError(f"line {number}: {error}") from error
            current = {}
    if current:
        raise ValueError("the last entry has no '?' line")
    return Transcript(header, tuple(entries))


def _entry(lines: dict[str, list[str]], ordinal: int) -> Entry:
    outcome = lines["?"][0]
    after = int(lines["="][0].removeprefix("after ")) if "=" in lines else ordinal - 1
    if not 0 <= after < ordinal:
        raise ValueError(f"after {after} names no earlier entry")
    return Entry(
        argv=_words(lines["$"][0]),
        cwd=_text(lines["@"][0]),
        env=_words(lines["&"][0]) if "&" in lines else (),
        after=after,
        stdin=_unblock(lines.get("0|", [])),
        stdin_digest=lines.get("0#", [""])[0],
        stdout=_unblock(lines.get("1|", [])),
        stderr=_unblock(lines.get("2|", [])),
        signals=tuple(lines.get("!", [])),
        outcome=outcome.removeprefix("signal ") if outcome.startswith("signal ") else int(outcome),
    )


def _escape(shown: str) -> str:
    """Escape what a line cannot hold; `\\x3c` of a literal placeholder stays as it is."""
    out = []
    for character in re.split(r"(\\x3c|.)", shown, flags=re.DOTALL):
        if not character or character == "\\x3c":
            out.append(character)
        elif character in _SPECIAL:
            out.append(_SPECIAL[character])
        elif "\udc80" <= character <= "\udcff":
            out.append(f"\\x{ord(character) - 0xDC00:02x}")
        elif ord(character) < 0x20 or ord(character) == 0x7F:
            out.append(f"\\x{ord(character):02x}")
        elif not character.isprintable():
            out.append("".join(f"\\x{byte:02x}" for byte in character.encode()))
        else:
            out.append(character)
    return "".join(out)


def _unescape(escaped: str) -> str:
    """Bytes that were escaped come back as UTF-8 where they are, as surrogates where they are not."""

    def replace(match: re.Match[str]) -> str:
        if match[1] is not None:
            return bytes([int(match[1], 16)]).decode("ascii", "surrogateescape")
        return _ESCAPES[match[2]]

    return (
        _ESCAPED.sub(replace, escaped).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    )


def _text(escaped: str) -> Text:
    return tuple(
        _unescape(piece) if isinstance(piece, str) else piece for piece in placeholders.parse(escaped)
    )


def _word(text: Text) -> str:
    shown = placeholders.show(text)
    if _SAFE.match(shown):
        return shown
    escaped = _escape(shown)
    if escaped == shown and "'" not in shown:
        return f"'{shown}'"
    return "$'" + escaped.replace("'", "\\'") + "'"


_WORDS = re.compile(r" *(?:\$'((?:[^'\\]|\\.)*)'|'([^']*)'|([^ ']+))(?= |\Z)")


def _words(line: str) -> tuple[Text, ...]:
    words: list[Text] = []
    position = 0
    while position < len(line):
        match = _WORDS.match(line, position)
        if match is None:
            raise ValueError(f"cannot read the words at {line[position:]!r}")
        if match[1] is not None:
            words.append(_text(match[1]))
        else:
            words.append(placeholders.parse(match[2] if match[2] is not None else match[3]))
        position = match.end()
    return tuple(words)


def _block(stream: str, text: Text) -> list[str]:
    shown = placeholders.show(text)
    if not shown:
        return []
    lines = shown.split("\n")
    missing = lines.pop()
    out = [f"{stream}| {_spaced(_escape(line))}".rstrip() for line in lines]
    if missing:
        out.append(f"{stream}| {_escape(missing)}\\")
    return out


def _spaced(escaped: str) -> str:
    """Spaces at the end of a line are invisible in review."""
    bare = escaped.rstrip(" ")
    return bare + "\\x20" * (len(escaped) - len(bare))


def _unblock(lines: list[str]) -> Text:
    pieces: list[placeholders.Piece] = []
    for line in lines:
        whole = (len(line) - len(line.rstrip("\\"))) % 2 == 0
        pieces += _text(line if whole else line[:-1])
        if whole:
            pieces.append("\n")
    merged: list[placeholders.Piece] = []
    for piece in pieces:
        if merged and isinstance(piece, str) and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    return tuple(merged)
