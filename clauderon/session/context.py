"""What every use case is handed: where, with what configuration, how to speak. Holds no policy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from clauderon import filelock
from clauderon.config.schema import NOTHING, Config
from clauderon.docker import Docker
from clauderon.docker.parse import Container, parse_container_list
from clauderon.errors import Conflict
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.spec import LABEL_HOME
from clauderon.store import Store

LOCK_WAIT_S = 30.0
# The step of a session that a dry run's script is making; the shell's pid follows.
SCRIPT_STEP = "script "
# Each merge takes a fraction of a second, and a hundred may be waiting.
CHECKOUT_WAIT_S = 300.0
CACHES_WAIT_S = 60.0


class Progress(Protocol):
    """Something that takes a while, on its way."""

    drawn: bool

    def update(self, done: float | None = None, total: float | None = None, text: str = "") -> None:
        """How far it is: `done` of `total`, in any unit, or words."""


class Reporter(Protocol):
    """Where use cases put words that are not the answer (`output.Output` is one)."""

    def note(self, text: str) -> None:
        """Say something to know."""

    def warn(self, text: str) -> None:
        """Say something to worry about."""

    def progress(self, title: str) -> AbstractContextManager[Progress]:
        """Report of something that takes a while, until the block ends."""


class Context(NamedTuple):
    """What every use case needs: state directory, configuration, environment, docker, database, reporter."""

    home: Home
    config: Config
    environ: Mapping[str, str]
    docker: Docker
    store: Store
    report: Reporter

    def containers(self, labels: Mapping[str, str] = NOTHING) -> list[Container]:
        """Every container of this home, or those that bear `labels` as well."""
        return self.containers_start(labels)()

    def containers_glance(self, timeout_s: float) -> list[Container] | None:
        """As `containers`; None from an engine that does not answer in time."""
        homes = [str(self.home.root), *([self.home.spelled] if self.home.spelled else [])]
        answers = [self.docker.container_list_glance({LABEL_HOME: home}, timeout_s) for home in homes]
        return None if None in answers else [one for answer in answers for one in answer or ()]

    def containers_start(self, labels: Mapping[str, str] = NOTHING) -> Callable[[], list[Container]]:
        """Begin to ask for `containers`; the answer is a call away."""
        homes = [str(self.home.root), *([self.home.spelled] if self.home.spelled else [])]
        pending = [self.docker.container_list_start({LABEL_HOME: home, **labels}) for home in homes]

        def found() -> list[Container]:
            return [one for answer in pending for one in parse_container_list(answer.result().text)]

        return found


@contextlib.contextmanager
def lock(context: Context, session: Session, *, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Hold a session's lock: one command at a time changes it. Raises Conflict when it stays held.

    A kernel lock, so that a killed command never leaves it behind.
    """
    busy = Conflict(
        f"session {session.name}",
        "another command is working on it",
        hint=f"clauderon status {session.name}",
    )
    with filelock.held(context.home.lock(session.id), busy, wait_s):
        yield


@contextlib.contextmanager
def checkout_lock(context: Context, session: Session) -> Iterator[None]:
    """Hold the lock of the user's checkout: merges of several sessions at once, as under `make -j`, take turns.

    git itself would fail all but the first at its index.lock. Raises Conflict when it stays held.
    """
    import hashlib

    digest = hashlib.sha256(os.fsencode(session.repo)).hexdigest()[:12]
    busy = Conflict(f"checkout {session.repo}", "another command is merging into it", hint="git status")
    with filelock.held(context.home.locks / f"checkout-{digest}.lock", busy, CHECKOUT_WAIT_S, passing=True):
        yield


@contextlib.contextmanager
def network_lock(context: Context, name: str) -> Iterator[None]:
    """Hold the making of a network: docker itself may make two of the same name at once."""
    busy = Conflict(
        f"network {name}", "another command has been making it for long", hint="docker network ls"
    )
    with filelock.held(context.home.locks / f"network-{name}.lock", busy, LOCK_WAIT_S, passing=True):
        yield


@contextlib.contextmanager
def caches_lock(context: Context) -> Iterator[None]:
    """Hold the shared caches: two sessions that end at once hand on what they fetched one after the other."""
    busy = Conflict("shared caches", "another command has been filling them for long", hint="clauderon list")
    with filelock.held(context.home.locks / "caches.lock", busy, CACHES_WAIT_S):
        yield


@contextlib.contextmanager
def rescues_lock(context: Context) -> Iterator[None]:
    """Hold the note of the repositories with rescues: one command may note what another is about to forget."""
    busy = Conflict("rescues", "another command has been noting one for long", hint="clauderon rescue list")
    with filelock.held(context.home.locks / "rescues.lock", busy, LOCK_WAIT_S, passing=True):
        yield


def is_locked(context: Context, session: Session) -> bool:
    """Whether some living command (or dry run's script) works on the session; False means its last one is gone."""
    if session.step.startswith(SCRIPT_STEP):
        return is_alive(int(session.step.removeprefix(SCRIPT_STEP)))
    return filelock.is_held(context.home.lock(session.id))


def is_alive(pid: int) -> bool:
    """Whether there is a process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
