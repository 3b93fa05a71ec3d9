"""Where an agent is fetched from: what its file in `known.agents` says, or the package that `[agents.NAME] npm` names.

Says what to ask for and fetches it into a directory it is given; `binary` decides when, and where that goes.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from clauderon.agents import own, registry
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from clauderon.errors import ClauderonError
from clauderon.known.kind import Known
from clauderon.known.table import AGENTS

if TYPE_CHECKING:
    from clauderon.agents.download import Progress, Unreachable

VERSION = re.compile(r"\d+\.\d+\.\d+[0-9A-Za-z.+-]*\Z")


class Origin(Protocol):
    """title: as a person knows the agent; mirror: the variable that names a mirror of where it comes from."""

    title: str
    mirror: str

    def root(self, agents: Path) -> Path:
        """The directory of its versions, below that of all agents."""

    def check(self, facts: ImageFacts) -> None:
        """Raises ClauderonError for an image that cannot run it, as far as that is known before it is fetched."""

    def platform(self, facts: ImageFacts) -> str:
        """Which of its builds the image needs."""

    def is_whole(self, folder: Path) -> bool:
        """Whether the directory has what was fetched."""

    def check_fetched(self, folder: Path, facts: ImageFacts) -> None:
        """Raises ClauderonError for an image that cannot run what was fetched."""

    def newest(self, tag: str, environ: Mapping[str, str]) -> str:
        """The version that `latest` or `stable` means now. Raises Unreachable."""

    def fetch(
        self, version: str, platform: str, partial: Path, *, environ: Mapping[str, str], progress: Progress
    ) -> Path:
        """Fetch and verify into `partial`, which may have what a try before this left. Returns what to publish.

        Raises Unreachable, which leaves what the next try can go on with, and FetchError.
        """


def of(agent: Agent) -> Origin | None:
    """Where the agent is fetched from; None for a command of the person's own that comes with the image or a mount."""
    if agent.npm:
        return Installed(agent)
    known = registry.builtin(agent)
    return Packed(agent, known) if known else None


class Packed:
    """A built-in agent: its vendor's channel, or one npm package that is unpacked here."""

    def __init__(self, agent: Agent, known: Known) -> None:
        self.title = known.title
        self._agent, self._known, self._install = agent, known, known.install
        channel = known.install.channel
        self.mirror = channel.variable if channel else "npm_config_registry"

    def root(self, agents: Path) -> Path:
        return agents / self._agent.name

    def check(self, facts: ImageFacts) -> None:
        install, title, what = self._install, self.title, f"agent {self._agent.name}"
        if install.runtime and not facts.has(install.runtime):
            why = f"{title} runs on {install.runtime}, and the image has none"
            raise ClauderonError(what, why, hint=f"clauderon create --image {install.runtime_image} ...")
        if not install.static and facts.libc == "none":
            why = f"{title} needs glibc or musl, and the image has neither"
            anywhere = [n for n, k in AGENTS.items() if k.install.static and not k.install.runtime]
            hint = f"clauderon create --image debian:stable ...   # or --agent {' or '.join(anywhere)}"
            raise ClauderonError(what, why, hint=hint)

    def platform(self, facts: ImageFacts) -> str:
        return facts.platform.removesuffix("-musl") if self._install.static else facts.platform

    def is_whole(self, folder: Path) -> bool:
        return (folder / self._install.launch).is_file()

    def check_fetched(self, folder: Path, facts: ImageFacts) -> None:
        pass

    def newest(self, tag: str, environ: Mapping[str, str]) -> str:
        from clauderon.agents import channel
        from clauderon.agents.download import Unreachable

        first: Unreachable | None = None
        if self._install.channel:
            try:
                return channel.version(self._install.channel, tag, environ)
            except Unreachable as error:
                first = error
        try:
            return _tagged(self._install.dist_tags, tag, environ)
        except Unreachable as error:
            raise _both(first, error) from error

    def fetch(
        self, version: str, platform: str, partial: Path, *, environ: Mapping[str, str], progress: Progress
    ) -> Path:
        from clauderon.agents import channel, npm
        from clauderon.agents.download import Unreachable

        install, title = self._install, f"{self.title} {version} ({platform})"
        first: Unreachable | None = None
        if install.channel:
            try:
                channel.fetch(
                    install.channel,
                    version,
                    platform,
                    partial,
                    environ=environ,
                    progress=progress,
                    title=title,
                )
                return partial
            except Unreachable as error:
                first = error
        draft = _empty(partial / "npm")
        spec = install.npm[platform].format(version=version)
        try:
            npm.fetch(spec, install.strip, draft, environ=environ, progress=progress, title=title)
        except Unreachable as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise _both(first, error) from error
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return draft


class Installed:
    """An npm package that the person names, with what it depends on: its programs are in `bin`."""

    def __init__(self, agent: Agent) -> None:
        self.title = registry.title(agent)
        self.mirror = "npm_config_registry"
        self._agent, self._package = agent, agent.npm
        self._program = own.name_inside(agent)

    def root(self, agents: Path) -> Path:
        # A name of its own for each package, so that another `npm` is another cache.
        return agents / self._agent.name / "npm" / self._package.replace("/", "+")

    def check(self, facts: ImageFacts) -> None:
        pass

    def platform(self, facts: ImageFacts) -> str:
        return facts.platform

    def is_whole(self, folder: Path) -> bool:
        return (folder / "bin").is_dir()

    def check_fetched(self, folder: Path, facts: ImageFacts) -> None:
        found = sorted(path.name for path in (folder / "bin").iterdir())
        program = folder / "bin" / self._program
        if program.name in found:
            own.check(self._agent, program, facts, key="npm")
        elif registry.builtin(self._agent) is not None:
            why = f"{self._package} has no program named {self._program}, only {', '.join(found)}"
            raise ClauderonError(f"[agents.{self._agent.name}] npm", why, hint="clauderon config show")

    def newest(self, tag: str, environ: Mapping[str, str]) -> str:
        return _tagged(self._package, tag, environ)

    def fetch(
        self, version: str, platform: str, partial: Path, *, environ: Mapping[str, str], progress: Progress
    ) -> Path:
        from clauderon.agents import npm
        from clauderon.agents.download import FetchError

        draft, spec = _empty(partial / "npm"), f"{self._package}@{version}"
        title = f"{self.title} {version} ({platform})"
        try:
            npm.install(spec, draft, platform, environ=environ, progress=progress, title=title)
            if not self.is_whole(draft):
                raise FetchError(f"npm: {spec}", "the package has no program", hint="clauderon config show")
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return draft


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _tagged(package: str, tag: str, environ: Mapping[str, str]) -> str:
    from clauderon.agents import npm
    from clauderon.agents.download import Unreachable

    tags = npm.dist_tags(package, environ)
    # Not every package has a `stable`.
    version = tags.get(tag) or tags.get("latest", "")
    if not VERSION.match(version):
        raise Unreachable(f"npm: {package}", f"has no version tagged {tag}", hint="clauderon config show")
    return version


def _both(first: Unreachable | None, second: Unreachable) -> Unreachable:
    """One error for two sources that both failed."""
    from clauderon.agents.download import Unreachable

    if first is None:
        return second
    detail = "\n".join(text for text in (f"{second.what}: {second.why}", second.detail) if text)
    return Unreachable(
        first.what, f"{first.why}; and npm could not fetch it either", hint=second.hint, detail=detail
    )
