"""Every key has a field and a variable, and the variable overrides the key."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from clauderon import config
from clauderon.config import keys, schema
from tests.config.loading import load


def test_each_agent_has_variables_of_its_own(tmp_path: Path) -> None:
    text = '[agents.my-agent]\ncommand = ["x"]\n'
    loaded = load(
        tmp_path, text, CLAUDERON_AGENT_CLAUDE_VERSION="2.1.330", CLAUDERON_AGENT_MY_AGENT_PATH="/x"
    )
    assert loaded.agents["claude"].version == "2.1.330"
    assert loaded.agents["my-agent"].path == "/x"
    assert loaded.agents["codex"].version == "latest"


def test_every_field_has_a_key_and_every_key_a_field() -> None:
    classes: dict[str, Any] = {
        "general": schema.General,
        "docker": schema.Docker,
        "docker.limits": schema.Limits,
        "agents.<name>": schema.Agent,
        "proxy": schema.Proxy,
        "credentials.<name>": schema.Credential,
        "network": schema.Network,
        "git": schema.Git,
        "limits": schema.SessionLimits,
        "prices.<name>": schema.ModelPrice,
        "notify": schema.Notify,
        "hooks": schema.Hooks,
    }
    assert list(keys.SECTIONS) == list(classes)
    for section, cls in classes.items():
        in_class = [name for name in cls._fields if name not in ("name", "limits")]
        assert [key.name for key in keys.SECTIONS[section]] == in_class, section


def test_every_scalar_key_has_a_variable_and_no_two_share_one() -> None:
    scalars: dict[str, str] = {}
    for section, section_keys in keys.SECTIONS.items():
        for key in section_keys:
            try:
                value = key.check([])
            except ValueError:
                value = None
            is_list = isinstance(value, tuple)
            with contextlib.suppress(ValueError):
                is_list = is_list or isinstance(key.check({}), dict)
            if is_list or section.startswith(("credentials.", "prices.")):
                assert not key.env, key
            elif key.name in ("unsafe", "refuse_autorun"):
                assert not key.env, "a variable is set once and forgotten: that is not aloud"
            elif key.name != "npm":
                assert key.env.startswith("CLAUDERON_"), key
                assert key.env not in scalars, key
                scalars[key.env] = key.name
    assert len(scalars) > 15


@pytest.mark.parametrize(
    ("section", "key"), [(s, k) for s, section_keys in keys.SECTIONS.items() for k in section_keys if k.env]
)
def test_every_variable_overrides_its_key(tmp_path: Path, section: str, key: keys.Key) -> None:
    examples = {
        "default_agent": "codex",
        "pull_policy": "never",
        "shared_caches": "repository",
        "user": "1000:1000",
        "session_ports": "4100-4199",
        "upstream_proxy": "http://proxy.example:3128",
        "mode": "proxied",
        "path": "/opt/agent",
        "upstream_ca": "/etc/ca.pem",
        "desktop": "true",
    }
    numbers = (
        "pids",
        "nofile",
        "fsize",
        "core",
        "disk",
        "session_budget",
        "daily_budget",
        "group_budget",
        "log_max_mib",
        "port",
        "audit_max_mib",
        "audit_keep",
    )
    raw = examples.get(key.name) or ("17" if key.name in numbers else "other")
    name = keys.variable(key, "claude")
    loaded = load(tmp_path, **{name: raw})
    place = section.replace("<name>", "claude")
    rows = {row.key: row for row in config.show(loaded)}
    assert str(rows[f"{place}.{key.name}"].value).lower() == raw.lower()
    assert rows[f"{place}.{key.name}"].origin == f"env {name}"
