"""Stands on PATH as `docker` and as `git`: answers from a transcript, or records the real tool.

Stdlib only and light to start: it runs once a call. The directory it lies in holds its orders:
`entries` (marshal, see `replayer.compiled`) to replay, `recorder` (a socket's path) to record.
"""
# pathlib would cost half of the start-up time.

from __future__ import annotations

import fcntl
import marshal
import os
import signal
import time

TYPE_CHECKING = False  # `typing` would cost as much as all the rest
if TYPE_CHECKING:
    from typing import Any, NoReturn

    Text = tuple[str | tuple[str, int], ...]
    Values = dict[tuple[str, int], str]
    Call = tuple[list[str], str, list[str], bytes]

# What a transcript shows of the environment, by tool; the scene's own settings are the same in all of them.
SHOWN = {"docker": ("DOCKER_CLI_HINTS", "DOCKER_CONTEXT", "LC_ALL"), "git": ("GIT_", "LC_ALL")}
SCENERY = ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE", "GIT_CONFIG_NOSYSTEM")
UNEXPECTED = 97
# A call that the caller ends by a signal waits for it; never longer than this.
SIGNAL_WAIT_S = 60


def shown_environment(tool: str) -> list[str]:
    """The part of the environment that a transcript shows and compares, sorted."""
    shown = SHOWN[tool]
    return sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith(shown) and k not in SCENERY)


def read_stdin(recorded: list[bytes | None]) -> bytes:
    """All of stdin, to its end; or until it is one of those recorded, for a caller that leaves it open after."""
    data = b""
    while not (data and data in recorded and not can_read()) and (chunk := os.read(0, 1 << 16)):
        data += chunk
    return data


def can_read() -> bool:
    import select

    return bool(select.select([0], [], [], 0)[0])


def peek_stdin() -> bytes:
    """What stdin holds just now. A caller may leave it open for ever when it has nothing to say."""
    try:
        return os.read(0, 1 << 16) if not os.isatty(0) and can_read() else b""
    except OSError:
        return b""


