"""Every key of `config.toml`: what it takes, the variable that overrides it, and a sentence for people.

Data only. `reading` reads by this table; the template, `config show` and the tables of
docs/configuration.md are made from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from clauderon import choices, grammar, limits
from clauderon.config import checks, lending_checks
from clauderon.config.checks import Check

# A placeholder in a section's name for the agent's, the credential's or the model's own name.
ANY = "<name>"


class Key(NamedTuple):
    """One key. env: the variable that overrides it, empty for none; `<NAME>` stands for the agent's name.

    is_path: a relative path begins at the state directory in the file, at the present directory in the environment.
    """

    name: str
    check: Check
    help: str
    env: str = ""
    is_path: bool = False


SECTIONS: dict[str, tuple[Key, ...]] = {
    "general": (
        Key(
            "default_agent",
            grammar.filled,
            "The agent when `--agent` is not given.",
            env="CLAUDERON_DEFAULT_AGENT",
        ),
        Key(
            "credentials",
            checks.texts,
            "The credentials that sessions are lent, by name. Absent: all. `[]`: none. `--credential` replaces it.",
        ),
    ),
    "docker": (
        Key(
            "command",
            grammar.filled,
            "The program to talk to: `docker`, `podman`, or an absolute path.",
            env="CLAUDERON_DOCKER_COMMAND",
        ),
        Key(
            "context",
            checks.context,
            "A docker context; empty leaves the choice to docker.",
            env="CLAUDERON_DOCKER_CONTEXT",
        ),
        Key(
            "default_image",
            checks.image,
            "The image when `--image` is not given.",
            env="CLAUDERON_DOCKER_IMAGE",
        ),
        Key(
            "pull_policy",
            checks.choice(*choices.PULL_POLICIES),
            "When the image is pulled: `always`, `if-not-present` or `never`.",
            env="CLAUDERON_PULL_POLICY",
        ),
        Key(
            "user",
            checks.user,
            "Who the agent runs as: `host` (your uid and gid), `image` (the image's user) or `UID:GID`.",
            env="CLAUDERON_DOCKER_USER",
        ),
        Key(
            "network",
            checks.network_name,
            "The name of the bridge network sessions are put on; it is made when missing. "
            "A `proxied` session has one to itself, `NAME-proxied-ID`.",
            env="CLAUDERON_DOCKER_NETWORK",
        ),
        Key("extra_args", checks.texts, "More options for `docker run`, one list item each."),
        Key(
            "unsafe",
            checks.flag,
            "Whether `extra_args` may undo the protection (docs/security.md). Such sessions are marked.",
        ),
        Key(
            "log_max_mib",
            checks.integer(0, 1048576),
            "What the engine keeps of a container's output, in MiB; 0 for the engine's own settings.",
            env="CLAUDERON_LOG_MAX_MIB",
        ),
        Key(
            "shared_caches",
            checks.choice(*choices.SHARED_CACHES),
            "What sessions share of cargo's and sccache's files: `verified`, `repository`, `open` or `off`.",
            env="CLAUDERON_SHARED_CACHES",
        ),
    ),
    "docker.limits": (
        Key(
            "cpu",
            checks.number_text,
            "CPUs a session may use (`4`, `1.5`); empty for no limit.",
            env="CLAUDERON_CPU_LIMIT",
        ),
        Key(
            "memory",
            grammar.text,
            "Memory a session may use (`8g`, `512m`); empty for no limit.",
            env="CLAUDERON_MEMORY_LIMIT",
        ),
        Key(
            "pids",
            checks.integer(0, 4194304),
            "Processes and threads a session may have; 0 for no limit.",
            env="CLAUDERON_PIDS_LIMIT",
        ),
        Key(
            "nofile",
            checks.integer(0, 1048576),
            "Files a program may have open; 0 for the engine's own limit.",
            env="CLAUDERON_NOFILE_LIMIT",
        ),
        Key(
            "fsize",
            limits.checked,
            "Size a file may grow to (`16g`); empty for no limit.",
            env="CLAUDERON_FSIZE_LIMIT",
        ),
        Key(
            "core",
            limits.checked,
            "Size of a core dump (`0` for none, `1g`); empty for the engine's own limit.",
            env="CLAUDERON_CORE_LIMIT",
        ),
    ),
    f"agents.{ANY}": (
        Key(
            "path",
            grammar.text,
            "A program on the host to mount, with what belongs to it, instead of fetching one.",
            env="CLAUDERON_AGENT_<NAME>_PATH",
            is_path=True,
        ),
        Key(
            "npm",
            checks.npm_package,
            "An npm package to fetch it from, with what that depends on; `path` goes before it.",
            env="CLAUDERON_AGENT_<NAME>_NPM",
        ),
        Key(
            "version",
            checks.version,
            "`latest`, `stable` or an exact version.",
            env="CLAUDERON_AGENT_<NAME>_VERSION",
        ),
        Key(
            "permission_mode",
            grammar.filled,
            "What the agent may do without asking, in the agent's own words.",
            env="CLAUDERON_AGENT_<NAME>_PERMISSION_MODE",
        ),
        Key(
            "command",
            checks.template,
            "How an agent of your own is started; `{prompt_file}` and `{conversation}` are replaced.",
        ),
        Key("print_command", checks.template, "The same under `--print`, which needs it."),
        Key(
            "resume_command",
            checks.template,
            "How it is started again where it ran before, replaced likewise; empty: `command`.",
        ),
        Key("env", checks.variables, "Variables for the agent: placeholders, never secrets."),
        Key(
            "credentials",
            checks.texts,
            "Names of the credentials it can work with; it needs one.",
        ),
    ),
    "proxy": (
        Key(
            "port",
            checks.integer(1, grammar.LAST_PORT),
            "The proxy's own port: health, and a plain tunnel for this machine.",
            env="CLAUDERON_PROXY_PORT",
        ),
        Key(
            "session_ports",
            checks.port_range,
            "The ports sessions get, one each.",
            env="CLAUDERON_SESSION_PORTS",
        ),
        Key(
            "upstream_ca",
            grammar.text,
            "A PEM file trusted for upstreams, beside the system's.",
            env="CLAUDERON_UPSTREAM_CA",
            is_path=True,
        ),
        Key(
            "upstream_proxy",
            checks.proxy_url,
            "A proxy to go through, `http://HOST:PORT`.",
            env="CLAUDERON_UPSTREAM_PROXY",
        ),
        Key(
            "connect_to",
            checks.host_port_map,
            "`host:port` to dial another `host:port` instead; the name stays for Host, SNI and verification.",
        ),
        Key(
            "passthrough",
            checks.destinations,
            "Hosts tunnelled without interception or credential.",
        ),
        Key(
            "audit_max_mib",
            checks.integer(1, 1048576),
            "Size at which `audit.jsonl` is rotated, in MiB.",
            env="CLAUDERON_AUDIT_MAX_MIB",
        ),
        Key(
            "audit_keep",
            checks.integer(0, 1000),
            "How many rotated files are kept.",
            env="CLAUDERON_AUDIT_KEEP",
        ),
    ),
    f"credentials.{ANY}": (
        Key(
            "hosts",
            checks.credential_hosts,
            "Who gets it: names, or `*.example.com` for all below; on port 443, or on `:port`.",
        ),
        Key("header", checks.header, "The header it travels in."),
        Key("format", checks.header_format, "The header's value; `{secret}` or `{basic}` is replaced."),
        Key("basic_user", grammar.text, "The user name in `{basic}`."),
        Key(
            "env",
            checks.variable_names,
            "The variable with the secret, or a list: the first one that is set is used.",
        ),
        Key("command", checks.argv, "Else a command that prints it, as a list of words."),
        Key(
            "file",
            checks.secret_file,
            "Else what `secret set` keeps under this name: in the system's keyring, or as a file in `secrets/`. "
            "Absent: the credential's name. Credentials with the same name share it.",
        ),
        Key(
            "model_api",
            checks.flag,
            "These hosts serve a model: read-only sessions may POST to them.",
        ),
        Key(
            "git",
            checks.flag,
            "These hosts serve git: read-only sessions may fetch. Absent: where the format has `{basic}`.",
        ),
        Key(
            "websocket",
            checks.flag,
            "Requests with the secret may become WebSockets, in which an echo of it is not masked.",
        ),
        Key(
            "scope",
            checks.choice(*choices.LENDING_SCOPES),
            "`session`: for reading, and for work on the session's own repositories. `any`: for everything. Absent: "
            "`any`, or `session` where `repositories` is there. GitHub's is `session`.",
        ),
        Key(
            "repositories",
            lending_checks.repositories,
            "More repositories of these hosts to push to, as `OWNER/NAME`, beside the session's remotes.",
        ),
        Key(
            "fetch",
            checks.choice(*choices.FETCH_SCOPES),
            "With `scope = session`: `any` to read what the secret can, `remotes` to read these repositories alone.",
        ),
        Key(
            "mutations",
            lending_checks.graphql_names,
            "With `scope = session`: GraphQL mutations that may pass.",
        ),
        Key(
            "login",
            checks.choice(*choices.LOGINS, ""),
            "Else the login that this client keeps on your machine: `claude`, `codex`, `codex-key`, `gemini`, `gh`; "
            "empty for none.",
        ),
        Key(
            "headers",
            checks.more_headers,
            "More headers to set, as a table; `{secret}` is replaced, and `{account}` by the login's account.",
        ),
        Key(
            "paths",
            checks.url_paths,
            "Only requests below one of these paths get it (`/v1`). Absent: all.",
        ),
    ),
    "network": (
        Key(
            "mode",
            checks.choice(*choices.NETWORK_MODES),
            "`open`, or `proxied`: the proxy is the only way out.",
            env="CLAUDERON_NETWORK_MODE",
        ),
        Key(
            "allow",
            checks.destinations,
            "The hosts the proxy lets through, each with `:port` or without. Absent: all. `[]`: none. "
            "`--allow` replaces it.",
        ),
        Key("deny", checks.destinations, "Hosts the proxy refuses; stronger than `allow` and `rules`."),
        Key(
            "rules",
            lending_checks.network_rules,
            "Tables `[[network.rules]]` with `action`, `host` and, each if wanted, `methods`, `paths` (`/v1/**`), "
            "`credential`. The first that is about a request decides; without one `allow` does.",
        ),
    ),
    "git": (
        Key(
            "trusted_filters",
            checks.texts,
            "Filters and merge drivers of your git configuration that `merge` may run, by name.",
        ),
        Key(
            "push",
            lending_checks.push_refs,
            "What sessions may push to beside their own branch (`refs/heads/agents/*`), with a credential whose "
            "`scope` is `session`.",
        ),
        Key(
            "refuse_autorun",
            checks.flag,
            "Whether `merge` refuses what runs by itself in a checkout (`.envrc`, ...) instead of saying it.",
        ),
    ),
    "limits": (
        Key(
            "disk",
            limits.checked,
            "Size of a session's directories and of its container's own files (`20g`); empty for no limit, and a "
            "warning at 10 GiB.",
            env="CLAUDERON_DISK_LIMIT",
        ),
        Key(
            "session_budget",
            limits.checked_dollars,
            "US dollars that a session made from now on may spend on models; empty for no limit. `--budget` "
            "replaces it.",
            env="CLAUDERON_SESSION_BUDGET",
        ),
        Key(
            "daily_budget",
            limits.checked_dollars,
            "US dollars that all sessions together may spend in a day of this machine's clock.",
            env="CLAUDERON_DAILY_BUDGET",
        ),
        Key(
            "group_budget",
            limits.checked_dollars,
            "US dollars that the sessions of one group may spend together; `clauderon budget --group` replaces it.",
            env="CLAUDERON_GROUP_BUDGET",
        ),
    ),
    f"prices.{ANY}": (
        Key("input", checks.dollars, "US dollars for a million tokens that no cache had."),
        Key("output", checks.dollars, "The same for tokens of the answer."),
        Key("cache_read", checks.dollars, "For tokens read from the cache; absent: as `input`."),
        Key("cache_write", checks.dollars, "For tokens written to it for five minutes; absent: as `input`."),
        Key("cache_write_1h", checks.dollars, "For an hour; absent: as `cache_write`."),
    ),
    "notify": (
        Key(
            "desktop",
            checks.flag,
            "Whether a session that waits, is done, failed or used up its budget shows a notification on this desktop "
            "(`notify-send`, on macOS `osascript`), where there is no hook for it.",
            env="CLAUDERON_NOTIFY_DESKTOP",
        ),
    ),
    "hooks": (
        Key(
            "on_create",
            grammar.text,
            "A shell command for this machine, run in the new worktree before the container starts; "
            "`create` fails with it.",
            env="CLAUDERON_ON_CREATE",
        ),
        Key(
            "on_start",
            grammar.text,
            "A shell command for this machine, run when a stopped session was started.",
            env="CLAUDERON_ON_START",
        ),
        Key(
            "on_waiting",
            grammar.text,
            "A shell command for this machine, run when an agent waits for you: for a permission, or an answer.",
            env="CLAUDERON_ON_WAITING",
        ),
        Key(
            "on_done",
            grammar.text,
            "A shell command for this machine, run when an agent ended by itself with status 0.",
            env="CLAUDERON_ON_DONE",
        ),
        Key(
            "on_failed",
            grammar.text,
            "A shell command for this machine, run when an agent ended with another status.",
            env="CLAUDERON_ON_FAILED",
        ),
        Key(
            "on_budget",
            grammar.text,
            "A shell command for this machine, run when 80 % of a budget is spent, or all of it.",
            env="CLAUDERON_ON_BUDGET",
        ),
        Key(
            "on_stop",
            grammar.text,
            "A shell command for this machine, run when a session was stopped.",
            env="CLAUDERON_ON_STOP",
        ),
        Key(
            "on_delete",
            grammar.text,
            "A shell command for this machine, run when a session was deleted.",
            env="CLAUDERON_ON_DELETE",
        ),
    ),
}

# Variables that are no key's override, for docs/configuration.md.
OTHER_VARIABLES: dict[str, str] = {
    "CLAUDERON_HOME": "The state directory; `~/.clauderon` when it is not set.",
    "NO_COLOR": "Set to anything: no colour.",
}


def variables(agents: Iterable[str]) -> list[tuple[str, str]]:
    """Every overriding variable with the dotted key it overrides, for the agents given."""
    return [
        (variable(key, name), f"{section.replace(ANY, name)}.{key.name}")
        for section, keys in SECTIONS.items()
        for name in (agents if ANY in section else ("",))
        for key in keys
        if key.env
    ]


def variable(key: Key, name: str) -> str:
    """The variable that overrides this key of the agent `name`: `CLAUDERON_AGENT_MY_AGENT_PATH`."""
    return key.env.replace("<NAME>", name.upper().replace("-", "_"))
