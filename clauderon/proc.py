"""THE process boundary: every child process of the command line starts here, and nowhere else.

Mechanism only: argv, directory, environment and input come whole from the caller; what a status means is
the caller's to say. Three doors: `run` (plumbum) for a command that answers, `stream` (sh) for one that
talks for long, `replace` (exec) for one that takes over the terminal. `start` begins a command whose
answer is wanted later, so that independent ones run side by side.

Children run in a process group of their own: a Ctrl-C reaches us first, and we stop them in order.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from clauderon.errors import EXIT_SIGNAL_BASE, CommandFailed, CommandTimeout, Interrupted, ToolMissing

Env = Mapping[str, str]
# How long a child may take to answer each step of the stop ladder (interrupt, terminate, kill).
STOP_GRACE_S = 3.0
_PR_SET_PDEATHSIG = 1


class Completed(NamedTuple):
    """What a finished child said. `status` is 128+n for a child ended by signal n."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """stdout as text; bytes that are not UTF-8 survive a round trip (`surrogateescape`)."""
        return self.stdout.decode("utf-8", "surrogateescape")

    @property
    def error_text(self) -> str:
        return self.stderr.decode("utf-8", "replace").rstrip("\n")


def find(program: str, env: Env) -> str:
    """The absolute path of `program` on the PATH of `env`. Raises ToolMissing."""
    path = shutil.which(program, path=env.get("PATH", os.defpath))
    if path is None:
        raise ToolMissing(program, "not found on PATH", hint=f"command -v {program}")
    return str(Path(path).absolute())


def _is_nowhere() -> bool:
    """Whether the directory we are in was removed; a child that is told of none starts at `/` then."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def run(
    argv: Sequence[str],
    *,
    env: Env,
    cwd: str | os.PathLike[str] | None = None,
    stdin: bytes = b"",
    timeout_s: float | None = None,
    ok: Collection[int] | None = (0,),
    settle_s: float = 0.0,
) -> Completed:
    """Run a command to its end and return its answer.

    ok: the statuses that are no failure; None allows every one.
    settle_s: how long an interrupted caller lets it end by itself before it is stopped: for a child that has told
    a server to make something, which the server does whether or not the child is there to hear of it.
    Raises CommandFailed, CommandTimeout (the child is stopped first) and ToolMissing.
    """
    if _is_nowhere():
        # plumbum cannot be imported there, and git does not start.
        running = start(argv, env=env, cwd=cwd or "/", stdin=stdin)
        return running.result(timeout_s=timeout_s, ok=ok, settle_s=settle_s)
    from plumbum import local
    from plumbum.machines.local import LocalCommand

    # plumbum lays each call's environment over a copy it took at import; ours is the whole truth.
    local.env.clear()
    command = LocalCommand(local.path(find(argv[0], env)))
    try:
        child = command.popen(
            list(argv[1:]), cwd=os.fspath(cwd or Path.cwd()), env=dict(env), process_group=0
        )
    except OSError as error:
        raise _cannot_start(argv, cwd, error) from error
    return _finish(tuple(argv), child, stdin, timeout_s, ok, settle_s)


class Running:
    """A child that was started and not yet asked for its answer."""

    __slots__ = ("argv", "child", "stdin")

    def __init__(self, argv: tuple[str, ...], child: subprocess.Popen[bytes], stdin: bytes) -> None:
        self.argv = argv
        self.child = child
        self.stdin = stdin

    def result(
        self,
        *,
        timeout_s: float | None = None,
        ok: Collection[int] | None = (0,),
        settle_s: float = 0.0,
    ) -> Completed:
        """Wait for the child; raises and settles as `run` does."""
        return _finish(self.argv, self.child, self.stdin, timeout_s, ok, settle_s)

    def ended(self) -> bool:
        """Whether the child has ended; `result` then answers at once."""
        return self.child.poll() is not None

    def stop(self) -> None:
        """End the child if it still runs."""
        _stop(self.child)


