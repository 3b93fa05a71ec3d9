"""What is said while a child does not answer, for every child alike. Says; what to do about it is the caller's.

`say` is set once by whoever speaks to a person; nobody hears anything before that, as in the proxy's service.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import Any

# A healthy engine, and git in a repository of any usual size, answer well before that.
PATIENCE_S = 5.0
# After the first word, each comes when this much as long has passed as at the one before.
_RARER = 4.0
# The options of docker and git that come before the verb and take a value.
_TAKES_A_WORD = frozenset(("--context", "-c", "-C", "--config", "-H", "--host", "-l", "--log-level"))
# docker's verbs about one kind of object: their next word says what is done.
_KINDS = frozenset(("container", "image", "network", "volume", "system", "context", "manifest", "builder"))


def _nobody(_words: str) -> None:
    """Nobody listens."""


say: Callable[[str], None] = _nobody


def told_to(speaker: Callable[[str], None]) -> None:
    """Have `speaker` say every later word, a sentence each. It is called from any thread."""
    global say
    say = speaker


def briefly(argv: Sequence[str]) -> str:
    """The program and its verb, `docker network create`: never an operand, which may be a secret or a page long."""
    name = PurePath(argv[0]).name
    if name not in ("docker", "podman", "git"):
        return name
    words: list[str] = []
    rest = iter(argv[1:])
    for word in rest:
        if word in _TAKES_A_WORD and not words:
            next(rest, None)
        elif word.startswith("-") and not words:
            continue
        elif word.replace("-", "").isalpha() and not word.startswith("-"):
            words.append(word)
            if name == "git" or word not in _KINDS or len(words) == 2:
                break
        else:
            break
    return " ".join([name, *words])


def communicate(
    argv: Sequence[str], child: Any, stdin: bytes, timeout_s: float | None, *, aloud: bool
) -> tuple[bytes, bytes]:
    """`child.communicate`, with a word after PATIENCE_S, and rarer ones later. Raises subprocess.TimeoutExpired.

    aloud: False for what a person asked to wait for.
    """
    if stdin and aloud:
        # Popen forgets what is left to write when it is asked a second time, so that asks once.
        with said_beside(argv):
            stdout, stderr = child.communicate(stdin, timeout=timeout_s)
        return stdout or b"", stderr or b""
    began = time.monotonic()
    next_word = PATIENCE_S
    while True:
        waited = time.monotonic() - began
        steps = [timeout_s - waited] if timeout_s is not None else []
        steps += [next_word - waited] if aloud else []
        try:
            stdout, stderr = child.communicate(stdin or None, timeout=max(0.0, min(steps)) if steps else None)
            return stdout or b"", stderr or b""
        except subprocess.TimeoutExpired:
            waited = time.monotonic() - began
            if timeout_s is not None and waited >= timeout_s:
                raise
        if aloud and waited >= next_word:
            word(argv, waited)
            next_word = waited * _RARER


@contextlib.contextmanager
def said_beside(
    argv: Sequence[str], heard: Callable[[], float] | None = None, patience_s: float | None = None
) -> Iterator[None]:
    """Say the words from a thread while the work inside goes on.

    heard: when the child was last heard of, by time.monotonic; since then it has not answered.
    """
    began = time.monotonic()
    over = threading.Event()
    patience_s = PATIENCE_S if patience_s is None else patience_s

    def tell() -> None:
        next_word = patience_s
        while not over.wait(next_word / 2):
            silent_s = time.monotonic() - (heard() if heard is not None else began)
            if silent_s < patience_s:
                next_word = patience_s
            elif silent_s >= next_word:
                word(argv, silent_s)
                next_word = silent_s * _RARER

    threading.Thread(target=tell, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def word(argv: Sequence[str], waited_s: float) -> None:
    """Say what has not answered for how long, and how to end that."""
    with contextlib.suppress(Exception):  # a word that cannot be said must not end what it is about
        say(
            f"Waiting for {briefly(argv)}, which has not answered for {waited_s:.0f} s. Ctrl-C ends the wait."
        )
