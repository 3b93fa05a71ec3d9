"""`logs`: what the agent wrote, as text that drives no terminal."""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from clauderon import names, proc, visible
from clauderon.cli import common
from clauderon.cli.container import OptionalName, only
from clauderon.cli.declared import Exit, Option
from clauderon.docker import failures
from clauderon.errors import CommandFailed, Refused, UsageError
from clauderon.output import Output
from clauderon.session import unheard
from clauderon.session.context import Context
from clauderon.session.lookup import find

if TYPE_CHECKING:
    from clauderon.screen import Screen

# This much of the end of a program's output is drawn again, which takes about a second for each MiB.
_BYTES = 2 << 20
# What docker takes: a span, a date with or without a time and a zone, or seconds since the epoch.
_SINCE = (
    r"[-+]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+)"
    r"|\d{4}-\d\d-\d\d(?:T\d\d(?::\d\d){0,2}(?:\.\d+)?)?(?:Z|[-+]\d\d:\d\d)?|\d+(?:\.\d+)?"
)
_SIZE = "stty size <&0 2>/dev/null || stty size </proc/1/fd/0"
_OURS = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"


def logs(
    name: OptionalName = None,
    follow: Annotated[bool, Option("--follow", "-f", help="Follow the output.")] = False,
    tail: Annotated[
        int | None, Option("--tail", "-n", metavar="N", help="Only the last N lines.", min=0)
    ] = None,
    since: Annotated[
        str | None, Option("--since", metavar="TIME", help="Only since TIME: 10m, or a date and time.")
    ] = None,
    timestamps: Annotated[bool, Option("--timestamps", "-t", help="Show timestamps.")] = False,
    raw: Annotated[
        bool, Option("--raw", help="The bytes as the agent wrote them, for a file or a pipe.")
    ] = False,
    force: Annotated[bool, Option("--force", help="With --raw: write them even to a terminal.")] = False,
) -> None:
    """Print what the agent wrote. For an interactive session: its lines and its screen, as text.

    On a terminal, control characters are spelled out. With -f on a terminal, an interactive session's screen is shown
    as it changes; into a pipe come its lines, once they are finished.

    Example: clauderon logs -f fix-bug
    """
    out = common.speak()
    with common.opened() as context:
        session = find(context, only(context, name, "logs"), half_way=True)
        seen = sys.stdout.isatty()
        drawn = not session.print_mode and not raw
        _refuse_odd(session.name, drawn=drawn, timestamps=timestamps, dangerous=raw and seen and not force)
        if since is not None and not re.fullmatch(_SINCE, since):
            hint = f"clauderon logs --since 10m {session.name}"
            raise UsageError(f"--since {since}", "use a time as 10m or 2026-11-29T14:00", hint=hint)
        words = ["logs"]
        words += ["--follow"] if follow else []
        words += ["--tail", str(tail)] if tail is not None and not drawn else []
        words += ["--since", since] if since is not None else []
        words += ["--timestamps"] if timestamps else []
        container = names.container(session.name)
        detail = context.docker.container_inspect(container)
        if detail is None:
            find(context, session.name)
            raise failures.no_container(f"logs {session.name}", session.name)
        if follow:
            unheard.begin_aloud(context, [session])
        argv = context.docker.argv(*words, container)
        if drawn:
            pour = proc.Pour(argv, env=context.docker.env)
            size = _size(context, container) if detail.running else None
            if follow and seen:
                _watch(out, pour, size)
            elif follow:
                _follow(out, pour, size)
            else:
                _print(out, pour, size, tail)
            raise Exit(pour.status)
        if seen and not raw:
            pour = proc.Pour(argv, env=context.docker.env, merged=True)
            _spell_out(out, pour)
            raise Exit(pour.status)
        if follow and not seen:
            raise Exit(proc.until_reader_leaves(argv, env=context.docker.env))
        context.docker.replace(*words, container)