def start(
    argv: Sequence[str],
    *,
    env: Env,
    cwd: str | os.PathLike[str] | None = None,
    stdin: bytes = b"",
) -> Running:
    """Begin a command without waiting; ask `Running.result` later.

    subprocess rather than plumbum: this is what `create` uses while plumbum's import is still under way.
    A child that prints more than a pipe holds (64 KiB) waits until `result` reads it.
    """
    try:
        with _held_signals() as came:
            child = subprocess.Popen(
                [find(argv[0], env), *argv[1:]],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,
            )
    except OSError as error:
        raise _cannot_start(argv, cwd, error) from error
    if came:
        _stop(child)
        signal.raise_signal(came[0])
    return Running(tuple(argv), child, stdin)


@contextlib.contextmanager
def _held_signals() -> Iterator[list[int]]:
    """Collect the signals that would interrupt us: between a child's start and our knowing it, nobody could stop it."""
    came: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            # An ignored signal stays ignored, since the child inherits that.
            if callable(signal.getsignal(number)):
                before[number] = signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def pipe(
    producer: Sequence[str],
    consumer: Sequence[str],
    *,
    env: Env,
    consumer_env: Env | None = None,
    cwd: str | os.PathLike[str] | None = None,
    stdin: bytes = b"",
) -> Completed:
    """Run `producer | consumer`, as a shell with pipefail would; returns the consumer's answer.

    stdin goes to the producer. Raises CommandFailed for whichever failed first in the pipe.
    """
    with contextlib.ExitStack() as children:
        first = subprocess.Popen(
            [find(producer[0], env), *producer[1:]],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        children.callback(_stop, first)
        second_env = env if consumer_env is None else consumer_env
        second = subprocess.Popen(
            [find(consumer[0], second_env), *consumer[1:]],
            cwd=cwd,
            env=dict(second_env),
            stdin=first.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        children.callback(_stop, second)
        assert first.stdout is not None
        first.stdout.close()  # so that the producer gets SIGPIPE when the consumer ends early
        first.stdout = None
        answers: list[Completed] = []

        def finish_consumer() -> None:
            answers.append(_finish(tuple(consumer), second, b"", None, None))

        reader = threading.Thread(target=finish_consumer)
        reader.start()
        produced = _finish(tuple(producer), first, stdin, None, None)
        reader.join()
    consumed = answers[0]
    # A consumer that fails kills its producer with SIGPIPE; its own message is then the useful one.
    broken_pipe = produced.status == EXIT_SIGNAL_BASE + signal.SIGPIPE
    for answer in (consumed, produced) if broken_pipe else (produced, consumed):
        if answer.status != 0:
            raise CommandFailed(answer.argv, answer.status, answer.stdout, answer.stderr)
    return consumed


def stream(
    argv: Sequence[str],
    *,
    env: Env,
    cwd: str | os.PathLike[str] | None = None,
    on_stdout: Callable[[str], None] | None = None,
    on_stderr: Callable[[str], None] | None = None,
    timeout_s: float | None = None,
    ok: Collection[int] | None = (0,),
) -> int:
    """Run a command that talks for long, handing over each line as it comes; returns the status.

    on_stdout, on_stderr: called with each line, newline included; None throws the stream away.
    Raises as `run` does; CommandFailed then carries the last lines of stderr.
    """
    import sh

    tail: list[str] = []

    def keep_stderr(line: str) -> None:
        tail.append(line)
        del tail[:-200]
        if on_stderr is not None:
            on_stderr(line)

    options: dict[str, Any] = {
        "_env": dict(env),
        "_cwd": os.fspath(cwd) if cwd is not None else "/" if _is_nowhere() else None,
        "_out": on_stdout if on_stdout is not None else (lambda _line: None),
        "_err": keep_stderr,
        # sh gives the child a terminal on stdout unless told otherwise.
        "_tty_out": False,
        "_in": None,
        "_no_out": False,
        "_bg": True,
        "_bg_exc": False,
        "_new_session": True,
        "_encoding": "utf-8",
        "_decode_errors": "replace",
        "_ok_code": list(range(256)),
        "_return_cmd": True,
    }
    command = sh.Command(find(argv[0], env))(*argv[1:], **{k: v for k, v in options.items() if v is not None})
    try:
        command.wait(timeout=timeout_s)
        status = int(command.exit_code)
    except sh.TimeoutException as error:
        _stop_sh(command)
        raise CommandTimeout(argv[0], f"no end after {timeout_s:g} s", detail="".join(tail)) from error
    except sh.SignalException as error:
        status = EXIT_SIGNAL_BASE - int(error.exit_code) if error.exit_code < 0 else int(error.exit_code)
    except BaseException:
        _stop_sh(command)
        raise
    if ok is not None and status not in ok:
        raise CommandFailed(argv, status, b"", "".join(tail).encode())
    return status


def replace(argv: Sequence[str], *, env: Env) -> NoReturn:
    """Become the command: it takes over the terminal, the signals and the exit status."""
    path = find(argv[0], env)
    try:
        os.execve(path, list(argv), dict(env))
    except OSError as error:
        raise _cannot_start(argv, None, error) from error


def pass_through(argv: Sequence[str], *, env: Env, cut_off: Callable[[int, Callable[[], bool]], None]) -> int:
    """Run a command on our own three streams and in our own process group; returns its status.

    cut_off: called with the number of the signal that ended the command, or us, and with what says whether the command
    is still there. For a command that is only the near end of one somewhere else, which would go on; the near end has
    some seconds to end by itself then, and is stopped. What it says of itself does not count then: docker 28 takes its
    interruption for a success.
    """
    with _quitting_interrupts():
        child, came = _begin_here(argv, env)
        try:
            if came:
                signal.raise_signal(came[0])
            returncode = child.wait()
        except BaseException as interrupt:
            try:
                cut_off(getattr(interrupt, "signum", signal.SIGINT), lambda: child.poll() is None)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(STOP_GRACE_S)
            finally:
                _stop(child)
            raise
    if returncode < 0:
        cut_off(-returncode, lambda: False)
    return _status(returncode)


def visit(argv: Sequence[str], *, env: Env) -> Completed:
    """Run a command that takes our terminal over, in our own process group; its stderr comes back.

    For docker's `attach`, which has a word to say at the end of a visit and a status that is not the agent's.
    """
    child, came = _begin_here(argv, env, stderr=subprocess.PIPE)
    assert child.stderr is not None
    try:
        if came:
            signal.raise_signal(came[0])
        with child.stderr:
            errors = child.stderr.read()
        return Completed(tuple(argv), _status(child.wait()), b"", errors)
    except BaseException:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(STOP_GRACE_S)  # it puts the terminal back in order
        _stop(child)
        raise


def until_reader_leaves(argv: Sequence[str], *, env: Env) -> int:
    """Run a command on our own streams; returns its status, or SIGPIPE's at once when nobody reads any more.

    For one that has long nothing to write, and so does not notice.
    """
    child, came = _begin_here(argv, env)
    try:
        if came:
            signal.raise_signal(came[0])
        left = threading.Event()

        def look() -> None:
            if reader_left(None):
                left.set()
                child.terminate()

        threading.Thread(target=look, daemon=True).start()
        status = _status(child.wait())
        return EXIT_SIGNAL_BASE + signal.SIGPIPE if left.is_set() else status
    except BaseException:
        _stop(child)
        raise


def reader_left(timeout_ms: int | None = 0) -> bool:
    """Whether nobody can read what we print any more; None waits until it is so."""
    poll = select.poll()
    poll.register(1, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(timeout_ms))


def _begin_here(
    argv: Sequence[str], env: Env, *, stderr: int | None = None
) -> tuple[subprocess.Popen[bytes], list[int]]:
    """Start a command on our own streams, in our own process group; with it the signals that came meanwhile."""
    try:
        with _held_signals() as came:
            child = subprocess.Popen(
                [find(argv[0], env), *argv[1:]], env=dict(env), stderr=stderr, preexec_fn=_ends_with_us()
            )
    except OSError as error:
        raise _cannot_start(argv, None, error) from error
    return child, came


def _ends_with_us() -> Callable[[], None] | None:
    """For a child: that the kernel ends it should we be killed. It would hold our terminal and our pipes."""
    if sys.platform != "linux":
        return None
    import ctypes

    prctl, us = ctypes.CDLL(None).prctl, os.getpid()

    def end_with_us() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != us:
            os.kill(os.getpid(), signal.SIGTERM)

    return end_with_us


@contextlib.contextmanager
def _quitting_interrupts() -> Iterator[None]:
    """Ctrl-\\ as an interrupt: by itself it would leave the child, which has its own mind about it, alone."""
    before = signal.getsignal(signal.SIGQUIT)
    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGQUIT, _interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGQUIT, before)


def _interrupted(signum: int, _frame: object) -> None:
    signal.signal(signum, signal.SIG_IGN)  # once is enough
    raise Interrupted(signum)


def foreground(argv: Sequence[str], *, env: Env, stdin: bytes = b"", capture: bool = False) -> Completed:
    """Run a command on our own stdout and stderr; returns its status, and its stdout if that was captured.

    For output that must pass through byte for byte and is followed by something of ours. A Ctrl-C is ours: the
    child is stopped and the interrupt goes on. Where nothing follows, `replace` is the better door.
    stdin: less than a pipe holds. It is written at once and the pipe stays open until the child ends: `docker
    attach` gives up listening when its input ends (client 28 with engine 20.10).
    """
    try:
        child = subprocess.Popen(
            [find(argv[0], env), *argv[1:]],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if capture else None,
            process_group=0,
        )
    except OSError as error:
        raise _cannot_start(argv, None, error) from error
    try:
        with contextlib.suppress(BrokenPipeError), child.stdin as pipe_end:  # type: ignore[union-attr]
            pipe_end.write(stdin)
            pipe_end.flush()
            stdout = child.stdout.read() if child.stdout is not None else b""
            status = _status(child.wait())
        return Completed(tuple(argv), status, stdout, b"")
    except BaseException:
        _stop(child)
        raise
    finally:
        if child.stdout is not None:
            child.stdout.close()


def daemon(argv: Sequence[str], *, env: Env, log: Path) -> int:
    """Start a command that outlives us, in a session of its own; returns its pid.

    Its output is appended to `log` (created 0600), its input is empty, its directory is `/`.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            [find(argv[0], env), *argv[1:]],
            env=dict(env),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    except OSError as error:
        raise _cannot_start(argv, None, error) from error
    finally:
        os.close(descriptor)
    child.returncode = 0  # it is not ours to reap: keeps Popen.__del__ from warning
    return child.pid


def attend(argv: Sequence[str], *, env: Env, pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Start a child that its caller watches and reaps: our stdout and stderr, no input, a group of its own.

    pass_fds: descriptors it keeps, under the same numbers.
    """
    try:
        return subprocess.Popen(
            [find(argv[0], env), *argv[1:]],
            env=dict(env),
            cwd="/",
            stdin=subprocess.DEVNULL,
            pass_fds=tuple(pass_fds),
            process_group=0,
        )
    except OSError as error:
        raise _cannot_start(argv, None, error) from error


def _finish(
    argv: tuple[str, ...],
    child: Any,
    stdin: bytes,
    timeout_s: float | None,
    ok: Collection[int] | None,
    settle_s: float = 0.0,
) -> Completed:
    try:
        stdout, stderr = child.communicate(stdin or None, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        _stop(child)
        raise CommandTimeout(argv[0], f"no answer after {timeout_s:g} s") from error
    except BaseException:
        try:
            if settle_s:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(settle_s)
        finally:
            _stop(child)
        raise
    answer = Completed(argv, _status(child.returncode), stdout or b"", stderr or b"")
    if ok is not None and answer.status not in ok:
        raise CommandFailed(argv, answer.status, answer.stdout, answer.stderr)
    return answer


def _status(returncode: int) -> int:
    return EXIT_SIGNAL_BASE - returncode if returncode < 0 else returncode


def _stop(child: Any) -> None:
    """The stop ladder: interrupt, wait, terminate, wait, kill."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(STOP_GRACE_S)
    for pipe_end in (child.stdin, child.stdout, child.stderr):
        if pipe_end is not None:
            with contextlib.suppress(OSError):
                pipe_end.close()


def _stop_sh(command: Any) -> None:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if not command.is_alive():
            return
        with contextlib.suppress(ProcessLookupError, OSError):
            command.signal(signum)
        with contextlib.suppress(Exception):
            command.wait(timeout=STOP_GRACE_S)


def _cannot_start(argv: Sequence[str], cwd: object, error: OSError) -> ToolMissing:
    place = f" in {cwd}" if cwd is not None and not Path(str(cwd)).is_dir() else ""
    return ToolMissing(argv[0], f"cannot be started{place}: {error.strerror or error}")
