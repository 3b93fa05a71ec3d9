"""How docker is called: its words, its environment, how long it may take, and what an engine that hangs means.

Knows no verb. No policy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Self

from clauderon import proc
from clauderon.errors import BackendError, CommandFailed, CommandTimeout

# A healthy engine answers these questions in milliseconds; a hung one must not hang us for ever.
QUESTION_TIMEOUT_S = 60.0
# A call that makes, stops or removes something takes seconds, or a minute on a slow disk with a large container.
ACT_TIMEOUT_S = 300.0
# How long an interrupt waits for the answer to a call. What the engine was asked to make it makes, also when docker is
# gone; whoever undoes it must not look before it is there. A person waits for the prompt meanwhile.
SETTLE_S = 0.3


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """docker's environment: ours, with its advertising hints off and its messages in one language."""
    return {**environ, "DOCKER_CLI_HINTS": "false", "LC_ALL": "C.UTF-8"}


def failures() -> Any:
    """The module that says what a failed call means, which most calls do not need."""
    from clauderon.docker import failures

    return failures


class Pending:
    """A docker call under way; `result` waits for it."""

    __slots__ = ("_caller", "running", "what")

    def __init__(self, running: proc.Running, what: str, caller: Caller) -> None:
        self.running = running
        self.what = what
        self._caller = caller

    def result(self, ok: Collection[int] | None = (0,)) -> proc.Completed:
        """Raises the explained error."""
        try:
            return self.bare_result(ok=ok)
        except CommandFailed as failure:
            raise failures().explain(failure, self.what) from failure

    def bare_result(
        self,
        *,
        ok: Collection[int] | None = (0,),
        timeout_s: float | None = QUESTION_TIMEOUT_S,
        aloud: bool = True,
    ) -> proc.Completed:
        """Raises the bare CommandFailed. timeout_s, aloud: as in `Caller.attempt`."""
        unanswered = self._caller.giving_up(self.running.argv, timeout_s)
        try:
            return self.running.result(
                timeout_s=timeout_s, ok=ok, settle_s=SETTLE_S, aloud=aloud, unanswered=unanswered
            )
        except CommandTimeout as error:
            error.hint = _HINT
            raise


_HINT = "docker info   # if that hangs too, the engine does"


class Caller:
    """The docker command line of one configuration: program, context, environment.

    foreseen: questions that were asked before anybody wanted the answer, by their words.
    hung: the call that was given up, or interrupted, before it was answered, as `docker run`; "" for none. No further
    call is made after one: what undoes an interrupted command would wait as long for its own answers.
    """

    __slots__ = ("command", "context", "env", "foreseen", "hung")

    def __init__(self, command: str, context: str, env: Mapping[str, str]) -> None:
        self.command = command
        self.context = context
        self.env = env
        self.foreseen: dict[tuple[str, ...], Pending] = {}
        self.hung = ""

    def is_as(self, other: Self) -> bool:
        """Whether both would ask the same engine in the same way."""
        return (self.command, self.context, self.env) == (other.command, other.context, other.env)

    def argv(self, *words: str) -> list[str]:
        """The whole command line for these words, program and context included."""
        context = ["--context", self.context] if self.context else []
        return [self.command, *context, *words]

    def start(self, *words: str, what: str) -> Pending:
        """Begin a call whose answer is wanted later; one that was foreseen is under way already."""
        self._refuse_after_hang()
        foreseen = self.foreseen.pop(words, None)
        if foreseen is not None:
            return foreseen
        return Pending(proc.start(self.argv(*words), env=self.env), what, self)

    def foresee(self, words: Sequence[str], what: str) -> None:
        """Begin a question that `start` will probably be asked, with these words. Each answers once."""
        self.foreseen[tuple(words)] = self.start(*words, what=what)

    def drop_foreseen(self) -> None:
        """Stop the questions nobody asked."""
        while self.foreseen:
            self.foreseen.popitem()[1].running.stop()

    def run(
        self,
        *words: str,
        what: str,
        stdin: bytes = b"",
        timeout_s: float | None = QUESTION_TIMEOUT_S,
        aloud: bool = True,
    ) -> proc.Completed:
        """One call, to its end. Raises the explained error. timeout_s, aloud: as in `attempt`."""
        try:
            return self.attempt(*words, stdin=stdin, timeout_s=timeout_s, aloud=aloud)
        except CommandFailed as failure:
            raise failures().explain(failure, what) from failure

    def attempt(
        self,
        *words: str,
        stdin: bytes = b"",
        timeout_s: float | None = QUESTION_TIMEOUT_S,
        aloud: bool = True,
    ) -> proc.Completed:
        """As `run`; raises the bare CommandFailed, for callers that know what a failure may mean.

        timeout_s: None for what a person asked to wait for, however long.
        aloud: False where somebody else says what is waited for.
        """
        self._refuse_after_hang()
        argv = self.argv(*words)
        try:
            # By `start`: `run` would import plumbum, which takes longer than most of docker's answers.
            return proc.start(argv, env=self.env, stdin=stdin).result(
                timeout_s=timeout_s,
                settle_s=SETTLE_S,
                aloud=aloud,
                unanswered=self.giving_up(argv, timeout_s),
            )
        except CommandTimeout as error:
            error.hint = _HINT
            raise

    def glance(self, words: Sequence[str], timeout_s: float) -> str | None:
        """The answer to a question that an engine gives in time; None where it does not, and nothing is said of it."""
        answer = proc.glance(self.argv(*words), env=self.env, timeout_s=timeout_s)
        return None if answer is None else answer.decode("utf-8", "replace")

    def giving_up(self, argv: Sequence[str], timeout_s: float | None) -> Callable[[], None]:
        """What to do when a call is not answered. A call that may take any time, or that asks a registry, says nothing
        of the engine."""

        def give_up() -> None:
            if timeout_s is not None and timeout_s >= QUESTION_TIMEOUT_S:
                self.hung = self.hung or proc.briefly(argv)

        return give_up

    def _refuse_after_hang(self) -> None:
        if self.hung:
            raise BackendError(
                self.hung, "it has not answered, so docker is not asked anything more", hint=_HINT
            )
