"""What of `--volume`, `--publish`, `--env` and `[docker] extra_args` undoes a promise of docs/security.md, in words.

An option is safe by being listed here, with what its value may be; every other one is not, those of a later docker
among them. Looks at the disk and, for named volumes, asks the engine; changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from clauderon.errors import UsageError
from clauderon.git.alternates import object_dirs
from clauderon.record import Session
from clauderon.session.context import Context

if TYPE_CHECKING:
    from clauderon import runoptions
    from clauderon.session import given

# Options whose every value is harmless: they narrow, measure, or tell the agent something.
_SAFE_NAMES = (
    "blkio-weight cap-drop cpu-period cpu-quota cpu-shares cpus cpuset-cpus cpuset-mems "
    "domainname expose health-cmd health-interval health-retries health-start-interval health-start-period "
    "health-timeout hostname init interactive kernel-memory memory memory-reservation memory-swap memory-swappiness "
    "no-healthcheck pids-limit platform publish-all quiet read-only shm-size stop-signal stop-timeout "
    "ulimit dns-search"
)
_SAFE = frozenset(_SAFE_NAMES.split())
_LOG_OPTIONS = frozenset(
    (
        "max-size",
        "max-file",
        "compress",
        "mode",
        "max-buffer-size",
        "tag",
        "labels",
        "labels-regex",
        "env",
        "env-regex",
    )
)
_PROXY_NAME = "host.docker.internal"
_ADVICE = "--unsafe ...   # if you mean it; `clauderon list` marks the session"


def reasons(context: Context, session: Session) -> tuple[str, ...]:
    """Why the session's own additions are unsafe, a sentence each; nothing for nearly all sessions, at no cost."""
    agent = context.config.agents.get(session.agent)
    of_agent = agent.env if agent is not None else {}
    if not (session.volumes or session.publish or session.env or session.extra_args or of_agent):
        return ()
    from clauderon import runoptions
    from clauderon.session import given, protected

    git_dir = Path(session.git_dir)
    git_dirs = [git_dir, Path(session.repo) / ".git", *object_dirs(git_dir / "objects")]
    among = protected.places(context.home.root, git_dirs, context.environ)
    rules = given.Rules(context, session, tuple(among), *given.others(context, session))
    found = [f"--volume {item!a}: {why}" for item in session.volumes if (why := given.volume(rules, item))]
    found += [f"--publish {item!a}: {why}" for item in session.publish if (why := _publish(rules, item))]
    found += [
        f"--env {name}: {why}" for name, value in session.env.items() if (why := _env(rules, name, value))
    ]
    for name, value in of_agent.items():
        if why := _env(rules, name, value):
            found.append(f"[agents.{session.agent}] env {name}: {why}")
    parsed = runoptions.parse(session.extra_args)
    for option in parsed.options:
        why = _option(rules, option)
        if why:
            found.append(f"[docker] extra_args {option.word!a}: {why}")
    if parsed.unread:
        found.append(f"[docker] extra_args: {parsed.unread}")
    return tuple(found)


def refuse(context: Context, session: Session, *, aloud: bool) -> tuple[str, ...]:
    """The reasons, if they were asked for aloud. Raises UsageError for those that were not.

    aloud: `--unsafe` was typed; `[docker] unsafe = true` speaks for `extra_args` alone.
    """
    found = reasons(context, session)
    for reason in found:
        what, _, why = reason.partition(": ")
        of_the_file = reason.startswith("[docker] extra_args")
        if aloud or (of_the_file and context.config.docker.unsafe):
            continue
        hint = f"clauderon create {_ADVICE}"
        if of_the_file:
            hint = "[docker] unsafe = true in config.toml if you mean it; `clauderon list` marks the sessions"
        raise UsageError(what, why, hint=hint)
    return found


def check_again(context: Context, session: Session) -> None:
    """Before a container is made or started anew: what a path leads to may have changed. Raises UsageError."""
    new = [reason for reason in reasons(context, session) if reason not in session.unsafe]
    if new and not session.unsafe:
        what, _, why = new[0].partition(": ")
        hint = f"clauderon delete {session.name}   # its work is kept; then clauderon create {_ADVICE}"
        raise UsageError(f"session {session.name}, {what}", why, hint=hint)


