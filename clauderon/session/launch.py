"""From a session's row to its container: the one place where the mounts, the environment and the spec come together.

Used by `create`, `refresh`, `start` and the dry run; what differs between them is only when they call it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from clauderon import airlock, confined, names, paths, spec
from clauderon.agents import binary, setup
from clauderon.agents.image import ImageFacts
from clauderon.caching import wanted
from clauderon.config.schema import Agent
from clauderon.confined import Tree
from clauderon.docker.parse import Image
from clauderon.errors import BackendError, CommandFailed, UsageError
from clauderon.git.alternates import object_dirs
from clauderon.mount import Mount
from clauderon.proxy import service
from clauderon.record import Session
from clauderon.session import credential_facts, probe, resources, touching, unsafe, volumes
from clauderon.session.context import Context
from clauderon.session.resources import Gateway

ADDRESS_ATTEMPTS = 16


class Surroundings(NamedTuple):
    """What the engine and the host offer a session. facts: what is in the image."""

    image: Image
    facts: ImageFacts
    gateway: Gateway
    binary: Path | None
    shared: volumes.Shared


def surroundings(
    context: Context,
    session: Session,
    agent: Agent,
    inspection: resources.Inspection,
    *,
    policy: str,
    offline: str | None = None,
) -> Surroundings:
    """Everything the container needs from outside, made or fetched if missing.

    offline: what a person can type to do without the registry; by default a create with an image that is here.
    """
    found = inspection.result()
    there = found.images[0] if found.images else None
    try:
        image = resources.ensure_image(context, session.image, policy, there, offline or "")
    except (BackendError, UsageError) as error:
        if offline is None:
            from clauderon.session.images import alternatives

            # A login or a pull may be what is missing; often the image does not exist, and then another one helps.
            known = error.hint == "docker login" or isinstance(error, UsageError)
            first = f"{error.hint}   # or: " if known else ""
            error.hint = first + alternatives(context, session.id)
        raise
    if session.network == "proxied":
        from clauderon.session import own_network

        gateway = own_network.ensure(context, session, found.networks)
    else:
        gateway = resources.ensure_network(context, inspection, found.networks)
    facts = probe.image_facts(context, session.id, image.id)
    shared = volumes.settle(context, session, image, facts, found)
    return Surroundings(image, facts, gateway, agent_binary(context, agent, facts), shared)


def ahead(context: Context, session: Session) -> None:
    """Link the objects, while docker and git are at work; where only the image knows the user, `prepare` does it."""
    if session.user and touching.wanted(context, session, ImageFacts()):
        airlock.link_objects(context.home, session.id, object_dirs(Path(session.git_dir) / "objects"))


def agent_binary(context: Context, agent: Agent, facts: ImageFacts, *, newest: bool = False) -> Path | None:
    """The agent's binary on the host, fetched if it must be; None if the image has its own or it needs none."""
    if not binary.needed(agent, facts):
        return None
    cached = None if newest else binary.cached(context.home, agent, facts)
    if cached is not None:
        return cached
    with context.report.progress(f"Fetching {agent.name}") as progress:
        return binary.ensure(
            context.home, agent, facts, environ=context.environ, progress=progress.update, newest=newest
        )


def owner_of(session: Session, facts: ImageFacts) -> tuple[int, int] | None:
    """(uid, gid) the container runs as where that is not us and we may give files away; None otherwise.

    facts: they know the image's own user, for `[docker] user = "image"`.
    """
    user = setup.runs_as(session, facts)
    return user if os.getuid() == 0 and user != (0, 0) else None


def prepare(
    context: Context, session: Session, agent: Agent, around: Surroundings, prompt: bytes | None
) -> spec.ContainerSpec:
    """Write the session's files on the host and describe its container. Safe to repeat.

    prompt: None leaves the one written before.
    """
    home = context.home
    owner = owner_of(session, around.facts)
    agent_setup = setup.prepare(
        home,
        session,
        agent,
        prompt=prompt,
        facts=around.facts,
        binary=around.binary,
        credential_kind=credential_facts.anthropic_kind(context, session) or None,
        owner=owner,
        environ=context.environ,
        credentials=credential_facts.supplied(context, session),
        logins=credential_facts.logins(context, session),
        cargo_shared=around.shared.cargo,
        sccache=around.shared.sccache,
    )
    lend_caches(home, session, around.shared, owner)
    mounts = (
        *workspace_mounts(home, session, owner),
        *airlock.mounts(home, session, lending=touching.wanted(context, session, around.facts)),
        Mount(str(home.ca_cert), paths.CONTAINER_CA, read_only=True),
        *agent_setup.mounts,
    )
    # An internal network has no way out for DNS either: a server that never answers keeps Docker's own
    # resolver, which older engines let forward from internal networks, from asking the host's.
    dns = ("127.0.0.1",) if session.network == "proxied" else ()
    return spec.container(
        session,
        home,
        network=around.gateway.network,
        gateway=around.gateway.host_address,
        mounts=mounts,
        env=agent_setup.env,
        shared=around.shared.mounts,
        dns=dns,
    )


def lend_caches(
    home: paths.Home, session: Session, shared: volumes.Shared, owner: tuple[int, int] | None
) -> None:
    """Lead the session's cargo to what its commit names and the verified volumes have."""
    if shared.cargo or not wanted.path_of(home, session.id).exists():
        return
    from clauderon.caching import lending

    registry, git = shared.verified.get(volumes.REGISTRY, ""), shared.verified.get(volumes.GIT, "")
    tree = Tree(home.session_home(session.id), owner)
    lending.lend(home, session.id, tree, registry=registry, git=git)


