"""The transcript file: entries to lines and back. Pure.

    @ <WORK>/repo                     the directory of the call
    & LC_ALL=C.UTF-8                  the environment that is allow-listed
    = after 3                         what had ended before it began; without it: the entry before
    $ docker container ls -aq         the argv; a long one with an option a line:
    > --filter label=clauderon.id     its next words
    + =0123                           the rest of a word that is too long for a line
    0| text                           stdin
    1| text                           stdout, then
    2| text                           stderr
    ! INT                             a signal the caller sent
    ? 0                               the status, or `signal TERM`

A backslash escapes: `\\\\`, `\\xNN`, `\\t`; one at the end of a line says that no newline follows, so that no line is
longer than a screen. `0# DIGEST BYTES` stands for an input too long to read.

The header: `real` names tools that answer for real when the call was the expected one, and whose stdout and status
are compared with what is written here; `after` names the transcript whose calls come first; `%NAME` are words that
`%NAME` in an argv stands for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.transcripts import placeholders
from tests.transcripts.placeholders import Text

MAGIC = "# clauderon transcript 2"
# What a line of text or of words is broken at.
WIDTH = 120
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
    """header: `key` to value. macros: name to the words it stands for in an argv.

    shared: so many of the entries are the first ones of the transcript that `after` in the header names.
    """

    header: dict[str, str]
    entries: tuple[Entry, ...]
    macros: dict[str, tuple[str, ...]] = field(default_factory=dict)
    shared: int = 0

    @property
    def real(self) -> frozenset[str]:
        return frozenset(self.header.get("real", "").split())


def render(transcript: Transcript) -> str:
    lines = [MAGIC, *(f"# {key}: {value}" for key, value in transcript.header.items())]
    for name, words in transcript.macros.items():
        shown = [_word((word,)) for word in words]
        pairs = [" ".join(shown[at : at + 2]) for at in range(0, len(shown), 2)]
        lines += [f"# %{name}: {line}" for line in _filled(pairs)]
    for ordinal, entry in enumerate(transcript.entries, 1):
        if ordinal <= transcript.shared:
            continue
        lines += ["", f"@ {_escape(placeholders.show(entry.cwd))}"]
        lines += [f"& {line}" for line in _filled(_word(text) for text in entry.env)]
        if entry.after != ordinal - 1:
            lines.append(f"= after {entry.after}")
        lines += _argv(entry.argv, transcript.macros)
        lines += [f"0# {entry.stdin_digest}"] if entry.stdin_digest else _block("0", entry.stdin)
        lines += _block("1", entry.stdout) + _block("2", entry.stderr)
        lines += [f"! {name}" for name in entry.signals]
        lines.append(f"? {entry.outcome}" if isinstance(entry.outcome, int) else f"? signal {entry.outcome}")
    return "\n".join(lines) + "\n"


def parse(source: str, load: Callable[[str], Transcript] | None = None) -> Transcript:
    """Read a transcript. load: gives the one that `after` names. Raises ValueError naming the line."""
    lines = source.split("\n")
    if lines[0] != MAGIC:
        raise ValueError(f"line 1: not {MAGIC!r}")
    header: dict[str, str] = {}
    macros: dict[str, tuple[str, ...]] = {}
    entries: list[Entry] = []
    shared = 0
    current: dict[str, list[str]] = {}
    for number, line in enumerate(lines[1:], 2):
        mark, _, rest = line.partition(" ")
        if not line or (mark == "#" and not current):
            if mark == "#":
                key, _, value = rest.partition(": ")
                if key.startswith("%"):
                    words = tuple(placeholders.show(word) for word in _words(value, {}))
                    macros[key[1:]] = macros.get(key[1:], ()) + words
                    continue
                header[key] = value
                if key == "after":
                    if load is None:
                        raise ValueError(f"line {number}: nothing is known of {value}")
                    entries += load(value).entries
                    shared = len(entries)
            continue
        if mark not in ("@", "&", "=", "$", ">", "+", "0|", "1|", "2|", "0#", "!", "?"):
            raise ValueError(f"line {number}: unknown mark {mark!r}")
        if mark == "@" and current:
            raise ValueError(f"line {number}: the entry before has no '?' line")
        if mark in ("@", "=", "$", "0#", "?") and mark in current:
            raise ValueError(f"line {number}: a second {mark!r} line")
        if mark == "+":
            current.setdefault("$", [""])[-1] += "\0" + rest
        else:
            current.setdefault("$" if mark == ">" else mark, []).append(rest)
        if mark == "?":
            try:
                entries.append(_entry(current, len(entries) + 1, macros))
            except (ValueError, KeyError) as error:
                raise ValueError(f"line {number}: {error}") from error
            current = {}
    if current:
        raise ValueError("the last entry has no '?' line")
    return Transcript(header, tuple(entries), macros, shared)


def _entry(lines: dict[str, list[str]], ordinal: int, macros: dict[str, tuple[str, ...]]) -> Entry:
    outcome = lines["?"][0]
    after = int(lines["="][0].removeprefix("after ")) if "=" in lines else ordinal - 1
    if not 0 <= after < ordinal:
        raise ValueError(f"after {after} names no earlier entry")
    return Entry(
        argv=tuple(word for line in lines["$"] for word in _words(line, macros)),
        cwd=_text(lines["@"][0]),
        env=tuple(word for line in lines.get("&", []) for word in _words(line, {})),
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
    if _SAFE.match(shown) and not shown.startswith("%"):
        return shown
    escaped = _escape(shown)
    if escaped == shown and "'" not in shown:
        return f"'{shown}'"
    return "$'" + escaped.replace("'", "\\'") + "'"


_WORDS = re.compile(r" *(?:\$'((?:[^'\\]|\\.)*)'|'([^']*)'|([^ ']+))(?= |\Z)")


def _words(line: str, macros: dict[str, tuple[str, ...]]) -> tuple[Text, ...]:
    first, *rests = line.split("\0")
    words: list[Text] = []
    position = 0
    while position < len(first):
        match = _WORDS.match(first, position)
        if match is None:
            raise ValueError(f"cannot read the words at {first[position:]!r}")
        if match[1] is not None:
            words.append(_text(match[1]))
        elif match[3] and match[3].startswith("%"):
            if match[3][1:] not in macros:
                raise ValueError(f"the header has no {match[3]}")
            words += [(word,) for word in macros[match[3][1:]]]
        else:
            words.append(placeholders.parse(match[2] if match[2] is not None else match[3]))
        position = match.end()
    for rest in rests:
        words[-1] = _merged([*words[-1], *_words(rest, {})[0]])
    return tuple(words)


def _argv(argv: tuple[Text, ...], macros: dict[str, tuple[str, ...]]) -> list[str]:
    """The lines of a call: one, or one an option."""
    groups: list[list[str]] = [[]]
    takes_value = False
    for word in _folded(argv, macros):
        first, *rests = [word] if isinstance(word, str) else _pieced(word)
        is_option = first.startswith(("-", "%"))
        if is_option or (groups[-1] and not takes_value and groups[-1][0].startswith(("-", "%"))):
            groups.append([])
        groups[-1].append("\n+ ".join([first, *rests]))
        takes_value = is_option and first.startswith("-")
    lines = [
        line
        for group in groups
        # An option stays with its value.
        for line in ([" ".join(group)] if group and group[0].startswith("-") else _filled(group))
    ]
    whole = " ".join(lines)
    lines = [whole] if len(whole) <= WIDTH and "\n" not in whole else lines
    return "\n".join(f"{'>' if number else '$'} {line}" for number, line in enumerate(lines)).split("\n")


def _pieced(word: Text) -> list[str]:
    whole = _word(word)
    return [whole] if len(whole) <= WIDTH else [_word(part) for part in _chunks(word)]


def _folded(argv: tuple[Text, ...], macros: dict[str, tuple[str, ...]]) -> Iterator[Text | str]:
    """The words, and `%NAME` in the place of a macro's."""
    position = 0
    while position < len(argv):
        for name, words in macros.items():
            if argv[position : position + len(words)] == tuple((word,) for word in words):
                yield f"%{name}"
                position += len(words)
                break
        else:
            yield argv[position]
            position += 1


