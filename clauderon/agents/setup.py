"""Writes a session's own files on the host (its directory and its agent's home) and says how to mount them.

Every file is replaced by rename: a container may be reading the old one. Holds no secret: what looks like a
credential here is a placeholder, and the proxy has the real one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from clauderon import paths, proc, spec
from clauderon.agents import account, launch, own, registry, template, trust
from clauderon.agents.environment import environment, lent_kind, lent_login, zone
from clauderon.agents.image import ImageFacts
from clauderon.config.builtin_credentials import LENT
from clauderon.config.schema import Agent
from clauderon.confined import Tree, read
from clauderon.known.rows import NOTHING
from clauderon.known.start import Place
from clauderon.mount import Mount
from clauderon.paths import Home
from clauderon.record import Session

_USER_SECTION = re.compile(rb"^\[user\]\n(?:\t(?:name|email) = .*\n)+", re.MULTILINE)
_FILE_BYTES = 64 << 20
_SHARE = Path(__file__).parent.parent / "share"


class AgentSetup(NamedTuple):
    """What the container gets: mounts beside the worktree's and the airlock's, and environment."""

    mounts: tuple[Mount, ...]
    env: dict[str, str]


def prepare(
    home: Home,
    session: Session,
    agent: Agent,
    *,
    prompt: bytes | None,
    facts: ImageFacts,
    binary: Path | None,
    credential_kind: str | None,
    owner: tuple[int, int] | None,
    environ: Mapping[str, str],
    credentials: Collection[str] = (),
    logins: Mapping[str, Mapping[str, Any]] = NOTHING,
    cargo_shared: bool = False,
    sccache: str = "",
) -> AgentSetup:
    """Write what the session's agent needs and describe it. Safe to repeat: the conversation stays.

    prompt: None keeps the one written before, if there is one.
    binary: what `binary.ensure` returned; None if the image has the agent.
    credential_kind: `api-key` or `oauth`, what the real Anthropic credential is; None if there is none.
    owner: who the container's files belong to, if not to us and we may give them away.
    credentials: names of further credentials the proxy can lend (`github`), whose placeholders to set.
    logins: by credential, the plan of those that are lent from a client's own login on the host.
    cargo_shared: whether cargo's caches lie in volumes that it may write to; sccache: where sccache may, "" for home.
    Raises UsageError (a `hooks.json` that cannot be read) and OSError.
    """
    user = runs_as(session, facts)
    if owner is None and os.geteuid() == 0 and user not in (None, (0, 0)):
        owner = user
    # Another uid that we cannot give files to has to find them open. They lie below a directory closed to others.
    shared = owner is None and (user is None or user[0] != os.geteuid())
    kind = lent_kind(agent, credential_kind)
    login = lent_login(agent, credentials, logins)
    tree = Tree(home.session_home(session.id), owner, shared)
    _write_home(home, session, tree, user if cargo_shared else None)
    folder = Tree(home.session_dir(session.id), owner, shared)
    found = template.read(home)
    known = registry.builtin(agent)
    if known is not None:
        known.write(
            Place(
                session,
                brought=binary is not None,
                home=tree,
                folder=folder,
                lent={name: lent.placeholder for name, lent in LENT.items()},
                supplied=credentials,
                kind=kind,
                login=login,
                template=found,
                hooks=home.hooks,
                hooks_inside=spec.hooks_inside(session),
            )
        )
    _write_session(
        home, session, agent, folder, prompt, facts, binary, user, cargo_shared=cargo_shared, sccache=sccache
    )
    return AgentSetup(
        mounts=(*_mounts(home, session, agent, facts, binary), *_accounts(home, session, facts, user)),
        env=environment(
            session,
            agent,
            facts,
            mounted=binary is not None,
            kind=kind,
            login=login is not None,
            uid=None if user is None else user[0],
            sccache=sccache,
            credentials=credentials,
            zone=zone(environ),
        ),
    )


def set_mode(home: Home, session: Session, mode: str) -> None:
    """What the container does at its next start: `agent`, `idle` (stay up for `exec`, then end), or `attached`

    (the agent, once a line on stdin says that somebody listens).
    """
    folder = Tree(home.session_dir(session.id))
    folder.write("mode", f"{mode}\n".encode())
    _write_size(folder, session)


def _write_size(folder: Tree, session: Session) -> None:
    """The person's terminal, for the agent's. Without one, the agent's stays as large as it was."""
    size = None if session.print_mode else proc.size()
    if size is not None:
        folder.write("size", f"{size[0]} {size[1]}\n".encode())


