"""What `scripts/picture --top` does: runs `clauderon top` on a terminal, over made-up sessions, and draws it."""

from __future__ import annotations

import fcntl
import io
import itertools
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from clauderon.paths import Home  # noqa: E402
from scripts.picture import FORMAT  # noqa: E402
from tests.standins.fleet import Fleet  # noqa: E402
from tests.standins.repository import make_repo  # noqa: E402

PICTURE = ROOT / "docs" / "top.svg"
COLUMNS, LINES = 108, 24
# How long it is watched before it is drawn: bars want some looks.
WATCHED_S = 14.0
_OUTPUT = (
    b"\x1b[1mI found the cause:\x1b[0m the cart was rounded twice.\r\n\r\nMay I run the tests?  (y/n)\r\n"
)
# Name, activity, status once ended, CPU, memory, commits, tokens from the cache, cost in thousandths.
_SESSIONS = (
    ("fix-flaky-test", "waiting permission", "", "0.40%", "412MiB / 8GiB", 2, 2_915_220, 2730),
    ("add-json-output", "working", "", "87.10%", "655MiB / 8GiB", 3, 5_402_118, 4120),
    ("upgrade-deps", "working", "", "143.00%", "1.9GiB / 8GiB", 1, 1_102_118, 1090),
    ("port-to-aarch64", "working", "", "12.40%", "530MiB / 8GiB", 0, 402_118, 480),
    ("write-the-docs", "done", "0", "", "", 4, 802_118, 660),
    ("try-new-parser", "done", "3", "", "", 1, 302_118, 210),
)


def made_up(place: Path) -> Fleet:
    """The sessions, in a home of their own."""
    os.environ.update(HOME=str(place), CLAUDERON_HOME=str(place / "state"))
    home = Home.from_environ(os.environ)
    home.create()
    fleet = Fleet(home, place / "fleet", make_repo(place / "repo"))
    for number, (name, activity, own, cpu, memory, commits, cached, cost) in enumerate(_SESSIONS, 1):
        ended = {"state": "exited", "status": f"Exited ({own}) 1 hour ago", "own_status": own} if own else {}
        files = [f"{name}-{each}" for each in range(commits)]
        session = fleet.add(
            name, number, activity=activity, cpu=cpu, memory=memory, output=_OUTPUT, commits=files, **ended
        )
        fleet.use(session, nano=cost * 10**6, cache_read=cached, output=cached // 70)
    return fleet


def watch(fleet: Fleet) -> pyte.Screen:
    """What a terminal shows of `clauderon top` after a while, with requests going on."""
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    env = {**fleet.environ, "HOME": os.environ["HOME"], "CLAUDERON_HOME": os.environ["CLAUDERON_HOME"]}
    env |= {"TERM": "xterm-256color"}
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    sessions = fleet.rows()[1:4]
    with subprocess.Popen(
        [sys.executable, "-m", "clauderon", "top"], stdin=far, stdout=far, stderr=far, env=env
    ) as child:
        os.close(far)
        end = time.monotonic() + WATCHED_S
        shown_output = False
        for turn in itertools.count():
            if select.select([near], [], [], 0.4)[0]:
                stream.feed(os.read(near, 1 << 16))
            for number, session in enumerate(sessions):
                if (turn + number) % (number + 2) == 0:
                    fleet.request(session, bytes_down=1000 * (1 + (turn * (7 + number)) % 13), time=now())
            if not shown_output and time.monotonic() > end - 5:
                shown_output = True
                os.write(near, b"o")
            if time.monotonic() > end:
                break
        os.write(near, b"q")
        child.wait(20)
    os.close(near)
    return screen


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


def lines(screen: pyte.Screen) -> list[Text]:
    """The screen's lines with their colours."""
    found = []
    for y in range(screen.lines):
        line = Text()
        cells = (screen.buffer[y][x] for x in range(screen.columns))
        for (fg, bg, bold, reverse), run in itertools.groupby(
            cells, key=lambda c: (c.fg, c.bg, c.bold, c.reverse)
        ):
            style = Style(color=_color(fg), bgcolor=_color(bg), bold=bold, reverse=reverse)
            line.append("".join(cell.data for cell in run), style)
        found.append(line)
    return found


def _color(name: str) -> str | None:
    if name == "default":
        return None
    if len(name) == 6 and all(char in "0123456789abcdef" for char in name):
        return f"#{name}"
    plain = name.removeprefix("bright")
    known = {"brown": "yellow"}.get(plain, plain)
    return f"bright_{known}" if name.startswith("bright") else known


def main() -> int:
    with tempfile.TemporaryDirectory() as place:
        screen = watch(made_up(Path(place)))
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for line in lines(screen):
        console.print(line, overflow="crop", no_wrap=True)
    form = FORMAT.replace("scripts/demo in a terminal", "clauderon top in a terminal")
    svg = console.export_svg(title="clauderon top", theme=MONOKAI, code_format=form, unique_id="top")
    PICTURE.write_text("\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n")
    print(PICTURE.relative_to(ROOT))
    return 0