def _filled(words: Iterable[str]) -> list[str]:
    """Words on as many lines as they need."""
    lines: list[str] = []
    for word in words:
        if lines and "\n" not in lines[-1] and len(lines[-1]) + len(word.split("\n")[0]) < WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _chunks(text: Text) -> list[Text]:
    """A text in parts that a line can hold, cut after a newline or a comma where that is possible."""
    chunks: list[list[placeholders.Piece]] = [[]]
    used, last = 0, ""
    for piece in text:
        for part in piece if isinstance(piece, str) else [piece]:
            size = len(_escape(placeholders.show((part,))))
            if used + size > WIDTH or last == "\n" or (last in (",", ";", " ") and used > WIDTH * 2 // 3):
                chunks.append([])
                used = 0
            chunks[-1].append(part)
            used, last = used + size, part if isinstance(part, str) else ""
    return [_merged(chunk) for chunk in chunks]


def _block(stream: str, text: Text) -> list[str]:
    shown = placeholders.show(text)
    if not shown:
        return []
    out = []
    for chunk in _chunks(text):
        last = chunk[-1]
        if isinstance(last, str) and last.endswith("\n"):
            line = _escape(placeholders.show((*chunk[:-1], last[:-1])))
            out.append(f"{stream}| {_spaced(line)}".rstrip())
        else:
            out.append(f"{stream}| {_escape(placeholders.show(chunk))}\\")
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
    return _merged(pieces)


def _merged(pieces: Iterable[placeholders.Piece]) -> Text:
    """Neighbouring strings as one, and bytes of a character that a line was cut between as that character."""
    merged: list[placeholders.Piece] = []
    for piece in pieces:
        if merged and isinstance(piece, str) and isinstance(merged[-1], str):
            merged[-1] += piece
        elif piece != "":
            merged.append(piece)
    return tuple(
        piece.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
        if isinstance(piece, str)
        else piece
        for piece in merged
    )
