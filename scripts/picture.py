"""What `scripts/picture` does: runs the demo on a terminal of its own and draws what it printed as SVG."""

from __future__ import annotations

import fcntl
import io
import itertools
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "demo.svg"
COLUMNS = 100
GREY = "#9a9a9a"
# rich's own format fetches a font from elsewhere; a reader's browser has one of its own.
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>scripts/demo in a terminal</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Failed(Exception):
    """The demo did not come to its end; the text says what it printed."""


def run_demo() -> bytes:
    """The bytes that a terminal of COLUMNS got from `scripts/demo`. Raises Failed."""
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": "60"}
    env.pop("NO_COLOR", None)
    with subprocess.Popen([ROOT / "scripts/demo"], stdin=far, stdout=far, stderr=far, env=env) as child:
        os.close(far)
        parts = []
        while True:
            try:
                chunk = os.read(near, 1 << 16)
            except OSError:  # Linux says EIO when the last far end is closed
                break
            if not chunk:
                break
            parts.append(chunk)
    os.close(near)
    if child.returncode != 0:
        raise Failed(b"".join(parts).decode(errors="replace"))
    return b"".join(parts)


def lines(printed: bytes) -> list[Text]:
    """The lines that stay on the terminal, bold and grey as they are there."""
    screen = pyte.Screen(COLUMNS, 200)
    # pyte knows no faint text; grey is what most terminals make of it.
    pyte.ByteStream(screen).feed(printed.replace(b"\x1b[2m", b"\x1b[90m"))
    kept = []
    for y in range(screen.lines):
        line = Text()
        cells = (screen.buffer[y][x] for x in range(COLUMNS))
        for (bold, color), run in itertools.groupby(cells, key=lambda cell: (cell.bold, cell.fg)):
            style = Style(bold=bold, color=GREY if color == "brightblack" else None)
            line.append("".join(cell.data for cell in run), style)
        line.rstrip()
        kept.append(line)
    while kept and not kept[-1].plain:
        kept.pop()
    return kept


def draw(text: list[Text]) -> str:
    """The SVG of these lines, the command that printed them above."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text.from_ansi("\x1b[1m$ ./scripts/demo\x1b[0m"))
    for line in text:
        console.print(line)
    svg = console.export_svg(title="clauderon", theme=MONOKAI, code_format=FORMAT, unique_id="demo")
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def main(arguments: list[str]) -> int:
    if arguments == ["--top"]:
        sys.path.insert(0, str(ROOT))
        from scripts import picture_top

        return picture_top.main()
    if len(arguments) > 1 or arguments[:1] in (["-h"], ["--help"]):
        print("usage: scripts/picture [FILE | --top]", file=sys.stderr)
        return 2
    try:
        printed = Path(arguments[0]).read_bytes() if arguments else run_demo()
    except Failed as error:
        print(
            f"{error}\npicture: the demo did not come to its end; what it printed is above", file=sys.stderr
        )
        return 1
    PICTURE.write_text(draw(lines(printed)))
    print(PICTURE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
