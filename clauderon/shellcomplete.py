"""What the completion scripts ask for: names from the database, the configuration's agents. Reads, never writes.

Asked between two key presses, so it imports only `store` or `config`, and whatever goes wrong it answers nothing:
an error message has no place in a half-typed command line.

The protocol: `clauderon __complete KIND` prints one candidate a line, a tab, and a few words about it; the exit
status is always 0. KIND is `names` (newest session first), `active` or `archived` (the same, narrowed), `newest`
(the one newest session that is not archived), `agents`, or `rescues`, for which git is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

KINDS = ("names", "active", "archived", "newest", "agents", "rescues")


def complete(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """The answer to `clauderon __complete ARGUMENTS...`, as text for stdout; empty if there is none."""
    kind = arguments[0] if arguments else ""
    try:
        if kind == "agents":
            candidates = list(_agents(environ))
        elif kind == "rescues":
            candidates = list(_rescues(environ))
        elif kind in KINDS:
            candidates = list(_names(kind, environ))[: 1 if kind == "newest" else None]
        else:
            candidates = []
    except Exception:  # noqa: BLE001 - see above
        return ""
    return "".join(f"{name}\t{about}\n" for name, about in candidates)


def _names(kind: str, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    from clauderon.paths import Home
    from clauderon.store import Store

    home = Home.from_environ(environ)
    if not home.database.exists():
        return  # opening would make one
    with Store.open(home) as store:
        for name, state, archived in store.names():
            if (kind == "archived" and not archived) or (kind in ("active", "newest") and archived):
                continue
            yield name, "archived" if archived else state


def _rescues(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    from clauderon import config
    from clauderon.docker import Docker
    from clauderon.output import Output
    from clauderon.paths import Home
    from clauderon.session.context import Context
    from clauderon.session.rescues import list_rescues
    from clauderon.store import Store

    home = Home.from_environ(environ)
    if not home.database.exists():
        return
    settings = config.load(home, environ)
    with Store.open(home) as store:
        docker = Docker.of(settings.docker, environ)
        for found in list_rescues(Context(home, settings, environ, docker, store, Output(quiet=True))):
            yield found.rescued.name, found.rescued.kind


def _agents(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    from clauderon import config
    from clauderon.config.builtin_agents import BUILTIN_AGENTS
    from clauderon.paths import Home

    loaded = config.load(Home.from_environ(environ), environ)
    for name in loaded.agents:
        about = "built in" if name in BUILTIN_AGENTS else "your own"
        yield name, f"{about}, the default" if name == loaded.general.default_agent else about
