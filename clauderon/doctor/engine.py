"""The checks of the engine: program, permission, versions, disk, and what is left there without a session."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clauderon import names, spec
from clauderon.config.schema import Config
from clauderon.docker import Docker
from clauderon.docker.parse import Container
from clauderon.doctor import machine
from clauderon.doctor.check import Check, fail, ok, warn
from clauderon.errors import ClauderonError, CommandTimeout, ToolMissing
from clauderon.paths import Home
from clauderon.session.context import Context, Progress
from clauderon.store import Store

# The oldest engine and client everything was tried with.
OLDEST = (20, 10)
# There while systemd runs the machine (sd_booted(3)).
_SYSTEMD = Path("/run/systemd/system")
# What answers to docker's name may say anything.
_SHOWN = 200
PREFIX = names.container("")


def reach(settings: Config, environ: Mapping[str, str]) -> tuple[Docker | None, list[Check]]:
    """The docker command line if its engine answers, and the checks of program, engine and versions."""
    docker = Docker.of(settings.docker, environ)
    try:
        client, server = docker.version()
    except ToolMissing as error:
        return None, [fail("docker", str(error), "sudo apt-get install docker.io")]
    except ClauderonError as error:
        mend = error.hint or "docker info"
        if mend in ("docker info", "docker context ls"):  # which look, and fix nothing
            mend = _way_to_an_engine(settings, environ, started=mend == "docker context ls")
        return None, [fail("engine", f"{error.why}{_last_line(error.detail)}", mend)]
    return docker, [_version("docker", "client", client), _version("engine", "engine", server)]


def _way_to_an_engine(settings: Config, environ: Mapping[str, str], *, started: bool) -> str:
    """Away from the engine that was named and is not there; else the start of this machine's own.

    started: nothing is known of the engine being down; a context that is not there was named.
    """
    if settings.docker.context:
        return "export CLAUDERON_DOCKER_CONTEXT=default"
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        if environ.get(name):
            return f"unset {name}"
    if started:
        return "docker context use default"
    if Path(settings.docker.command).name == "podman":
        return "podman machine start"
    if sys.platform == "darwin":
        return "open -a Docker"
    return "sudo systemctl start docker" if _SYSTEMD.exists() else "sudo service docker start"


def _version(name: str, what: str, version: str) -> Check:
    version = version[:_SHOWN]
    match = re.match(r"(\d+)\.(\d+)", version)
    # podman counts from 1 and is another program altogether.
    if match and (int(match[1]), int(match[2])) < OLDEST and int(match[1]) > 5:
        return warn(
            name, f"{what} {version}, older than what was tried (20.10)", "sudo apt-get install docker.io"
        )
    return ok(name, f"{what} {version}" if name == "docker" else f"reachable, version {version}")


def disk(docker: Docker) -> Check:
    """The disk of the engine's images, where that is on this machine."""
    name = "engine disk"
    try:
        root = docker.run("info", "--format", "{{.DockerRootDir}}", what="docker info").text.strip()
    except ClauderonError as error:
        return warn(name, str(error), error.hint or "")
    place = Path(root)
    try:
        if root and place.is_dir():
            return machine.disk_space(name, place, "docker system prune -a")
    except OSError:  # a directory that is closed to us, or no name of one
        pass
    return ok(name, f"{root[:_SHOWN]} is not to be seen from here; ask with: docker system df")


