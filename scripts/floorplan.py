"""Which room lies on which floor, and who may import whom: held by tests/test_layers.py, shown by docs/architecture.md.

A room is a folder or a module below `clauderon/`. It may import its own floor and those below it, as far as `CLOSED`
does not forbid it.
"""

from __future__ import annotations

# From the top down.
LAYERS = {
    "face": "what a person types and reads",
    "use cases": "what a command does",
    "service": "the proxy beside the sessions",
    "tools": "one program or one of its jobs each",
    "state": "what is remembered",
    "facts": "values and what they may be",
    "ground": "the operating system",
    "words": "errors and characters",
}
# Floors that a floor may not import, although they lie below it. Each with the modules that may all the same.
CLOSED: dict[tuple[str, str], dict[str, str]] = {
    ("service", "tools"): {
        "proxy.daemon.branch_watch": "carries a commit over a second after it was made, and looks for it without git",
        "proxy.daemon.event_watch": "reads what an agent says it does",
    },
    ("tools", "state"): {},
    ("state", "ground"): {},
}
ROOMS: dict[str, tuple[str, str]] = {
    "__main__": ("face", "where a call begins"),
    "cli": ("face", "typer, one small file a family"),
    "output": ("face", "the only writer of stdout"),
    "cells": ("face", "values as text and tables"),
    "patchview": ("face", "a patch for a terminal"),
    "figures": ("face", "amounts in a few characters"),
    "top": ("face", "`top`: the live view, with Textual"),
    "dashboard": ("face", "`dashboard`: the sessions in a browser"),
    "report": ("face", "`report`: Markdown and HTML"),
    "screen": ("face", "a terminal's screen as text"),
    "aliases": ("face", "words of other tools"),
    "progress": ("face", "bars"),
    "quick": ("face", "`env`, `path`, `--help` and completion in milliseconds, without typer"),
    "session": ("use cases", "sessions, from create to delete"),
    "doctor": ("use cases", "what may be wrong with a machine"),
    "cache": ("use cases", "`clean-cache`"),
    "proxy": ("service", "the TLS-intercepting proxy"),
    "docker": ("tools", "the docker command line"),
    "git": ("tools", "the git command line"),
    "airlock": ("tools", "commits from a container, and what of them may come in"),
    "caching": ("tools", "what sessions share of cargo's caches"),
    "agents": ("tools", "the agents that run in a session"),
    "store": ("state", "sqlite"),
    "ledger": ("state", "what models were asked, in sqlite"),
    "events": ("state", "what happened to sessions"),
    "usage_journal": ("state", "the same before it is in sqlite"),
    "record": ("facts", "a session as it is recorded"),
    "known": ("facts", "the agents we know, a file each"),
    "config": ("facts", "config.toml and its variables"),
    "spec": ("facts", "what docker is told of a container"),
    "rights": ("facts", "what narrows a session"),
    "limits": ("facts", "CPU and memory"),
    "netrules": ("facts", "a rule on a session's requests, as it is written"),
    "grammar": ("facts", "how each kind of value is written"),
    "choices": ("facts", "the words a flag or key may have"),
    "extras": ("facts", "`--volume` and `--publish`"),
    "runoptions": ("facts", "options of `docker run` taken apart"),
    "mount": ("facts", "a mount of the container"),
    "placeholders": ("facts", "what lies in a container in the place of a login"),
    "names": ("facts", "session names"),
    "paths": ("facts", "our directories and files"),
    "tls": ("facts", "how a TLS context begins"),
    "__init__": ("facts", "the version"),
    "proc": ("ground", "the process boundary"),
    "files": ("ground", "small files that are ours"),
    "confined": ("ground", "files below a directory that a container can write"),
    "filelock": ("ground", "kernel locks"),
    "streams": ("ground", "the standard streams"),
    "errors": ("words", "what goes wrong, with its hint and exit status"),
    "visible": ("words", "a terminal's control characters made visible"),
}
# The rooms of the proxy, from the top down, and which of them each may import.
PROXY: dict[str, set[str]] = {
    "supervisor": {"daemon"},
    "worker": {"daemon"},
    "service": {"daemon", "ca", "secrets", "status"},
    "inquiry": {"dataplane", "secrets", "net", "policy", "http"},
    "daemon": {"dataplane", "ca", "secrets", "logins", "audit", "usage", "policy"},
    "dataplane": {"net", "audit", "usage", "policy", "http"},
    "secrets": {"logins", "policy", "http"},
    "logins": {"net", "policy"},
    "net": {"policy", "http"},
    "ca": set(),
    "audit": set(),
    "usage": {"policy", "http"},
    "policy": {"http"},
    "http": set(),
    "status": set(),
}
# What the rooms above know of the proxy: the life around it; of the data plane only what it would say.
PROXY_DOORS = {
    "service",
    "status",
    "inquiry",
    "secrets.credentials",
    "secrets.in_file",
    "secrets.keeping",
    "secrets.source",
    "audit.aside",
    "audit.reader",
    "audit.tally",
    "ca.record",
    "ca.trust",
    "daemon.addresses",
    "daemon.supervisor",
    "policy.hosts",
    "policy.repositories",
}


def may_import(layer: str) -> list[str]:
    """The floors below `layer` that it may import."""
    order = list(LAYERS)
    return [below for below in order[order.index(layer) + 1 :] if (layer, below) not in CLOSED]


def architecture(page: str) -> str:
    """docs/architecture.md with its two tables as they are here."""
    rows = ["| floor | rooms | may import |", "|---|---|---|"]
    for layer, what in LAYERS.items():
        rooms = ", ".join(f"`{name}` ({said})" for name, (on, said) in ROOMS.items() if on == layer)
        below = ", ".join(may_import(layer)) or "nothing of ours"
        for (above, closed), doors in CLOSED.items():
            if above == layer and doors:
                below += "; " + ", ".join(
                    f"{closed} only in `{name}`, which {why}" for name, why in doors.items()
                )
        rows.append(f"| {layer}: {what} | {rooms} | {below} |")
    page = _between(page, "floors", rows)
    rows = ["| room of `proxy/` | may import |", "|---|---|"]
    rows += [
        f"| `{room}` | {', '.join(f'`{name}`' for name in PROXY if name in below) or 'no other'} |"
        for room, below in PROXY.items()
    ]
    rows += [
        "",
        f"The rest of the program imports only: {', '.join(f'`{door}`' for door in sorted(PROXY_DOORS))}.",
    ]
    return _between(page, "proxy", rows)


def _between(page: str, name: str, lines: list[str]) -> str:
    begin, end = f"<!-- begin {name}: generated by scripts/docs -->\n", f"<!-- end {name} -->\n"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return before + begin + "\n".join(lines) + "\n" + end + after
