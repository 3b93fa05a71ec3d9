"""Runs one command line: parses, calls, and turns every ending into words and an exit status."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from clauderon import proc, streams
from clauderon.cli import app, common, parsing, step
from clauderon.cli.declared import Exit
from clauderon.errors import (
    EXIT_BUG,
    EXIT_OURS,
    EXIT_SIGNAL_BASE,
    ClauderonError,
    Interrupted,
    UsageError,
)
from clauderon.quick import env as quick_env

_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
# Errors of the machine that any program would meet, such as a full disk: no bug; `doctor` looks at them.
_THE_MACHINES = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENFILE,
     errno.ENOTDIR, errno.ELOOP)
)  # fmt: skip


def run(argv: Sequence[str]) -> int:
    """Run the command line (without the program's name); returns the exit status."""
    words = _with_command_apart(list(argv) or ["--help"])
    debug = _take_debug(words)
    command = next((word for word in words if not word.startswith("-")), "")
    _prepare_output(words, command, debug)
    for signum in _ENDING_SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(signum, _interrupt)
    try:
        return _run_to_its_end(words, command)
    except BrokenPipeError:
        # The reader went away, as `| head` does: end as a program that SIGPIPE ended, without a word.
        streams.silence(1)
        return EXIT_SIGNAL_BASE + signal.SIGPIPE
    except KeyboardInterrupt:
        common.output.interrupted()
        return EXIT_SIGNAL_BASE + signal.SIGINT
    except Interrupted as error:
        return EXIT_SIGNAL_BASE + error.signum
    except ClauderonError as error:
        if debug:
            _print_traceback()
        interrupt = _interrupt_before(error)
        if interrupt is None:
            return _fail(error, words, command)
        # The undoing of an interrupted command may fail although the command itself did not.
        common.output.warn(f"after the interrupt: {error}")
        return EXIT_SIGNAL_BASE + interrupt
    except Exception as error:  # noqa: BLE001 - the last resort: no traceback without --debug
        if debug:
            _print_traceback()
        return _fail(_of_the_machine(error, words) or _bug(error), words, command)


def _run_to_its_end(words: list[str], command: str) -> int:
    try:
        return _run(words, command)
    except (KeyboardInterrupt, Interrupted):
        # It may have come between a child's start and whoever waits for it.
        proc.stop_unwaited()
        raise


def _interrupt_before(error: BaseException) -> int | None:
    """The number of the signal that had interrupted us when this error came up, if one had."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, KeyboardInterrupt | Interrupted):
            return getattr(seen, "signum", signal.SIGINT)
        seen = seen.__context__
    return None


def _bug(error: Exception) -> ClauderonError:
    why = f"{type(error).__name__}: {error}"
    bug = ClauderonError("bug", why, hint="run it again with --debug, and report what it prints")
    bug.exit_status, bug.code = EXIT_BUG, "bug"
    return bug


def _of_the_machine(error: Exception, words: list[str]) -> ClauderonError | None:
    """The error with words for a person, if it is the machine's doing."""
    if not isinstance(error, OSError) or error.errno not in _THE_MACHINES:
        return None
    why = (error.strerror or str(error)).lower()
    if error.filename is None and {"--help", "-h"} & set(words):
        streams.silence(1)  # what could not be written there would fail again at the end
        return ClauderonError("stdout", why)
    return ClauderonError(str(error.filename or "disk"), why, hint="clauderon doctor")


def _print_traceback() -> None:
    import traceback

    traceback.print_exc()


def _fail(error: ClauderonError, words: list[str], command: str) -> int:
    """Say it; returns the status to end with. A bug too must not be taken for the status of what ran."""
    status = EXIT_OURS if _passes_status(words, command) else error.exit_status
    if command == "env" and not common.output.json:
        common.output.text(quick_env.failure(words, error))
    common.output.fail(error, status)
    return status


def _run(words: list[str], command: str) -> int:
    if command == step.NAME:
        return step.run(words[1:])
    if command and command not in app.NAMES:
        raise UsageError(command, "no such command", hint=_nearest(command))
    call = _plain(words, command)
    if call is None:
        from clauderon.cli import typed

        return typed.run(words, command)
    try:
        call.function(**call.values)
    except Exit as ending:
        return ending.status
    return 0


def _plain(words: list[str], command: str) -> parsing.Call | None:
    """The call of a plain command line; None where typer has to look."""
    if not command or words[0] != command:
        return None
    for each in app.COMMANDS:
        path = [each.group, each.name] if each.group else [each.name]
        if words[: len(path)] == path:
            return parsing.plain(app.function_of(each), words[len(path) :])
    return None


def _nearest(command: str) -> str:
    near = "" if command == "help" else app.meant(command, app.NAMES)
    return f"clauderon {near}   # did you mean this?" if near else "clauderon --help"


def _with_command_apart(words: list[str]) -> list[str]:
    """`exec NAME ls -l` as `exec NAME -- ls -l`: what follows a command's name is the command's, as in `docker exec`.

    The options before a command take no values, and of `exec` one alone does, so the third other word is that name.
    """
    end = words.index("--") if "--" in words else len(words)
    plain = [
        index
        for index in range(end)
        if not words[index].startswith("-") and words[index - 1 : index] != ["--detach-keys"]
    ]
    if len(plain) > 2 and words[plain[0]] == "exec":
        words.insert(plain[2], "--")
    return words


def _take_debug(words: list[str]) -> bool:
    """Whether --debug comes before any `--`; it is taken out, so that it works after the command too."""
    end = words.index("--") if "--" in words else len(words)
    if "--debug" in words[:end]:
        words.remove("--debug")
        return True
    return bool(os.environ.get("CLAUDERON_DEBUG"))


def _prepare_output(words: list[str], command: str, debug: bool) -> None:
    end = words.index("--") if "--" in words else len(words)
    flags = words[:end]
    out = common.output
    out.command, out.debug = command, debug
    proc.told_to(out.waiting)
    follows_format = [b for a, b in itertools.pairwise(flags) if a == "--format"]
    if "--json" in flags or "--format=json" in flags or "json" in follows_format:
        out.format = "json"


def _passes_status(words: list[str], command: str) -> bool:
    if command == "create":
        return "--print" in words and not {"--detach", "-d", "--dry-run"} & set(words)
    if command == step.NAME:
        return words[1:2] == ["print"]
    return any(c.own_status for c in app.COMMANDS if c.name == command and not c.group)


def _interrupt(signum: int, _frame: Any) -> None:
    for each in _ENDING_SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # once is enough: the undoing must not be interrupted by the same
    raise Interrupted(signum)


def main() -> None:
    """Run the command line of this process and exit with its status."""
    sys.exit(run(sys.argv[1:]))
