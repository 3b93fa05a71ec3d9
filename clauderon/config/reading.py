"""Reads `config.toml` and the environment into a `Config`. Never writes, never prints."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clauderon import files
from clauderon.config.builtin_agents import BUILTIN_AGENTS
from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS, share_scope
from clauderon.config.keys import ANY, SECTIONS, Key, variable
from clauderon.config.schema import (
    Agent,
    Config,
    Credential,
    Docker,
    General,
    Git,
    Hooks,
    Limits,
    ModelPrice,
    Network,
    Notify,
    Proxy,
    SessionLimits,
)
from clauderon.config.whole import check_whole
from clauderon.errors import UsageError
from clauderon.paths import Home, current_directory

# An agent's name is part of a path, a credential's name of a log line.
_TABLE_NAME = r"[a-z0-9][a-z0-9_-]*"
_MODEL_NAME = r"[!-~]{1,128}"
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")

Values = dict[str, dict[str, Any]]


class _Source:
    """The file that is being read, able to say on which line a key is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = ""

    def refuse(self, keys: tuple[str, ...], why: str) -> UsageError:
        from clauderon.config.mistakes import at_key

        return at_key(self.path, self.text, keys, why)


def defaults() -> Config:
    """The configuration of a machine without file or variable; built-in agents and credentials are in it."""
    return Config(agents=BUILTIN_AGENTS, credentials=BUILTIN_CREDENTIALS)


def load(home: Home, environ: Mapping[str, str], *, raw: bytes | None = None) -> Config:
    """The configuration: environment over `config.toml` over defaults.

    raw: what to take for the file's content; None reads it.

    Raises UsageError, with file, line and column, for a file that cannot be read, a key or section nobody
    knows, or a value that cannot be; and naming the variable for a bad value in `environ`.
    """
    source = _Source(home.config)
    values: Values = {}
    origins: dict[str, str] = {}
    document = _document(source, content(home) if raw is None else raw)
    for name, table in document.items():
        _read_section(source, document, (name,), table, values, origins)
    agents = {*BUILTIN_AGENTS, *(s.split(".", 1)[1] for s in values if s.startswith("agents."))}
    _resolve_paths(values, home.root, environ)
    from_environ: Values = {}
    _read_environ(environ, agents, from_environ, origins)
    _resolve_paths(from_environ, None, environ)
    for section, overrides in from_environ.items():
        values.setdefault(section, {}).update(overrides)
    config = _build(values, agents, origins)
    check_whole(config, source)
    return config


def content(home: Home) -> bytes:
    """What is in `config.toml`; nothing when there is none. Raises UsageError for what cannot be read."""
    try:
        return files.read(home.config)
    except FileNotFoundError:
        return b""
    except OSError as error:
        why = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise UsageError(str(home.config), why, hint=_way_to_read(home.config, error)) from error


def _document(source: _Source, raw: bytes) -> dict[str, Any]:
    """The file as TOML."""
    if not raw:
        return {}
    import tomli

    try:
        source.text = raw.decode("utf-8-sig")  # editors on Windows write a byte-order mark
        return tomli.loads(source.text)
    except RecursionError as error:
        raise UsageError(
            str(source.path), "values are nested too deeply", hint=f"${{EDITOR:-vi}} {source.path}"
        ) from error
    except (UnicodeDecodeError, tomli.TOMLDecodeError) as error:
        from clauderon.config.mistakes import not_toml

        raise not_toml(source.path, raw, error) from error


def _way_to_read(path: Path, error: OSError) -> str:
    import shlex  # late: not on the way of a create

    quoted = shlex.quote(str(path))
    if isinstance(error, PermissionError):
        return f'sudo chown "$(id -u)" {quoted} && chmod u+r {quoted}'
    if isinstance(error, IsADirectoryError) or (error.errno == errno.EINVAL and not path.is_symlink()):
        return f"mv {quoted} {shlex.quote(f'{path}.before')}"
    return "clauderon doctor" if isinstance(error, NotADirectoryError) else f"ls -ld {quoted}"


def _read_section(
    source: _Source,
    document: Mapping[str, Any],
    place: tuple[str, ...],
    table: object,
    values: Values,
    origins: dict[str, str],
) -> None:
    """Read one table, and the tables in it that are sections themselves."""
    dotted = ".".join(place)
    section = _section_name(place)
    is_group = any(known.startswith(f"{dotted}.") for known in SECTIONS)
    if section is None and not is_group:
        from clauderon.config.mistakes import unknown_section

        raise source.refuse(place, unknown_section(dotted, document))
    if not isinstance(table, dict):
        raise source.refuse(place, f"[{dotted}] is a section, not a value")
    if section == f"prices.{ANY}":
        if not re.fullmatch(_MODEL_NAME, place[1]):
            raise source.refuse(place, f"{place[1]!r} is no model's name")
    elif len(place) == 2 and section != dotted and not re.fullmatch(_TABLE_NAME, place[1]):
        raise source.refuse(place, f"{place[1]!r} is not a name: use lower-case letters, digits, '_' and '-'")
    keys = {key.name: key for key in SECTIONS.get(section or "", ())}
    if section is not None:
        values.setdefault(dotted, {})
    for name, value in table.items():
        if name in keys:
            try:
                values[dotted][name] = keys[name].check(value)
            except ValueError as error:
                raise source.refuse((*place, name), f"{dotted}.{name}: {error}") from None
            origins[f"{dotted}.{name}"] = "file"
        elif _section_name((*place, name)) is not None:
            _read_section(source, document, (*place, name), value, values, origins)
        else:
            from clauderon.config.mistakes import unknown_key

            raise source.refuse((*place, name), unknown_key(name, dotted, section))


