"""What `scripts/test` runs, and the one line that adds it up. Holds the tools' command lines, no test."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
# More than processors: more than half of most tests' time goes on waiting (git, docker, a timeout that is tried).
WORKERS = str(max(2, min(6, (os.cpu_count() or 2) * 3 // 2)))
# More failures than these are no accident of a busy machine.
MOST_TO_REPEAT = 12
# The system's Python, where it is another one than ours.
STOCK_PYTHON = "/usr/bin/python3"
# What the system's Python need not run once more: no patch release changes what only reads our sources or what git,
# the shells or a terminal make of our words. Nor are the sweeps run again that are marked `slow`.
ONCE = (
    "tests/airlock",
    "tests/bench",
    "tests/guards",
    "tests/proxy/http/test_mask.py",
    "tests/proxy/test_oracle.py",
    "tests/quick/test_help.py",
    "tests/quick/test_shell_syntax.py",
    "tests/report",
    "tests/session/test_counted_work.py",
    "tests/session/test_foreign.py",
    "tests/session/test_reconcile.py",
    "tests/session/test_rescued_directories.py",
    "tests/session/test_rescues.py",
    "tests/session/test_story.py",
    "tests/shell/test_completion.py",
    "tests/shell/test_functions.py",
    "tests/shell/test_make.py",
    "tests/test_layers.py",
    "tests/test_screen.py",
    "tests/top",
    "tests/transcripts",
)
# What a live test may lack where everything else must run (CLAUDERON_REQUIRE_LIVE=1), by the reason it gives.
MAY_LACK = (
    "no JDK on this machine that can be mounted",
    "no Rust on this machine that can be mounted",
    "no Go on this machine",
    "this machine's firewall is another",
    "this git is older than 2.45",
)
# What the fast tests took when this was written is seconds; a hang must not eat the whole run's time.
SUITE_TIMEOUT_S = 2400


@dataclass(frozen=True, slots=True)
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


PASSED, FAILED = Tally(passed=1), Tally(failed=1)


def environment(programs: Path = BIN) -> dict[str, str]:
    """The environment of every tool: ours, with a virtual environment's programs first on PATH."""
    path = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def say(text: str) -> None:
    print(text, flush=True)


def run(argv: Sequence[str], *, quiet: bool = False, programs: Path = BIN) -> tuple[int, str]:
    """Run one tool; quiet keeps its output for a failure. Returns status and stdout (empty if not quiet)."""
    try:
        child = subprocess.run(
            argv,
            cwd=ROOT,
            env=environment(programs),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
            text=True,
            errors="replace",
            timeout=SUITE_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        return 127, f"{argv[0]}: not found\n"
    except subprocess.TimeoutExpired:
        return 124, f"{argv[0]}: no end after {SUITE_TIMEOUT_S} s\n"
    return child.returncode, child.stdout or ""


def tracked(*patterns: str) -> list[str]:
    """Files of the work tree that git knows or would add; all of them where there is no git."""
    status, names = run(["git", "ls-files", "-co", "--exclude-standard", "--", *patterns], quiet=True)
    return sorted(n for n in names.splitlines() if (ROOT / n).is_file()) if status == 0 else []


def shell_files() -> list[str]:
    """Every file that is shell by its name or its first line."""
    found = []
    for name in tracked():
        if name.endswith((".sh", ".bash", ".bats")):
            found.append(name)
        elif "." not in Path(name).name or name == ".ci/run":
            with (ROOT / name).open("rb") as file:
                first = file.readline(80)
            if first.startswith(b"#!") and first.split(b"/")[-1].split()[-1] in (b"sh", b"bash"):
                found.append(name)
    return found


def lint() -> Tally:
    shell = shell_files()
    python = ["bench", "clauderon", "tests", "scripts"]
    tools = {
        "mypy --strict": ["mypy", "--no-error-summary"],
        "shellcheck": ["shellcheck", "--external-sources", *shell],
        "shfmt": ["shfmt", "-i", "4", "-d", *shell],
        "ruff check": ["ruff", "check", "--quiet", *python],
        "ruff format": ["ruff", "format", "--check", "--quiet", *python],
    }
    total = Tally()
    # mypy takes one processor and most of the time.
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda argv: run(argv, quiet=True), tools.values()))
    for title, (status, output) in zip(tools, results, strict=True):
        say(f"   {title}: {'ok' if status == 0 else 'FAILED'}")
        if status != 0:
            say(output.rstrip())
        total += PASSED if status == 0 else FAILED
    return total


