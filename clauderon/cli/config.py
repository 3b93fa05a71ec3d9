"""`config show`, `config paths`, `config env`, `config init`, `config credentials`."""

from __future__ import annotations

import json as json_module
import os
from typing import Annotated, Any

from clauderon import config, files
from clauderon.cells import Column
from clauderon.cli import common
from clauderon.cli.declared import Option
from clauderon.errors import Conflict


def show(
    format_: common.FormatOption = "table", json: common.JsonOption = False, quiet: common.QuietOption = False
) -> None:
    """Print the merged configuration, with where each value came from.

    Example: clauderon config show | grep docker
    """
    out = common.speak(format_, json, quiet)
    rows: list[dict[str, Any]] = [
        {"key": row.key, "value": row.value, "origin": row.origin}
        for row in config.show(config.load(common.home(), os.environ))
    ]
    if not out.json:
        for row in rows:
            row["value"] = (
                "(absent)" if row["value"] is None else json_module.dumps(row["value"], ensure_ascii=False)
            )
    out.records(rows, (Column("key", "KEY"), Column("value", "VALUE"), Column("origin", "ORIGIN")))


def paths(
    format_: common.FormatOption = "table", json: common.JsonOption = False, quiet: common.QuietOption = False
) -> None:
    """Print where everything is kept.

    Example: clauderon config paths --format tsv
    """
    out = common.speak(format_, json, quiet)
    home = common.home()
    out.record(
        {
            "home": str(home.root),
            "config": str(home.config),
            "database": str(home.database),
            "worktrees": str(home.worktrees),
            "hooks": str(home.hooks),
            "secrets": str(home.secrets),
            "agents": str(home.agents),
            "audit": str(home.audit),
            "logs": str(home.logs),
            "ca_certificate": str(home.ca_cert),
        }
    )


def env(
    format_: common.FormatOption = "table", json: common.JsonOption = False, quiet: common.QuietOption = False
) -> None:
    """Print the environment variables that change the configuration, and which are set.

    Example: clauderon config env
    """
    from clauderon.config import keys
    from clauderon.config.builtin_agents import BUILTIN_AGENTS

    out = common.speak(format_, json, quiet)
    rows = [
        {"variable": name, "key": key, "set": name in os.environ}
        for name, key in keys.variables(BUILTIN_AGENTS)
    ]
    rows.insert(
        0,
        {"variable": "CLAUDERON_HOME", "key": "(the state directory)", "set": "CLAUDERON_HOME" in os.environ},
    )
    out.records(
        rows, (Column("variable", "VARIABLE"), Column("key", "KEY"), Column("set", "SET", {"yes": "green"}))
    )


def init(
    force: Annotated[bool, Option("--force", "-f", help="Overwrite an existing file.")] = False,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Write a config.toml that explains every key and changes nothing; prints its path.

    Example: clauderon config init
    """
    out = common.speak(format_, json, quiet)
    home = common.home()
    home.create()
    if home.config.exists() and not force:
        raise Conflict("config init", f"{home.config} exists", hint="clauderon config init --force")
    draft = home.config.with_name(files.draft_name(home.root, home.config.name))
    draft.write_text(config.template(), "utf-8")
    draft.replace(home.config)
    out.value(str(home.config))


def credentials(
    format_: common.FormatOption = "table", json: common.JsonOption = False, quiet: common.QuietOption = False
) -> None:
    """Print which credentials are set, from where, for which hosts; never their values.

    Example: clauderon config credentials
    """
    from clauderon.proxy import service
    from clauderon.proxy.secrets import credentials as table

    out = common.speak(format_, json, quiet)
    home = common.home()
    held = service.held(home)
    rows = [row._asdict() for row in table.describe(config.load(home, os.environ), home, os.environ, held)]
    for row in rows:
        if row["problem"]:
            out.warn(row["problem"])
    columns = ("name", "set", "origin", "kind", "hosts")
    out.records(rows, [Column(name, name.upper()) for name in columns])