def workspace_mounts(home: paths.Home, session: Session, owner: tuple[int, int] | None) -> tuple[Mount, ...]:
    """The page's rows below /workspace; where the repository has files of its own, they stay (`own_paths`).

    We make their mount points in the worktree, since Docker would make them as root; `.clauderon/` ignores itself, so
    that `git status` stays clean. The container may have put anything in their way since (`confined`).
    """
    worktree = home.worktree(session.name)
    uploads = home.upload_dir(session.id)
    Tree(uploads, owner).directory()
    tree = Tree(worktree, owner)
    hooks = spec.hooks_inside(session)
    tree.directory(f".clauderon/uploads/{session.id}")
    if hooks == paths.HOOKS:
        tree.directory(".clauderon/hooks")
    if ".clauderon" not in session.tracks and confined.read(worktree, ".clauderon/.gitignore", 4096) is None:
        tree.write(".clauderon/.gitignore", b"*\n")
    mounts = [
        Mount(str(worktree), paths.WORKSPACE),
        Mount(str(uploads), f"{paths.WORKSPACE}/.clauderon/uploads/{session.id}"),
        Mount(str(home.hooks), hooks, read_only=True),
    ]
    if ".claude.json" not in session.tracks:
        if confined.read(worktree, ".claude.json", 1 << 20) is None:
            tree.write(".claude.json", b"")
        mounts.append(Mount(str(home.claude_json), f"{paths.WORKSPACE}/.claude.json", read_only=True))
    return tuple(mounts)


def own_paths(session: Session) -> list[str]:
    """What a person should know of the paths that the repository has itself, in sentences."""
    said = []
    if ".claude.json" in session.tracks:
        said.append("the repository has a .claude.json of its own, so ours is not mounted over it")
    if ".clauderon/hooks" in session.tracks:
        said.append(
            f"the repository has hooks of its own in .clauderon/hooks, so yours are at {paths.CONTAINER_HOOKS}"
        )
    return said


def run(
    context: Context,
    session: Session,
    gateway: Gateway,
    describe: Callable[[Session], spec.ContainerSpec],
    *,
    start: bool = True,
) -> Session:
    """`docker run` the session's container (without `start`: `docker create`); returns the row with the address it got.

    describe: the spec for a row; asked again when the address turned out to be taken by another container.
    Raises the explained error; a container that was made and could not start is removed.
    """
    make = context.docker.container_run if start else context.docker.container_create
    without: dict[str, Any] = {}
    attempt, completed = 0, False
    while True:
        container = describe(session)._replace(**without)
        try:
            make(container)
            resources.proven(context, gateway)
            return session
        except CommandFailed as failure:
            from clauderon.docker import failures

            _remove_unstarted(context, session)
            changed = _less(context, container, failure)
            if changed:
                without |= changed
            elif touching.refused(context, container.mounts, failure):
                pass  # described without it, the next time
            elif failures.network_half_made(failure) and not completed:
                completed = True
                gateway = resources.complete(context, gateway)
            elif failures.address_taken(failure) and attempt < ADDRESS_ATTEMPTS:
                attempt += 1
                session = context.store.update(
                    session.id, ip=gateway.address(context.home, session.port, attempt)
                )
                service.reload(context.home, context.config, context.environ)
            else:
                raise failures.explain(failure, f"start {session.name}") from failure


def _less(context: Context, asked: spec.ContainerSpec, failure: CommandFailed) -> dict[str, Any]:
    """What to ask of an engine that cannot hold one of the limits, said aloud; empty for any other failure."""
    from clauderon.docker import failures

    cpus = failures.most_cpus(failure)
    if cpus is not None and asked.cpus != cpus:
        context.report.warn(f"the engine has {cpus} CPUs, so a limit of {asked.cpus} does not bind there")
        return {"cpus": cpus}
    if asked.ulimits and failures.ulimit_refused(failure):
        limits = ", ".join(f"{name} {most}" for name, most in asked.ulimits.items())
        context.report.warn(f"the engine may not set these limits, so its own apply: {limits}")
        return {"ulimits": {}}
    if asked.disk and failures.no_quota(failure):
        context.report.warn(
            "the engine cannot hold [limits] disk (that takes overlay2 on xfs with pquota): `list` and `doctor` "
            "warn when a session's directories pass it"
        )
        return {"disk": 0}
    return {}


def _remove_unstarted(context: Context, session: Session) -> None:
    """Remove what a failed `docker run` left, and only that: the name may belong to somebody else's container."""
    left = context.docker.container_inspect(names.container(session.name))
    if left is not None and left.labels.get(spec.LABEL_ID) == session.id:
        context.docker.container_remove(left.id)


def relaunch(
    context: Context,
    session: Session,
    agent: Agent,
    around: Surroundings,
    *,
    start: bool = True,
    mode: str = "agent",
) -> Session:
    """Make a container anew for a session that has its files already. mode: see `setup.set_mode`."""
    unsafe.check_again(context, session)
    if not around.gateway.holds(session.ip):
        session = context.store.update(session.id, ip=around.gateway.address(context.home, session.port))
    service.ensure(context.home, context.config, context.environ, fetch=False)
    service.reload(context.home, context.config, context.environ)

    def prepared(row: Session) -> spec.ContainerSpec:
        described = prepare(context, row, agent, around, None)
        setup.set_mode(context.home, row, mode)
        return described

    return run(context, session, around.gateway, prepared, start=start)