def must_run() -> bool:
    """Whether a live test that is skipped is a failure."""
    return os.environ.get("CLAUDERON_REQUIRE_LIVE") == "1"


def skips(report: ElementTree.Element) -> list[str]:
    """`test: reason` of every skipped test of a report whose reason is none of MAY_LACK."""
    found = []
    for case in report.iter("testcase"):
        for skipped in case.iter("skipped"):
            reason = skipped.get("message", "")
            if not reason.startswith(MAY_LACK):
                found.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
    return found


# What failed beside other tests and passed alone: a defect of the test or of the product, named in the last lines.
FLAKY: list[str] = []


def failures(directory: Path) -> list[str]:
    """The tests that failed in the run whose report is in `directory`."""
    try:
        root = ElementTree.parse(directory / "junit.xml").getroot()
    except (OSError, ElementTree.ParseError):
        return []
    cases = [
        case
        for case in root.iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    ]
    return [f"{case.get('classname')}::{case.get('name')}" for case in cases]


def pytest(*arguments: str, python: str = sys.executable) -> Tally:
    """Run pytest; what failed beside other tests is run once more alone, and named if it passes then.

    A test that fails both times has failed. No test at all is a failure.
    """
    with tempfile.TemporaryDirectory(prefix="clauderon-report-") as directory:
        tally = _pytest(Path(directory), "-n", WORKERS, "--dist", "worksteal", *arguments, python=python)
        if not 0 < tally.failed <= MOST_TO_REPEAT:
            return tally
        failed = failures(Path(directory))
        say("   once more, alone:")
        alone = ("--last-failed", "--last-failed-no-failures=none")
        again = _pytest(Path(directory), *alone, *arguments, python=python)
        if again.failed or again.passed == 0:
            return tally
        FLAKY.extend(failed)
        return Tally(tally.passed + again.passed, 0, tally.skipped)


def _pytest(directory: Path, *arguments: str, python: str = sys.executable) -> Tally:
    """One run, its counts read from the report it writes."""
    report = directory / "junit.xml"
    options = ["-q", "-o", f"cache_dir={directory / 'cache'}", f"--junitxml={report}"]
    report.unlink(missing_ok=True)
    status, _ = run([python, "-m", "pytest", *options, *arguments], programs=Path(python).parent)
    try:
        root = ElementTree.parse(report).getroot()
        suite = next(root.iter("testsuite"))
    except (OSError, ElementTree.ParseError, StopIteration):
        return FAILED
    count = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
    # An error at teardown is counted beside its passed test.
    failed = count["failures"] + count["errors"]
    passed = max(0, count["tests"] - failed - count["skipped"])
    if status != 0 and failed == 0:
        failed = 1
    missed = skips(root) if must_run() and "live" in arguments else []
    for line in missed:
        say(f"   skipped, and nothing may be: {line}")
    return Tally(passed, failed + len(missed), count["skipped"] - len(missed))


def fast() -> Tally:
    return pytest("-m", "not live", *EXTRA)


def stock() -> Tally:
    """The fast tests, but for ONCE and the slow ones, with the system's own Python: its `ssl`, sqlite and asyncio."""
    status, found = run([STOCK_PYTHON, "-c", "import sys; print(sys.version)"], quiet=True)
    if status != 0 or found.strip() == sys.version:
        say(f"   {STOCK_PYTHON} is no other Python: nothing to do")
        return Tally()
    say(f"   {STOCK_PYTHON} is {found.split()[0]}")
    venv = BIN.parent.with_name(f"{BIN.parent.name}-stock")
    settings = [f"CLAUDERON_VENV={venv}", f"CLAUDERON_PYTHON={STOCK_PYTHON}"]
    status, output = run(["env", *settings, "scripts/setup", "test"], quiet=True)
    if status != 0:
        say(output.rstrip())
        return FAILED
    ignored = [f"--ignore={place}" for place in ONCE]
    return pytest("-m", "not live and not slow", *ignored, *EXTRA, python=str(venv / "bin" / "python"))