def _option(rules: given.Rules, option: runoptions.Option) -> str:
    needed = option.name in ("detach", "sig-proxy")  # `create` would wait for the container's end
    from clauderon import runoptions

    if option.name in runoptions.SWITCHES and option.value == "false" and not needed:
        return ""
    if option.name in _SAFE:
        return ""
    checked = _of_paths().get(option.name) or _CHECKED.get(option.name)
    if checked is None:
        return f"--{option.name} is not on the list of options that are known to be safe"
    return checked(rules, option.value)


def _publish(rules: given.Rules, item: str) -> str:
    """A published port that the proxy listens on would take its place while it is down."""
    if "=" in item:  # docker puts the fields together as text; of two of a name it takes the last
        fields = dict(field.partition("=")[::2] for field in item.split(","))
        item = f"{fields.get('published', '')}:{fields.get('target', '')}"
    outside = item.rpartition(":")[0].rpartition(":")[2]
    if not outside:
        return ""
    told = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", outside)
    if told is None:
        return f"{outside!a} is no port"
    proxy = rules.context.config.proxy
    for port in range(int(told[1]), int(told[2] or told[1]) + 1):
        if port == proxy.port or port in proxy.session_port_range:
            return f"port {port} is the proxy's"
    return ""


def _env(rules: given.Rules, name: str, value: str) -> str:
    """A credential in the container's environment is one that the agent has."""
    for credential in rules.context.config.credentials.values():
        held = [rules.context.environ.get(variable, "") for variable in credential.env]
        with suppress(OSError, ValueError):
            held.append((rules.context.home.secrets / (credential.file or ".")).read_text().strip())
        if any(secret and len(secret) >= 8 and secret in value for secret in held):
            return f"its value is the credential {credential.name}, which the proxy lends without showing it"
    return ""


def _env_option(rules: given.Rules, value: str) -> str:
    name, equals, said = value.partition("=")
    if name.endswith("*"):
        return "podman reads it as every variable that begins so"
    return _env(rules, name, said if equals else rules.context.environ.get(name, ""))


def _label(_rules: given.Rules, value: str) -> str:
    return f"labels clauderon.* are ours: {value!a}" if value.lower().startswith("clauderon") else ""


def _add_host(_rules: given.Rules, value: str) -> str:
    host = re.split(r"[:=]", value)[0]
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", host):
        return f"{host!a} is more than one name"  # docker writes it into /etc/hosts as it is
    return (
        "host.docker.internal is where the proxy answers" if host.lower().rstrip(".") == _PROXY_NAME else ""
    )


def _dns(rules: given.Rules, value: str) -> str:
    return "names are a way out of a proxied network" if rules.session.network == "proxied" else ""


def _one_of(*allowed: str) -> Callable[[given.Rules, str], str]:
    def check(_rules: given.Rules, value: str) -> str:
        return "" if value in allowed else f"{value!a} is not one of {', '.join(allowed)}"

    return check


def _log_option(_rules: given.Rules, value: str) -> str:
    return (
        ""
        if value.partition("=")[0] in _LOG_OPTIONS
        else "only the log's size, form and tags are safe to set"
    )


def _storage(_rules: given.Rules, value: str) -> str:
    return (
        "" if re.fullmatch(r"size=[0-9]+(?:\.[0-9]+)? ?[a-zA-Z]{0,3}", value) else "only size= is safe to set"
    )


def _score(_rules: given.Rules, value: str) -> str:
    return "" if re.fullmatch(r"[0-9]{1,4}", value) else "a negative one sends other programs first"


def _of_paths() -> Mapping[str, Callable[[given.Rules, str], str]]:
    """The options that give the container a path."""
    from clauderon.session import given

    return {"volume": given.volume, "mount": given.mount, "tmpfs": given.tmpfs}


_CHECKED: dict[str, Callable[[given.Rules, str], str]] = {
    "env": _env_option,
    "publish": _publish,
    "label": _label,
    "add-host": _add_host,
    "dns": _dns,
    "dns-opt": _dns,
    "dns-option": _dns,
    "security-opt": _one_of("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"),
    # When the engine restarts a container by itself, nobody checks where a mounted path leads by then.
    "restart": _one_of("no"),
    "ipc": _one_of("private", "none"),
    "cgroupns": _one_of("private"),
    "runtime": _one_of("runsc", "runc"),
    "log-driver": _one_of("json-file", "local", "journald", "none", "k8s-file"),
    "log-opt": _log_option,
    "storage-opt": _storage,
    "oom-score-adj": _score,
}