def write(descriptor: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:  # the caller does not listen
        pass


def expand(text: Text, values: Values) -> str | None:
    """A text's pieces with every placeholder's value, or None where one has none yet."""
    out = []
    for piece in text:
        value = piece if isinstance(piece, str) else values.get(piece)
        if value is None:
            return None
        out.append(value)
    return "".join(out)


def matches(text: Text, actual: str, values: Values, shapes: dict[str, str]) -> bool:
    """Whether `actual` is `text`; binds placeholders seen for the first time into `values`."""
    expanded = expand(text, values)
    if expanded is not None:
        return expanded == actual
    import re

    pattern: list[str] = []
    seen: dict[tuple[str, int], str] = {}
    for piece in text:
        if isinstance(piece, str):
            pattern.append(re.escape(piece))
        elif piece in values:
            pattern.append(re.escape(values[piece]))
        elif piece in seen:
            pattern.append(f"(?P={seen[piece]})")
        else:
            seen[piece] = f"p{len(seen)}"
            pattern.append(f"(?P<{seen[piece]}>{shapes[piece[0]]})")
    match = re.fullmatch("".join(pattern), actual, re.DOTALL)
    if match is None:
        return False
    values.update({piece: match[group] for piece, group in seen.items()})
    return True


class State:
    """The replay's progress, shared by concurrent calls under a lock."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.path = os.path.join(directory, "progress")

    def __enter__(self) -> State:
        self.lock = os.open(os.path.join(self.directory, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        with open(self.path, "rb") as file:
            self.used, self.ended, self.values = marshal.load(file)
        return self

    def __exit__(self, *_: object) -> None:
        with open(self.path + ".new", "wb") as file:
            marshal.dump((self.used, self.ended, self.values), file)
        os.replace(self.path + ".new", self.path)
        os.close(self.lock)


def same(entry: dict[str, Any], call: Call, values: Values, shapes: dict[str, str]) -> bool:
    """Whether the entry is exactly this call; `values` then holds what it bound."""
    argv, cwd, env, stdin = call
    if len(entry["argv"]) != len(argv) or len(entry["env"]) != len(env):
        return False
    pairs = [*zip(entry["argv"], argv), (entry["cwd"], cwd), *zip(entry["env"], env)]
    if not all(matches(text, actual, values, shapes) for text, actual in pairs):
        return False
    if entry["stdin_digest"]:
        import hashlib

        return bool(entry["stdin_digest"] == f"{hashlib.sha256(stdin).hexdigest()} {len(stdin)}")
    return matches(entry["stdin"], stdin.decode("utf-8", "surrogateescape"), values, shapes)


def expects_stdin(
    directory: str, entries: list[dict[str, Any]], words: list[str], shapes: dict[str, str]
) -> list[bytes | None]:
    """The inputs that entries with these words were recorded with, None for one that is known by its digest."""
    with open(os.path.join(directory, "progress"), "rb") as file:
        _, _, known = marshal.load(file)
    found: list[bytes | None] = []
    for entry in entries:
        if (entry["stdin"] or entry["stdin_digest"]) and len(entry["argv"]) == len(words):
            values = dict(known)
            if all(matches(text, word, values, shapes) for text, word in zip(entry["argv"], words)):
                text = None if entry["stdin_digest"] else expand(entry["stdin"], values)
                found.append(None if text is None else text.encode("utf-8", "surrogateescape"))
    return found


def unexpected(directory: str, call: Call, wanted: list[dict[str, Any]]) -> NoReturn:
    """Fail at once, and leave a mark for a caller that swallows the failure."""
    argv, cwd, env, stdin = call
    message = (
        f"transcript: unexpected call\n  {argv!r}\n  in {cwd}\n  with {env!r}\n  stdin {stdin[:200]!r}\n"
    )
    for entry in wanted:
        message += f"expected here:\n  {entry['line']}\n  in {entry['cwd']!r}\n  with {entry['env']!r}\n"
        message += f"  stdin {entry['stdin_digest'] or entry['stdin']!r}\n"
    if not wanted:
        message += "nothing more was expected here\n"
    fail(directory, message)


def fail(directory: str, message: str) -> NoReturn:
    with open(os.path.join(directory, "unexpected"), "a", errors="surrogateescape") as file:
        file.write(message)
    write(2, message.encode("utf-8", "surrogateescape"))
    os._exit(UNEXPECTED)


def finish(entry: dict[str, Any], values: Values) -> Any:
    """Say what was recorded, and end as it was recorded."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        write(descriptor, (expand(entry[name], values) or "").encode("utf-8", "surrogateescape"))
    got: list[int] = []
    if entry["signals"]:
        for name in entry["signals"]:
            signal.signal(getattr(signal, "SIG" + name), lambda number, _: got.append(number))
        until = time.monotonic() + SIGNAL_WAIT_S
        while len(got) < len(entry["signals"]) and time.monotonic() < until:
            time.sleep(0.005)
    return entry["outcome"]


def run_for_real(argv: list[str], stdin: bytes, real: str) -> tuple[int | str, bytes]:
    """The call was the expected one; its effects on files are wanted, so the real tool answers."""
    import subprocess

    child = subprocess.Popen([real, *argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    said, _ = child.communicate(stdin)
    write(1, said)
    status = child.returncode
    return status if status >= 0 else signal.Signals(-status).name[3:], said


def compare(
    state: State, entry: dict[str, Any], outcome: int | str, said: bytes, shapes: dict[str, str]
) -> None:
    """Fail where a real tool answered otherwise than it was recorded."""
    text = said.decode("utf-8", "surrogateescape")
    if outcome == entry["outcome"] and matches(entry["stdout"], text, state.values, shapes):
        return
    fail(
        state.directory,
        f"transcript: answered otherwise than recorded\n  {entry['line']}\n"
        f"  status {outcome}, recorded {entry['outcome']}\n  {said[:2000]!r}\n  recorded: {entry['stdout']!r}\n",
    )


def replay(directory: str, argv: list[str]) -> NoReturn:
    tool = os.path.basename(argv[0])
    with open(os.path.join(directory, "entries"), "rb") as file:
        entries, shapes, real = marshal.load(file)
    words = [tool, *argv[1:]]
    recorded = expects_stdin(directory, entries, words, shapes)
    stdin = read_stdin(recorded) if recorded else peek_stdin()
    call = (words, os.getcwd(), shown_environment(tool), stdin)
    with State(directory) as state:
        ready = [i for i, e in enumerate(entries) if i not in state.used and (e["after"] in state.ended)]
        for index in ready:
            values = dict(state.values)
            if same(entries[index], call, values, shapes):
                state.values = values
                state.used.append(index)
                break
        else:
            unexpected(directory, call, [entries[index] for index in ready])
    entry = entries[index]
    said = None
    if tool in real:
        outcome, said = run_for_real(argv, call[3], real[tool])
    else:
        outcome = finish(entry, values)
    with State(directory) as state:
        if said is not None:
            compare(state, entry, outcome, said, shapes)
        state.ended.append(index + 1)
    if isinstance(outcome, str):
        signum = getattr(signal, "SIG" + outcome)
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)
    os._exit(int(outcome))


def main(directory: str, argv: list[str]) -> None:
    if os.path.exists(os.path.join(directory, "entries")):
        replay(directory, argv)
    from recording import record  # type: ignore[import-not-found]

    record(directory, argv, shown_environment(os.path.basename(argv[0])))