def _refuse_odd(name: str, *, drawn: bool, timestamps: bool, dangerous: bool) -> None:
    if dangerous:
        raise Refused(
            f"logs {name}",
            "the bytes would drive your terminal as the agent likes: its title, clipboard and colours",
            hint=f"clauderon logs {name} --raw > FILE  # or --force",
        )
    if drawn and timestamps:
        raise UsageError(
            f"logs {name} --timestamps",
            "a screen has no times; the bytes have them",
            hint=f"clauderon logs {name} --raw --timestamps > FILE",
        )


def _size(context: Context, container: str) -> tuple[int, int] | None:
    """Columns and lines of the agent's terminal; None where the image has no `stty`."""
    try:
        answer = context.docker.attempt("exec", container, "sh", "-c", _SIZE)
        lines, columns = (int(word) for word in answer.text.split())
    except (CommandFailed, ValueError):
        return None
    return (columns, lines) if columns and lines else None


def _screen(size: tuple[int, int] | None, data: bytes) -> Screen:
    from clauderon.screen import Screen, size_of

    screen = Screen(*(size or size_of(data)))
    screen.feed(data)
    return screen


def _print(out: Output, pour: proc.Pour, size: tuple[int, int] | None, tail: int | None) -> None:
    data = bytearray()
    cut = False
    for chunk in pour:
        data += chunk
        if len(data) > 2 * _BYTES:
            del data[:-_BYTES]
            cut = True
    if cut:
        out.warn(f"only the last {_BYTES >> 20} MiB are drawn; all of it: --raw")
    # From the beginning of a line, so that no sequence is cut.
    screen = _screen(size, bytes(data[data.find(b"\n") + 1 :] if cut else data))
    rows = [*screen.scrolled(), *screen.lines()]
    rows = rows if tail is None else rows[len(rows) - min(tail, len(rows)) :]
    out.text("".join(row + "\n" for row in rows))


def _first(chunks: Iterator[bytes]) -> bytes:
    """What was written before we came."""
    data = b""
    for chunk in chunks:
        if not chunk:
            break
        data = (data + chunk)[-2 * _BYTES :]
    return data


def _follow(out: Output, pour: proc.Pour, size: tuple[int, int] | None) -> None:
    chunks = iter(pour)
    screen = _screen(size, _first(chunks))
    said: list[str] = []
    said = _say_new(out, said, screen.scrolled(), screen.settled())
    for chunk in chunks:
        if chunk:
            screen.feed(chunk)
        said = _say_new(out, said, screen.scrolled(), [] if chunk else screen.settled())
    _say_new(out, said, screen.scrolled(), screen.lines())


def _say_new(out: Output, said: list[str], gone: list[str], settled: list[str]) -> list[str]:
    """Print the rows that are new or other than they were said; returns what of the screen is said now."""
    rows = [*gone, *settled]
    new = [row for number, row in enumerate(rows) if number >= len(said) or said[number] != row]
    out.text("".join(row + "\n" for row in new))
    return [*settled, *said[len(gone) + len(settled) :]] if settled else said[len(gone) :]


def _watch(out: Output, pour: proc.Pour, size: tuple[int, int] | None) -> None:
    chunks = iter(pour)
    screen = _screen(size, _first(chunks))
    out.text(_OURS[0])
    try:
        shown: list[str] = []
        for chunk in chunks:
            screen.feed(chunk)
            screen.scrolled()
            rows = screen.lines()[-os.get_terminal_size(1).lines :]
            if not chunk and rows != shown:
                out.text("\x1b[H" + "\r\n".join(row + "\x1b[K" for row in rows) + "\x1b[J")
                shown = rows
    finally:
        out.text(_OURS[1])
    out.text("".join(row + "\n" for row in screen.lines()))


def _spell_out(out: Output, pour: proc.Pour) -> None:
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    for chunk in pour:
        out.text(visible.lines(decode(chunk).replace("\r\n", "\n")))
    out.text(visible.lines(decode(b"", True)))
