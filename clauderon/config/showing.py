"""Shows a configuration: rows for `config show`, the commented file of `config init`. Never prints."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple

from clauderon.config.keys import ANY, SECTIONS, Key, variable
from clauderon.config.reading import defaults
from clauderon.config.schema import Agent, Config, Credential, ModelPrice

_TEMPLATE_WIDTH = 100

_HEAD = """\
# clauderon's configuration. Each value is shown as a comment with its default: take the "# " away to change it.
# `clauderon config show` prints what counts, and where each value came from.
"""

# What the template has for a key whose default, "absent", cannot be written down.
_EXAMPLES = {
    "general.credentials": '["anthropic", "github"]',
    "network.allow": '["api.anthropic.com", "*.github.com"]',
}

_OWN_TABLES = {
    f"agents.{ANY}": """\
# Any other name is an agent of your own.
# [agents.scripted]
# command = ["sh", "-c", "exec sleep infinity"]
# print_command = ["sh", "{prompt_file}"]
# env = { EXAMPLE_TOKEN = "placeholder" }
""",
    f"credentials.{ANY}": """\
# What the proxy lends, and to whom. Known without a word here:
# %(known)s.
# A table of one of these names changes it key by key; any other name is a credential of your own.
# [credentials.example]
# hosts = ["api.example.com"]
# header = "authorization"
# format = "Bearer {secret}"
# env = "EXAMPLE_TOKEN"
# command = ["op", "read", "op://vault/example/token"]
# file = "example_token"
# headers = { x-example-account = "{account}" }
# paths = ["/v1"]
# git = true
# scope = "session"
# repositories = ["OWNER/NAME"]
# fetch = "remotes"
# mutations = ["createPullRequest"]
""",
    f"prices.{ANY}": """\
# What a model costs that clauderon knows no price of, or another one: US dollars for a million tokens. A name that ends
# in "*" is the beginning of names.
# [prices."example-model-1"]
# input = 3.0
# output = 15.0
# cache_read = 0.3
# cache_write = 3.75
# cache_write_1h = 6.0
""",
}


class Row(NamedTuple):
    """One key. value: as JSON has it (None for "absent"); origin: `default`, `file` or `env NAME`."""

    key: str
    value: Any
    origin: str


def show(config: Config) -> list[Row]:
    """Every key with its value; of agents and credentials only the keys that say something."""
    rows = []
    for section, keys in SECTIONS.items():
        for place, table in _tables(config, section):
            for key in keys:
                dotted = f"{place}.{key.name}"
                value = _plain(getattr(table, key.name))
                origin = config.origins.get(dotted, "default")
                if ANY in section and value in ("", [], {}, None) and origin == "default":
                    continue
                rows.append(Row(dotted, _masked(value), origin))
    return rows


def literal(value: Any) -> str:
    """A value as TOML writes it; an absent one is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return f'"{_escaped(value)}"'
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(name)} = {literal(item)}" for name, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return f"[{', '.join(literal(item) for item in value)}]"


def template() -> str:
    """The commented file: it loads to the defaults, and so does each of its lines without the "# "."""
    config = defaults()
    parts = [_HEAD]
    for section, keys in SECTIONS.items():
        own = _OWN_TABLES.get(section, "") % {"known": ", ".join(config.credentials)}
        if section.startswith(("credentials.", "prices.")):
            parts.append(f"\n{own}")
            continue
        place, table = _tables(config, section)[0]
        parts.append(f"\n[{place}]\n")
        for key in keys:
            if isinstance(table, Agent) and not key.env:
                continue  # built-in agents have their own commands
            parts.append(_template_entry(place, key, _plain(getattr(table, key.name))))
        if own:
            parts.append(f"\n{own}")
    return "".join(parts)


def _template_entry(place: str, key: Key, value: Any) -> str:
    name = variable(key, place.rpartition(".")[2])
    text = f"{key.help} ({name})" if name else key.help
    comment = textwrap.fill(text, _TEMPLATE_WIDTH, initial_indent="# ", subsequent_indent="# ")
    shown = _EXAMPLES.get(f"{place}.{key.name}") or literal(value)
    return f"\n{comment}\n# {key.name} = {shown}\n"


def _tables(config: Config, section: str) -> list[tuple[str, Any]]:
    """The tables that a section of the schema describes, each with its dotted name."""
    group, _, rest = section.partition(".")
    table: Any = getattr(config, group)
    if rest == ANY:
        named: Mapping[str, Agent | Credential | ModelPrice] = table
        return [(f"{group}.{name}", entry) for name, entry in named.items()]
    return [(section, getattr(table, rest) if rest else table)]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _masked(value: Any) -> Any:
    """Without the password that the URL of an upstream proxy may hold."""
    if isinstance(value, str) and "://" in value:
        return re.sub(r"//[^/@]*@", "//***@", value)
    return value


def _escaped(text: str) -> str:
    named = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return "".join(
        named.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 0x20 or ord(c) == 0x7F else c) for c in text
    )


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{_escaped(name)}"'
