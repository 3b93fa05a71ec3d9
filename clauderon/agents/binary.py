"""The agents' binaries on the host, `~/.clauderon/agents/<agent>/<version>/<platform>/`: one serves every container.

`cached` is the fast path of `create`: a few file look-ups, never the network. `ensure` fetches what is missing.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clauderon import filelock, files
from clauderon.agents import own, registry
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from clauderon.errors import ClauderonError, UsageError
from clauderon.known.kind import Install, Known
from clauderon.known.table import AGENTS
from clauderon.paths import Home

if TYPE_CHECKING:
    from clauderon.agents.download import Progress

# How long the answer to "which version is the latest" holds.
POINTER_AGE_S = 24 * 3600.0
_TAGS = ("latest", "stable")
_VERSION = re.compile(r"\d+\.\d+\.\d+[0-9A-Za-z.+-]*\Z")


def needed(agent: Agent, facts: ImageFacts) -> bool:
    """Whether the agent comes from the host: the image has none, or the configuration names one."""
    known = registry.builtin(agent)
    if known is None:
        return bool(agent.path)
    return bool(agent.path) or agent.version != "latest" or not facts.has(known.program)


def cached(home: Home, agent: Agent, facts: ImageFacts) -> Path | None:
    """What is on the host already: a directory to mount, or the program `path` names (`own.placed`). No network."""
    if agent.path:
        return _own_binary(agent, facts)
    known = registry.builtin(agent)
    if known is None:
        return None
    _check_platform(agent, known, facts)
    version = _pointer(home, agent)[0] if agent.version in _TAGS else agent.version
    if not version:
        return None
    folder = _folder(home, agent, version, _platform(known.install, facts))
    return folder if (folder / known.install.launch).is_file() else None


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
    known = registry.builtin(agent)
    if known is None:
        raise UsageError(f"agent {agent.name}", "has nothing to fetch: its command is your own")
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
            version, asked = _resolve(home, agent, known, environ, progress, newest=newest)
            fetched = _fetch(home, agent, known, version, _platform(known.install, facts), environ, progress)
            if asked:
                _point(home, agent, version)
            return fetched
        except download.Unreachable as error:
            if found is None:
                error.hint = _ways_round(agent, known, error.hint)
                raise
            progress(None, None, f"Cannot check for a newer {known.title}; keeping the one that is here")
            return found


def is_stale(home: Home, agent: Agent) -> bool:
    """Whether nobody has asked for a day what `latest` is; `ensure(newest=True)` asks."""
    return agent.version in _TAGS and time.time() - _pointer(home, agent)[1] > POINTER_AGE_S


def _own_binary(agent: Agent, facts: ImageFacts) -> Path:
    file = own.find(agent)
    own.check(agent, file, facts)
    return file


def _check_version(agent: Agent) -> None:
    if agent.version not in _TAGS and not _VERSION.match(agent.version):
        why = f"{agent.version!a} is neither latest, stable nor a version like 1.2.3"
        raise UsageError(f"[agents.{agent.name}] version", why, hint="clauderon config show")


def _check_platform(agent: Agent, known: Known, facts: ImageFacts) -> None:
    install = known.install
    if install.runtime and not facts.has(install.runtime):
        why = f"{known.title} runs on {install.runtime}, and the image has none"
        hint = f"clauderon create --image {install.runtime_image} ..."
        raise ClauderonError(f"agent {agent.name}", why, hint=hint)
    if not install.static and facts.libc == "none":
        why = f"{known.title} needs glibc or musl, and the image has neither"
        anywhere = [
            name for name, other in AGENTS.items() if other.install.static and not other.install.runtime
        ]
        hint = f"clauderon create --image debian:stable ...   # or --agent {' or '.join(anywhere)}"
        raise ClauderonError(f"agent {agent.name}", why, hint=hint)


def _platform(install: Install, facts: ImageFacts) -> str:
    return facts.platform.removesuffix("-musl") if install.static else facts.platform


def _folder(home: Home, agent: Agent, version: str, platform: str) -> Path:
    return home.agents / agent.name / version / platform


def _pointer(home: Home, agent: Agent) -> tuple[str, float]:
    """(version, when it was asked for in seconds since the epoch); ("", 0.0) if nobody has yet."""
    try:
        value = json.loads(files.read(home.agents / agent.name / f"{agent.version}.json"))
        return str(value["version"]), float(value["checked_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0.0


def _point(home: Home, agent: Agent, version: str) -> None:
    """Remember which version the tag means, once that version is there: until then the old one is used."""
    pointer = home.agents / agent.name / f"{agent.version}.json"
    draft = pointer.with_suffix(".new")
    draft.write_text(json.dumps({"version": version, "checked_at": time.time()}), "utf-8")
    draft.replace(pointer)


def _resolve(
    home: Home, agent: Agent, known: Known, environ: Mapping[str, str], progress: Progress, *, newest: bool
) -> tuple[str, bool]:
    """(the version to have, whether somebody was asked); asked when the pointer is older than a day, or `newest`."""
    if agent.version not in _TAGS:
        return agent.version, False
    version, _ = _pointer(home, agent)
    if version and not newest and not is_stale(home, agent):
        return version, False
    from clauderon.agents.download import Unreachable

    progress(None, None, f"Asking for the {agent.version} version of {known.title}")
    try:
        return _ask(known, agent.version, environ), True
    except Unreachable:
        if not version or newest:
            raise
        return version, False


def _ask(known: Known, tag: str, environ: Mapping[str, str]) -> str:
    from clauderon.agents import channel, npm
    from clauderon.agents.download import Unreachable

    first: Unreachable | None = None
    install = known.install
    if install.channel:
        try:
            return channel.version(install.channel, tag, environ)
        except Unreachable as error:
            first = error
    try:
        tags = npm.dist_tags(install.dist_tags, environ)
    except Unreachable as error:
        raise _both(first, error) from error
    # Not every package has a `stable`.
    version = tags.get(tag) or tags.get("latest", "")
    if not _VERSION.match(version):
        raise Unreachable(
            f"npm: {install.dist_tags}", f"has no version tagged {tag}", hint="clauderon config show"
        )
    return version


def _fetch(
    home: Home,
    agent: Agent,
    known: Known,
    version: str,
    platform: str,
    environ: Mapping[str, str],
    progress: Progress,
) -> Path:
    """Fetch, verify, publish by rename. What a cut download left is in `<agent>/.partial` for the next try."""
    from clauderon.agents import channel, npm
    from clauderon.agents.download import Unreachable, fsync_folder

    install = known.install
    target = _folder(home, agent, version, platform)
    if (target / install.launch).is_file():
        return target
    partial = home.agents / agent.name / ".partial" / f"{version}-{platform}"
    partial.mkdir(parents=True, exist_ok=True)
    title = f"{known.title} {version} ({platform})"
    first: Unreachable | None = None
    fetched = False
    if install.channel:
        try:
            channel.fetch(
                install.channel, version, platform, partial, environ=environ, progress=progress, title=title
            )
            fetched = True
        except Unreachable as error:
            first = error
    if not fetched:
        draft = partial / "npm"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        spec = install.npm[platform].format(version=version)
        try:
            npm.fetch(spec, install.strip, draft, environ=environ, progress=progress, title=title)
        except Unreachable as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise _both(first, error) from error
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        finally:
            shutil.rmtree(partial / "npm.npm", ignore_errors=True)
    source = partial if fetched else partial / "npm"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)  # what is there lacks its program
    source.replace(target)
    shutil.rmtree(partial, ignore_errors=True)
    fsync_folder(target.parent)
    return target


def _ways_round(agent: Agent, known: Known, hint: str | None) -> str:
    """A command that looks at the network, and what to set where there is none."""
    mirror = known.install.channel.variable if known.install.channel else "npm_config_registry"
    look = hint or "npm ping"
    return (
        f"{look}   # or set {mirror} to a mirror, or [agents.{agent.name}] path to a program on this machine"
    )


def _both(first: ClauderonError | None, second: ClauderonError) -> ClauderonError:
    """One error for two sources that both failed."""
    from clauderon.agents.download import Unreachable

    if first is None:
        return second
    detail = "\n".join(text for text in (f"{second.what}: {second.why}", second.detail) if text)
    return Unreachable(
        first.what, f"{first.why}; and npm could not fetch it either", hint=second.hint, detail=detail
    )


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