def bats() -> Tally:
    if not tracked("bats/*.bats"):
        say("   there is no bats file")
        return FAILED
    if engine_version() is not None:
        make_images()  # some of them run against a real engine too
    files = sorted(tracked("bats/*.bats"), key=lambda name: -(ROOT / name).stat().st_size)
    with ThreadPoolExecutor(int(WORKERS)) as pool:
        tally = sum(pool.map(_bats_file, files), Tally())
    return Tally(tally.passed, tally.failed + tally.skipped) if must_run() else tally


def _bats_file(file: str) -> Tally:
    """One file's tests; what failed beside another file's is run once more, as pytest's are, and named."""
    status, output = run(["bats", "--tap", file], quiet=True)
    failed = re.findall(r"^not ok \d+ (.*)$", output, re.MULTILINE)
    results = re.findall(r"^ok \d+ .*$", output, re.MULTILINE)
    missed = [line for line in results if " # skip" in line]
    if must_run():
        for line in missed:
            say(f"   skipped, and nothing may be: {line}")
    skipped = len(missed)
    passed = len(results) - skipped
    if not failed:
        if status != 0 or passed == 0:
            say(output.rstrip())
            return Tally(passed, 1, skipped)
        return Tally(passed, 0, skipped)
    say(output.rstrip())
    if len(failed) <= MOST_TO_REPEAT:
        names = "|".join(re.escape(name) for name in failed)
        status, output = run(["bats", "--tap", "--filter", f"^({names})$", file], quiet=True)
        if status == 0:
            FLAKY.extend(f"{file}: {name}" for name in failed)
            return Tally(passed + len(failed), 0, skipped)
        say(output.rstrip())
    return Tally(passed, len(failed), skipped)


def make_images() -> bool:
    """The test images on the answering engine, made if they are missing."""
    return run(["scripts/images"])[0] == 0


def engine_version() -> str | None:
    """The answering engine's version, or None."""
    if shutil.which("docker", path=environment()["PATH"]) is None:
        return None
    status, output = run(["docker", "version", "--format", "{{.Server.Version}}"], quiet=True)
    return output.strip() if status == 0 else None


def live() -> Tally:
    version = engine_version()
    if version is None:
        say("   no Docker engine answers: the live tests are skipped (scripts/engine start DIR starts one)")
    elif not make_images():
        say("   the test images could not be made: the live tests are skipped")
        version = None
    if version is None:
        return FAILED if must_run() else Tally(skipped=1)
    say(f"   engine {version}")
    tally = pytest("-m", "live", *EXTRA)
    if tally.passed == 0:
        say("   no live test ran")
        return tally + FAILED
    return tally


SUITES: dict[str, Callable[[], Tally]] = {
    "lint": lint,
    "fast": fast,
    "stock": stock,
    "bats": bats,
    "live": live,
}
# Without a word on the command line; "stock" is CI's.
USUAL = [name for name in SUITES if name != "stock"]
EXTRA: list[str] = []


def main(arguments: list[str]) -> int:
    # Ignored in a background run (`&`, nohup), and by every child of it; the tests send them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if "--" in arguments:
        cut = arguments.index("--")
        EXTRA.extend(arguments[cut + 1 :])
        arguments = arguments[:cut]
    unknown = [name for name in arguments if name not in SUITES]
    if unknown:
        say(f"scripts/test: unknown suite {unknown[0]}; there are {', '.join(SUITES)}")
        return 2
    total = Tally()
    for name in arguments or USUAL:
        started = time.monotonic()
        say(f"== {name}")
        tally = SUITES[name]()
        say(f"   {name}: {tally} ({time.monotonic() - started:.0f} s)")
        total += tally
    if total.passed + total.failed == 0:
        say("no test ran")
        total += FAILED
    say("")
    for flaky in FLAKY:
        say(f"FLAKY {flaky}")
    say(str(total))
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
