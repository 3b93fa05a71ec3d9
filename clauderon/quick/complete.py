"""What the completion scripts ask for: names from the database, the configuration's agents. Reads, never writes.

Asked between two key presses, so it imports only what a kind needs, and whatever goes wrong it answers nothing: an
error message has no place in a half-typed command line. An engine or a git that does not answer at once is not waited
for.

The protocol: `clauderon __complete [--bare] KIND [REPO]` prints one candidate a line, a tab, and a few words about it,
which with `--bare` may be missing, so that no engine is asked for them; the exit status is always 0. KIND is `names`
(newest session first), `active` or `archived` (the same, narrowed), `newest` (the one newest session that is not
archived), `agents`, `images`, `refs` or `branches` of the repository REPO as it was typed, or `rescues`, for which git
is asked, `groups`, or `credentials`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clauderon.paths import Home
    from clauderon.session.context import Context
    from clauderon.store import Store

KINDS = (
    "names",
    "active",
    "archived",
    "newest",
    "agents",
    "images",
    "refs",
    "branches",
    "rescues",
    "groups",
    "credentials",
)
# Longer than that nobody waits for a Tab.
PATIENCE_S = 0.5
_MOST = 500
# git takes `$(command)` for the name of a branch. A name that a shell would read as something else is not offered.
_PLAIN = re.compile(r"[\w./@%+=,:#-]+")


def complete(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """The answer to `clauderon __complete ARGUMENTS...`, as text for stdout; empty if there is none."""
    bare = arguments[:1] == ["--bare"]
    kind, *rest = [*arguments[bare:], ""]
    try:
        if kind == "agents":
            candidates = list(_agents(environ))
        elif kind == "images":
            candidates = list(_images(environ))
        elif kind in ("refs", "branches"):
            candidates = list(_refs(kind, rest[0], environ))
        elif kind == "rescues":
            candidates = list(_rescues(environ))
        elif kind == "groups":
            candidates = list(_groups(environ))
        elif kind == "credentials":
            candidates = list(_credentials(environ))
        elif kind in KINDS:
            bare = bare or kind == "newest"
            candidates = list(_names(kind, environ, bare=bare))[: 1 if kind == "newest" else None]
        else:
            candidates = []
    except Exception:  # noqa: BLE001 - see above
        return ""
    return "".join(f"{name}\t{about}\n" for name, about in candidates)


def _names(kind: str, environ: Mapping[str, str], *, bare: bool) -> Iterator[tuple[str, str]]:
    from clauderon.paths import Home
    from clauderon.store import Store

    home = Home.from_environ(environ)
    if not home.database.exists():
        return  # opening would make one
    with Store.open(home) as store:
        names = store.names()
        states = {} if bare else _states(home, store, environ)
    for name, _, archived in names:
        if (kind == "archived" and not archived) or (kind in ("active", "newest") and archived):
            continue
        yield name, "archived" if archived else states.get(name, "")


def _groups(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    from clauderon.paths import Home
    from clauderon.store import Store

    home = Home.from_environ(environ)
    if not home.database.exists():
        return
    found: dict[str, int] = {}
    with Store.open(home) as store:
        for session in store.all():
            if session.group:
                found[session.group] = found.get(session.group, 0) + 1
    for name, count in found.items():
        yield name, f"{count} session{'s' if count > 1 else ''}"


def _states(home: Home, store: Store, environ: Mapping[str, str]) -> dict[str, str]:
    """None where they cannot be known: a name without its state is a candidate too."""
    try:
        from clauderon.session import query

        return query.states(_context(home, store, environ), PATIENCE_S)
    except Exception:  # noqa: BLE001 - see above
        return {}


def _context(home: Home, store: Store, environ: Mapping[str, str]) -> Context:
    from clauderon import config
    from clauderon.docker import Docker
    from clauderon.output import Output
    from clauderon.session.context import Context

    settings = config.load(home, environ)
    return Context(home, settings, environ, Docker.of(settings.docker, environ), store, Output(quiet=True))


def _images(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The default, those of sessions, and those the engine has."""
    from clauderon import config
    from clauderon.docker import Docker
    from clauderon.paths import Home
    from clauderon.store import Store

    home = Home.from_environ(environ)
    settings = config.load(home, environ)
    found = {settings.docker.default_image: "the default"}
    if home.database.exists():
        with Store.open(home) as store:
            for row in store.all():
                found.setdefault(row.image, f"of session {row.name}")
    with contextlib.suppress(ValueError, KeyError):
        for image, _ in Docker.of(settings.docker, environ).image_list_glance(PATIENCE_S):
            found.setdefault(image, "on this engine")
    found.pop("", None)
    yield from found.items()


def _refs(kind: str, repo: str, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Branches, newest first; for `refs` tags too, for `branches`, which must be new, with that word."""
    import shlex
    from pathlib import Path

    from clauderon.git.call import CheckoutGit
    from clauderon.git.environment import environment, offline

    place = Path(repo or ".").expanduser()
    if not place.is_dir():
        place = Path(" ".join(shlex.split(repo))).expanduser()  # as it is in the line: quoted
    where = ("refs/heads", "refs/remotes", "refs/tags") if kind == "refs" else ("refs/heads",)
    words = ("for-each-ref", f"--count={_MOST}", "--sort=-creatordate", "--format=%(refname)", *where)
    git = CheckoutGit(place.absolute(), offline(environment(environ)), timeout_s=PATIENCE_S)
    answer = git.glance(*words)
    about = {"heads": "branch", "remotes": "remote branch", "tags": "tag"}
    for line in (answer or b"").decode("utf-8", "replace").splitlines():
        _, room, name = line.split("/", 2)
        if _PLAIN.fullmatch(name) and not (room == "remotes" and name.endswith("/HEAD")):
            yield name, about[room] if kind == "refs" else "exists, so go on typing"


def _rescues(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    from clauderon.paths import Home
    from clauderon.session.rescues import list_rescues
    from clauderon.store import Store

    home = Home.from_environ(environ)
    if not home.database.exists():
        return
    with Store.open(home) as store:
        for found in list_rescues(_context(home, store, environ)):
            if _PLAIN.fullmatch(found.rescued.name):
                yield found.rescued.name, found.rescued.kind


def _agents(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    from clauderon import config
    from clauderon.config.builtin_agents import BUILTIN_AGENTS
    from clauderon.paths import Home

    loaded = config.load(Home.from_environ(environ), environ)
    for name in loaded.agents:
        about = "built in" if name in BUILTIN_AGENTS else "your own"
        yield name, f"{about}, the default" if name == loaded.general.default_agent else about


def _credentials(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    from clauderon import config
    from clauderon.paths import Home

    for credential in config.load(Home.from_environ(environ), environ).credentials.values():
        yield credential.name, f"for {', '.join(credential.hosts)}"