def program(home: Home, agent: Agent, facts: ImageFacts, binary: Path | None) -> tuple[str, ...]:
    """How the agent is called in the container, its first words."""
    known = registry.builtin(agent)
    if known is None:
        return (agent.command[0],)
    if binary is None:
        return (facts.programs.get(known.program, known.program),)
    if agent.path:
        inside = own.placed(binary, own.name_inside(agent), home).program
        return (own.runtime(binary), inside) if own.runtime(binary) else (inside,)
    if agent.npm:
        return (f"{paths.CONTAINER_AGENT}/bin/{known.program}",)
    inside = f"{paths.CONTAINER_AGENT}/{known.install.launch}"
    return (known.install.runtime, inside) if known.install.runtime else (inside,)


def runs_as(session: Session, facts: ImageFacts) -> tuple[int, int] | None:
    """(uid, gid) the container runs as; None if only the image knows and did not say."""
    if session.user:
        uid, _, gid = session.user.partition(":")
        return int(uid), int(gid or uid)
    if facts.uid is None:
        return None
    return facts.uid, facts.gid if facts.gid is not None else facts.uid


def _write_home(home: Home, session: Session, tree: Tree, cargo_user: tuple[int, int] | None) -> None:
    """cargo_user: whose folder of the shared volumes cargo works in; None for directories of the session's own."""
    for folder in (".clauderon", ".cargo"):
        tree.directory(folder)
    _cargo_links(tree, cargo_user)
    if read(tree.root, ".gitconfig", _FILE_BYTES) is None:
        # The host's user owns some of what is mounted, and git distrusts what is not its own user's.
        # Who commits is said here too, for a repository that is made inside, and for a submodule.
        tree.write(".gitconfig", b"[safe]\n\tdirectory = *\n" + _identity(home, session))


def _identity(home: Home, session: Session) -> bytes:
    """The `[user]` section of the session's private repository, as the airlock wrote it."""
    config = read(home.git_dir(session.id), "config", _FILE_BYTES) or b""
    found = _USER_SECTION.search(config)
    return found[0] if found else b""


def _cargo_links(tree: Tree, user: tuple[int, int] | None) -> None:
    for name in ("registry", "git"):
        if user is None:
            # From a time when this session's caches were shared.
            tree.unlink(f".cargo/{name}")
        else:
            tree.link(f".cargo/{name}", f"{paths.CONTAINER_CARGO_HOME}/{name}/{user[0]}")
    # cargo locks its home, not what lies behind the links: without these two sessions would unpack one crate at
    # the same time.
    for name in (".package-cache", ".package-cache-mutate"):
        if user is None:
            tree.unlink(f".cargo/{name}")
        else:
            tree.link(f".cargo/{name}", f"{paths.CONTAINER_CARGO_HOME}/registry/{user[0]}/{name}")


def _write_session(
    home: Home,
    session: Session,
    agent: Agent,
    folder: Tree,
    prompt: bytes | None,
    facts: ImageFacts,
    binary: Path | None,
    user: tuple[int, int] | None,
    *,
    cargo_shared: bool,
    sccache: str,
) -> None:
    if prompt is not None:
        folder.write("prompt", prompt)
    written = folder.root / "prompt"
    size = written.stat().st_size if written.exists() else None
    text = launch.launch_file(
        session,
        agent,
        program=program(home, agent, facts, binary),
        prompt_bytes=size,
        uid=None if user is None else user[0],
        open_files=folder.shared,
        cargo_shared=cargo_shared,
        sccache=sccache,
    )
    folder.write("launch", text.encode("utf-8", "surrogateescape"))
    folder.write("mode", b"agent\n")
    _write_size(folder, session)
    known = registry.builtin(agent)
    if known is not None and known.shell_variable:
        folder.write("bash", (_SHARE / "bash.sh").read_bytes(), 0o755)
    for target, text in account.tables(facts, user).items():
        folder.write(Path(target).name, text.encode("utf-8", "surrogateescape"), 0o644)
    # Last, so that a directory with a start script is a whole one.
    folder.write("start", (_SHARE / "start.sh").read_bytes())


def _accounts(
    home: Home, session: Session, facts: ImageFacts, user: tuple[int, int] | None
) -> tuple[Mount, ...]:
    folder = home.session_dir(session.id)
    tables = account.tables(facts, user)
    return tuple(Mount(str(folder / Path(target).name), target, read_only=True) for target in tables)


def _mounts(
    home: Home, session: Session, agent: Agent, facts: ImageFacts, binary: Path | None
) -> tuple[Mount, ...]:
    mounts = [
        Mount(str(home.session_dir(session.id)), paths.CONTAINER_SESSION, read_only=True),
        Mount(str(home.session_home(session.id)), paths.CONTAINER_HOME),
    ]
    if binary is not None:
        if agent.path:
            mounts += own.placed(binary, own.name_inside(agent), home).mounts
        else:
            mounts.append(Mount(str(binary), paths.CONTAINER_AGENT, read_only=True))
    for mount in trust.trust_mounts(facts, home):
        # An old `cryptography` cannot write Java's store.
        if mount.target != paths.CONTAINER_TRUSTSTORE or home.truststore.exists():
            mounts.append(mount)
    return tuple(mounts)