def _section_name(place: tuple[str, ...]) -> str | None:
    """The schema's name for the section at `place`, `agents.<name>` for `agents.scripted`, or None."""
    dotted = ".".join(place)
    if dotted in SECTIONS:
        return dotted
    if len(place) == 2 and f"{place[0]}.{ANY}" in SECTIONS:
        return f"{place[0]}.{ANY}"
    return None


def _read_environ(
    environ: Mapping[str, str], agents: set[str], values: Values, origins: dict[str, str]
) -> None:
    """Take every override that `environ` holds; an empty one is treated as not set."""
    if not any(name.startswith("CLAUDERON_") for name in environ):
        return
    for section, keys in SECTIONS.items():
        names = sorted(agents) if section == f"agents.{ANY}" else [""]
        for key in keys:
            if not key.env:
                continue
            for name in names:
                dotted = section.replace(ANY, name)
                env_name = variable(key, name)
                raw = environ.get(env_name, "")
                if raw:
                    values.setdefault(dotted, {})[key.name] = _from_text(key, raw, env_name)
                    origins[f"{dotted}.{key.name}"] = f"env {env_name}"


def _from_text(key: Key, raw: str, env_name: str) -> object:
    """The value of a variable; a number or a boolean is tried when the key does not take a string."""
    attempts: list[object] = [raw]
    if re.fullmatch(r"-?[0-9]{1,18}", raw):
        attempts.append(int(raw))
    elif raw.lower() in (*_TRUE, *_FALSE):
        attempts.append(raw.lower() in _TRUE)
    why = ""
    for attempt in attempts:
        try:
            return key.check(attempt)
        except ValueError as error:
            why = str(error)
    raise UsageError(env_name, why.replace("a string", repr(raw)), hint=f"unset {env_name}")


def _resolve_paths(values: Values, base: Path | None, environ: Mapping[str, str]) -> None:
    """Make the paths in `values` absolute: `~` is HOME, a relative one starts at `base` (None: where we are)."""
    for section, table in values.items():
        schema = f"agents.{ANY}" if section.startswith("agents.") else section
        for key in SECTIONS.get(schema, ()):
            if key.is_path and table.get(key.name):
                path = table[key.name]
                if path == "~" or path.startswith("~/"):
                    path = environ.get("HOME", "~") + path[1:]
                start = base or (Path("/") if path.startswith("/") else current_directory(path))
                table[key.name] = str(start / path)


def _with_file(credential: Credential) -> Credential:
    """A secret can be kept for every credential but one that is a client's login alone."""
    if credential.file or (credential.login and not credential.env and not credential.command):
        return credential
    return credential._replace(file=credential.name)


def _build(values: Values, agent_names: set[str], origins: Mapping[str, str]) -> Config:
    # The built-in ones come first: of two credentials for one host, the first that has a secret is used.
    agents = BUILTIN_AGENTS | {n: Agent(name=n) for n in sorted(agent_names - BUILTIN_AGENTS.keys())}
    named = [s.split(".", 1)[1] for s in values if s.startswith("credentials.")]
    own = {n: Credential(name=n) for n in named if n not in BUILTIN_CREDENTIALS}  # in the file's order
    credentials = BUILTIN_CREDENTIALS | own
    share_scope(values)
    return Config(
        general=General(**values.get("general", {})),
        docker=Docker(limits=Limits(**values.get("docker.limits", {})), **values.get("docker", {})),
        agents={name: agent._replace(**values.get(f"agents.{name}", {})) for name, agent in agents.items()},
        proxy=Proxy(**values.get("proxy", {})),
        credentials={
            name: _with_file(credential._replace(**values.get(f"credentials.{name}", {})))
            for name, credential in credentials.items()
        },
        network=Network(**values.get("network", {})),
        git=Git(**values.get("git", {})),
        limits=SessionLimits(**values.get("limits", {})),
        prices={
            section.split(".", 1)[1]: ModelPrice(name=section.split(".", 1)[1], **table)
            for section, table in values.items()
            if section.startswith("prices.")
        },
        hooks=Hooks(**values.get("hooks", {})),
        notify=Notify(**values.get("notify", {})),
        origins=origins,
    )
