"""The agents' binaries on the host, `~/.clauderon/agents/<agent>/<version>/<platform>/`: one serves every container.

`cached` is the fast path of `create`: a few file look-ups, never the network. `ensure` fetches what is missing.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clauderon import filelock, files
from clauderon.agents import origin, own, registry
from clauderon.agents.image import ImageFacts
from clauderon.agents.origin import Origin
from clauderon.config.schema import Agent
from clauderon.errors import UsageError
from clauderon.paths import Home

if TYPE_CHECKING:
    from clauderon.agents.download import Progress

# How long the answer to "which version is the latest" holds.
POINTER_AGE_S = 24 * 3600.0
_TAGS = ("latest", "stable")


def needed(agent: Agent, facts: ImageFacts) -> bool:
    """Whether the agent comes from the host: the image has none, or the configuration names one."""
    known = registry.builtin(agent)
    if agent.path or agent.npm or known is None:
        return bool(agent.path or agent.npm)
    return agent.version != "latest" or not facts.has(known.program)


def cached(home: Home, agent: Agent, facts: ImageFacts) -> Path | None:
    """What is on the host already: a directory to mount, or the program `path` names (`own.placed`). No network."""
    if agent.path:
        return _own_binary(agent, facts)
    source = origin.of(agent)
    if source is None:
        return None
    source.check(facts)
    root = source.root(home.agents)
    version = _pointer(root, agent)[0] if agent.version in _TAGS else agent.version
    if not version:
        return None
    folder = root / version / source.platform(facts)
    if not source.is_whole(folder):
        return None
    source.check_fetched(folder, facts)
    return folder


def ensure(
    home: Home,
    agent: Agent,
    facts: ImageFacts,
    *,
    environ: Mapping[str, str],
    progress: Progress,
    newest: bool = False,
) -> Path:
    """What to mount, fetched if it is not there. newest: ask what `latest` or `stable` is now.

    progress: called with (bytes done, bytes in all or None, text).
    Raises FetchError (no network and no npm, checksum, disk full) and UsageError. Without a network `newest` is
    content with what is there.
    """
    from clauderon.agents import download

    if agent.path:
        return _own_binary(agent, facts)
    source = origin.of(agent)
    if source is None:
        raise UsageError(f"agent {agent.name}", "has nothing to fetch: its command is your own")
    root = source.root(home.agents)
    _check_version(agent)
    found = cached(home, agent, facts)
    if found is not None and not (newest and agent.version in _TAGS):
        return found
    with _locked(home, agent, progress):
        # Whoever held the lock may have fetched it.
        found = cached(home, agent, facts)
        if found is not None and not (newest and agent.version in _TAGS):
            return found
        try:
            version, asked = _resolve(root, agent, source, environ, progress, newest=newest)
            fetched = _fetch(source, root, version, source.platform(facts), environ, progress)
            source.check_fetched(fetched, facts)
            if asked:
                _point(root, agent, version)
            return fetched
        except download.Unreachable as error:
            if found is None:
                error.hint = _ways_round(agent, source, error.hint)
                raise
            progress(None, None, f"Cannot check for a newer {source.title}; keeping the one that is here")
            return found


def is_stale(home: Home, agent: Agent) -> bool:
    """Whether nobody has asked for a day what `latest` is; `ensure(newest=True)` asks."""
    source = origin.of(agent)
    if source is None or agent.version not in _TAGS:
        return False
    return _is_old(source.root(home.agents), agent)


def _is_old(root: Path, agent: Agent) -> bool:
    return time.time() - _pointer(root, agent)[1] > POINTER_AGE_S


def _own_binary(agent: Agent, facts: ImageFacts) -> Path:
    file = own.find(agent)
    own.check(agent, file, facts)
    return file


def _check_version(agent: Agent) -> None:
    if agent.version not in _TAGS and not origin.VERSION.match(agent.version):
        why = f"{agent.version!a} is neither latest, stable nor a version like 1.2.3"
        raise UsageError(f"[agents.{agent.name}] version", why, hint="clauderon config show")


def _pointer(root: Path, agent: Agent) -> tuple[str, float]:
    """(version, when it was asked for in seconds since the epoch); ("", 0.0) if nobody has yet."""
    try:
        value = json.loads(files.read(root / f"{agent.version}.json"))
        return str(value["version"]), float(value["checked_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0.0


def _point(root: Path, agent: Agent, version: str) -> None:
    """Remember which version the tag means, once that version is there: until then the old one is used."""
    pointer = root / f"{agent.version}.json"
    draft = pointer.with_suffix(".new")
    draft.write_text(json.dumps({"version": version, "checked_at": time.time()}), "utf-8")
    draft.replace(pointer)


def _resolve(
    root: Path, agent: Agent, source: Origin, environ: Mapping[str, str], progress: Progress, *, newest: bool
) -> tuple[str, bool]:
    """(the version to have, whether somebody was asked); asked when the pointer is older than a day, or `newest`."""
    if agent.version not in _TAGS:
        return agent.version, False
    version, _ = _pointer(root, agent)
    if version and not newest and not _is_old(root, agent):
        return version, False
    from clauderon.agents.download import Unreachable

    progress(None, None, f"Asking for the {agent.version} version of {source.title}")
    try:
        return source.newest(agent.version, environ), True
    except Unreachable:
        if not version or newest:
            raise
        return version, False


def _fetch(
    source: Origin, root: Path, version: str, platform: str, environ: Mapping[str, str], progress: Progress
) -> Path:
    """Fetch, verify, publish by rename. What a cut download left is in `.partial` for the next try."""
    from clauderon.agents.download import fsync_folder

    target = root / version / platform
    if source.is_whole(target):
        return target
    partial = root / ".partial" / f"{version}-{platform}"
    partial.mkdir(parents=True, exist_ok=True)
    fetched = source.fetch(version, platform, partial, environ=environ, progress=progress)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)  # what is there lacks its program
    fetched.replace(target)
    shutil.rmtree(partial, ignore_errors=True)
    fsync_folder(target.parent)
    return target


def _ways_round(agent: Agent, source: Origin, hint: str | None) -> str:
    """A command that looks at the network, and what to set where there is none."""
    look, key = hint or "npm ping", f"[agents.{agent.name}] path"
    return f"{look}   # or set {source.mirror} to a mirror, or {key} to a program on this machine"


@contextlib.contextmanager
def _locked(home: Home, agent: Agent, progress: Progress) -> Iterator[None]:
    """One fetch at a time per agent; a kernel lock, so that a killed one leaves nothing behind."""
    folder = home.agents / agent.name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        if not filelock.exclusive(lock.fileno()):
            progress(None, None, f"Waiting for another command that is fetching {agent.name}")
            filelock.wait(lock.fileno())
        yield
