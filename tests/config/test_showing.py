"""`config show` and the file `config init` writes."""

from __future__ import annotations

import re
from pathlib import Path

import tomli
from hypothesis import given
from hypothesis import strategies as st

from clauderon import config
from clauderon.config.keys import SECTIONS
from clauderon.config.schema import Config
from clauderon.config.showing import literal
from clauderon.paths import Home

_VALUE = re.compile(r"^# (?=[a-z_]+ = )", re.MULTILINE)


def load(home: Path, text: str) -> Config:
    (home / "config.toml").write_text(text)
    return config.load(Home(home), {})


def test_the_template_loads_to_the_defaults(tmp_path: Path) -> None:
    defaults = config.load(Home(tmp_path), {})
    assert load(tmp_path, config.template()) == defaults


def test_the_template_without_its_comment_signs_loads_to_the_defaults_too(tmp_path: Path) -> None:
    defaults = config.load(Home(tmp_path), {})
    head, own_agent, rest = re.split(r"(?m)^(?=# \[agents\.scripted\]|\[proxy\])", config.template())
    head_and_proxy, network = rest.split("# [credentials.example]")
    network = re.sub(r"(?m)^# \[prices\..*\n(?:# .*\n)+", "", network[network.index("\n[network]") :])
    text = head + head_and_proxy + network
    bare = re.sub(r"(?m)^(?:allow|credentials) = .*\n", "", _VALUE.sub("", text))
    loaded = load(tmp_path, bare)
    assert loaded._replace(origins={}) == defaults
    assert set(loaded.origins.values()) == {"file"}
    assert "command" in own_agent


def test_the_examples_of_the_template_are_valid(tmp_path: Path) -> None:
    examples = "".join(
        block.replace("# ", "")
        for block in re.findall(
            r"(?m)^# \[(?:agents|credentials|prices)\..+\]\n(?:# .*\n)+", config.template()
        )
    )
    loaded = load(tmp_path, examples)
    assert loaded.agents["scripted"].command
    assert loaded.credentials["example"].hosts == ("api.example.com",)
    assert loaded.prices["example-model-1"].output == 15.0


def test_the_template_has_every_key() -> None:
    text = config.template()
    for section, keys in SECTIONS.items():
        for key in keys:
            if section == "agents.<name>" and not key.env:
                continue
            if key.name in ("basic_user", "model_api", "websocket", "login"):
                continue
            assert f"# {key.name} = " in text, (section, key.name)


def test_show_says_where_each_value_came_from(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[docker]\npull_policy = "never"\n[agents.claude]\nversion = "1"\n')
    rows = {
        row.key: row for row in config.show(config.load(Home(tmp_path), {"CLAUDERON_PROXY_PORT": "4000"}))
    }
    assert rows["docker.pull_policy"][1:] == ("never", "file")
    assert rows["agents.claude.version"][1:] == ("1", "file")
    assert rows["agents.codex.version"][1:] == ("latest", "default")
    assert rows["proxy.port"][1:] == (4000, "env CLAUDERON_PROXY_PORT")
    assert rows["network.allow"][1:] == (None, "default")


def test_show_hides_the_password_of_an_upstream_proxy(tmp_path: Path) -> None:
    loaded = load(tmp_path, '[proxy]\nupstream_proxy = "http://me:not-a-real-secret@proxy.example:3128"\n')
    assert "not-a-real-secret" not in repr(config.show(loaded))
    assert loaded.proxy.upstream_proxy == "http://me:not-a-real-secret@proxy.example:3128"


_SCALARS = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(st.characters(codec="utf-8")))
_TABLES = st.dictionaries(st.text(st.characters(codec="utf-8")), _SCALARS)


@given(st.one_of(_SCALARS, st.lists(_SCALARS), _TABLES))
def test_a_literal_is_read_back_as_it_was(value: object) -> None:
    assert tomli.loads(f"key = {literal(value)}\n") == {"key": value}