def image(docker: Docker, settings: Config) -> Check:
    """Whether the default image is here, or would be pulled: what the pull policy asks for."""
    name, reference, policy = "image", settings.docker.default_image, settings.docker.pull_policy
    another = "clauderon image build   # or set docker.default_image to one that is here: docker images"
    try:
        here = docker.image_inspect(reference) is not None
    except ClauderonError as error:
        return warn(name, f"not looked at: {error}", error.hint or "")
    if here and policy != "always":
        return ok(name, f"{reference} is on this engine")
    if policy == "never":
        return fail(name, f"{reference} is not on this engine, and the pull policy is never", another)
    try:
        known = docker.image_in_registry(reference)
    except ClauderonError as error:
        if here:
            return warn(
                name, f"{reference} is on this engine; its registry could not be asked", "docker pull"
            )
        why = "did not answer" if isinstance(error, CommandTimeout) else _registry_says(str(error))
        return fail(name, f"{reference} is not on this engine, and its registry {why}", another)
    if not known:
        return fail(name, f"the registry has no {reference}", another)
    return ok(name, f"{reference} can be pulled" if not here else f"{reference} is on this engine")


def _registry_says(text: str) -> str:
    if "denied" in text or "unauthorized" in text:
        return "refuses it (a login may be missing, or the image does not exist)"
    return "cannot be reached"


def names_taken(home: Home, docker: Docker) -> Check:
    """Containers that bear a name of ours and are not ours: a session of that name cannot start beside one."""
    name = "container names"
    try:
        sessions = _sessions(home)
        found = [c for c in docker.container_list({}) if c.name.startswith(PREFIX)]
    except ClauderonError as error:
        return warn(name, f"not looked at: {error}", error.hint or "")
    for container in found:
        wanted = sessions.get(container.name)
        if wanted is not None and container.labels.get(spec.LABEL_ID) != wanted:
            return fail(
                name, f"{container.name} is in the way of the session with this name", _move(container)
            )
    strangers = [c for c in found if not {spec.LABEL_ID, spec.LABEL_PROBE} & c.labels.keys()]
    if strangers:
        return warn(
            name, f"not made by clauderon: {', '.join(c.name for c in strangers)}", _move(strangers[0])
        )
    return ok(name, "none is taken by anybody else")


def _sessions(home: Home) -> dict[str, str]:
    """Container name to session id."""
    if not home.database.exists():
        return {}
    with Store.open(home) as store:
        return {names.container(row.name): row.id for row in store.all()}


def _move(container: Container) -> str:
    """The command that frees a name and loses nothing."""
    owner = container.labels.get(spec.LABEL_HOME)
    if owner is not None:
        session = container.labels.get(spec.LABEL_SESSION, container.name.removeprefix(PREFIX))
        return f"CLAUDERON_HOME={shlex.quote(owner)} clauderon delete {shlex.quote(session)}"
    return f"docker rename {container.name} not-{container.name}"


def orphans(home: Home, settings: Config, docker: Docker, environ: Mapping[str, str]) -> Check:
    """What `reconcile` would put right: containers without a row, rows left half-way, directories of nobody."""
    from clauderon.session.reconcile import reconcile

    name = "orphans"
    if not home.database.exists() and not home.root.exists():
        return ok(name, "nothing was made yet")
    said = _Quiet()
    try:
        with Store.open(home) as store:
            context = Context(home, settings, environ, docker, store, said)
            actions = reconcile(context, dry_run=True)
    except ClauderonError as error:
        return warn(name, f"not looked at: {error}", error.hint or "")
    if actions:
        return warn(
            name, "; ".join(f"{a.what} {a.name} to be {a.did}" for a in actions), "clauderon reconcile"
        )
    if said.warnings:
        return warn(name, "; ".join(said.warnings), "clauderon reconcile --dry-run")
    return ok(name, "none")


@dataclass(slots=True)
class _Quiet:
    """A reporter that keeps the warnings and prints nothing."""

    warnings: list[str] = field(default_factory=list)

    def note(self, text: str) -> None: ...

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def progress(self, title: str) -> contextlib.AbstractContextManager[Progress]:
        return _no_progress()


class _NoProgress:
    drawn = False

    def update(self, done: float | None = None, total: float | None = None, text: str = "") -> None: ...


@contextlib.contextmanager
def _no_progress() -> Iterator[Progress]:
    yield _NoProgress()


def _last_line(detail: str) -> str:
    lines = detail.strip().splitlines()
    return f" ({lines[-1]})" if lines else ""
