"""The errors a person may see, and the exit status each one ends the process with.

An error says what was attempted, why it failed and what to type next; it never carries a secret.
`docs/exit-status.md` is generated from `EXIT_STATUS`.
"""

from __future__ import annotations

from collections.abc import Sequence

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_SESSION = 3
EXIT_BACKEND = 4
EXIT_CONFLICT = 5
EXIT_REFUSED = 6
EXIT_AUTORUN = 7
EXIT_BUG = 70
# Some commands (`own_status` in `cli.app`) pass a foreign status on, so ours move out of its way, as in `docker run`.
EXIT_OURS = 125
EXIT_TIMEOUT = 124  # as in coreutils' `timeout`: it was stopped because its time was up
EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127
EXIT_SIGNAL_BASE = 128

EXIT_STATUS: dict[int, str] = {
    EXIT_OK: "It worked.",
    EXIT_FAILED: "It failed; the message on stderr says why.",
    EXIT_USAGE: "The command line or the configuration is wrong; nothing was done.",
    EXIT_NO_SESSION: "No session has this name, or no rescue.",
    EXIT_BACKEND: "docker or git failed, or the engine cannot be reached.",
    EXIT_CONFLICT: "Something else is in the way: the name is in use, or another command holds the lock.",
    EXIT_REFUSED: "Refused for safety; the message says what would be lost or exposed.",
    EXIT_AUTORUN: "The branch brings what runs by itself, and was not to (`--check-autorun`, `[git] refuse_autorun`).",
    EXIT_BUG: "A bug in clauderon; `--debug` shows the traceback.",
    EXIT_OURS: "`create --print`, `attach`, `shell`, `exec`, `wait`: clauderon itself failed, not what it ran.",
    EXIT_NOT_EXECUTABLE: "`exec`: the command in the container cannot be executed.",
    EXIT_NOT_FOUND: "`exec`: the command is not in the container.",
}


class ClauderonError(Exception):
    """A failure with words for a person.

    what:   the thing attempted or looked at, without a full stop ("create fix-bug").
    why:    the reason, in lower case, without a full stop.
    hint:   a command to type, or None.
    detail: the failed tool's own stderr, in full, or an empty string.
    """

    exit_status = EXIT_FAILED
    code = "failed"

    def __init__(self, what: str, why: str, *, hint: str | None = None, detail: str = "") -> None:
        super().__init__(f"{what}: {why}")
        self.what = what
        self.why = why
        self.hint = hint
        self.detail = detail


class UsageError(ClauderonError):
    """A flag, an argument or a configuration value that cannot be used."""

    exit_status = EXIT_USAGE
    code = "usage"


class NoSuchSession(ClauderonError):
    """The named session is neither in the database nor among the containers."""

    exit_status = EXIT_NO_SESSION
    code = "no-such-session"


class NoSuchRescue(NoSuchSession):
    """No deleted session left work of that name."""

    code = "no-such-rescue"


class BackendError(ClauderonError):
    """docker or git answered with a failure, or could not be reached."""

    exit_status = EXIT_BACKEND
    code = "backend"


class Conflict(ClauderonError):
    """A name in use, a lock held, a branch that moved."""

    exit_status = EXIT_CONFLICT
    code = "conflict"


class Refused(ClauderonError):
    """Refused for safety: going on would lose work or expose something."""

    exit_status = EXIT_REFUSED
    code = "refused"


class Declined(Refused):
    """The person answered no. Nothing went wrong, but a script that waits for a yes must know.

    why: what was left undone, as a sentence.
    """


class BringsAutorun(Refused):
    """Refused for what would run by itself in the checkout, as was asked for."""

    exit_status = EXIT_AUTORUN
    code = "brings-autorun"


class CommandFailed(BackendError):
    """A child process ended with a status its caller did not allow (`proc`)."""

    code = "command-failed"

    def __init__(self, argv: Sequence[str], status: int, stdout: bytes, stderr: bytes) -> None:
        text = stderr.decode("utf-8", "replace").rstrip("\n")
        super().__init__(argv[0], f"exit status {status}", detail=text)
        self.argv = tuple(argv)
        self.status = status
        self.stdout = stdout
        self.stderr = stderr


class CommandKilled(BackendError):
    """A child process was ended by a signal: whatever it was asked, that is no answer (`proc`)."""

    code = "command-killed"

    def __init__(self, what: str, signal_name: str, detail: str = "") -> None:
        super().__init__(
            what,
            f"it was ended by {signal_name} before it was done",
            hint="clauderon reconcile   # then the same command again; dmesg says whether memory ran out",
            detail=detail,
        )


class CommandTimeout(BackendError):
    """A child process ran longer than its caller allowed and was stopped (`proc`)."""

    code = "timeout"


class ToolMissing(BackendError):
    """The program is not on PATH or cannot be executed (`proc`)."""

    code = "tool-missing"


class Interrupted(BaseException):
    """A signal asked the process to end; not an Exception, so that only undo code sees it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum
