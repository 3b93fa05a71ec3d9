"""Reading `config.toml` and the environment: what counts, where it came from, and what is refused where."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from clauderon import config, grammar, spec
from clauderon.config import keys, mistakes, schema
from clauderon.config.builtin_agents import BUILTIN_AGENTS
from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS
from clauderon.config.schema import Config
from clauderon.errors import UsageError
from clauderon.paths import Home
from clauderon.proxy.policy import rules


def load(tmp_path: Path, text: str | None = None, **environ: str) -> Config:
    home = Home(tmp_path)
    if text is not None:
        home.config.write_text(text)
    return config.load(home, environ)


def refusal(tmp_path: Path, text: str | None = None, **environ: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text, **environ)
    return caught.value


# --- what counts ------------------------------------------------------------------------------------------


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded == Config(agents=BUILTIN_AGENTS, credentials=BUILTIN_CREDENTIALS)
    assert loaded.origins == {}


def test_the_example_of_the_page_is_read(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        """\
[docker]
# Default image for all Docker sessions
default_image = "ghcr.io/anthropics/claude-code:latest"

# Pull policy: always, if-not-present, never
pull_policy = "if-not-present"

[docker.limits]
# Default resource limits (empty = no limit)
cpu = "4"
memory = "8g"
""",
    )
    assert (loaded.docker.limits.cpu, loaded.docker.limits.memory) == ("4", "8g")
    assert loaded.docker.limits.pids == 4096
    assert loaded.origins == {
        "docker.default_image": "file",
        "docker.pull_policy": "file",
        "docker.limits.cpu": "file",
        "docker.limits.memory": "file",
    }


def test_the_environment_beats_the_file_key_by_key(tmp_path: Path) -> None:
    text = '[docker.limits]\ncpu = "4"\nmemory = "8g"\n'
    loaded = load(tmp_path, text, CLAUDERON_CPU_LIMIT="2")
    assert (loaded.docker.limits.cpu, loaded.docker.limits.memory) == ("2", "8g")
    assert loaded.origins["docker.limits.cpu"] == "env CLAUDERON_CPU_LIMIT"
    assert loaded.origins["docker.limits.memory"] == "file"


def test_a_variable_set_to_nothing_counts_as_not_set(tmp_path: Path) -> None:
    loaded = load(tmp_path, "[proxy]\nport = 4000\n", CLAUDERON_PROXY_PORT="")
    assert loaded.proxy.port == 4000


def test_absent_and_empty_allow_lists_differ(tmp_path: Path) -> None:
    assert load(tmp_path, "[network]\n").network.allow is None
    assert load(tmp_path, "[network]\nallow = []\n").network.allow == ()


def test_a_table_changes_a_built_in_credential_key_by_key(tmp_path: Path) -> None:
    loaded = load(tmp_path, '[credentials.anthropic]\nenv = "MY_KEY"\n')
    credential = loaded.credentials["anthropic"]
    assert credential.env == ("MY_KEY",)
    assert credential.hosts == BUILTIN_CREDENTIALS["anthropic"].hosts
    assert credential.header == "x-api-key"
    assert list(loaded.credentials) == list(BUILTIN_CREDENTIALS)


def test_a_credential_of_ones_own_comes_after_the_built_in_ones(tmp_path: Path) -> None:
    text = '[credentials.aaa]\nhosts = ["API.Example.COM."]\nenv = ["A", "B"]\nmodel_api = true\n'
    loaded = load(tmp_path, text)
    assert list(loaded.credentials) == [*BUILTIN_CREDENTIALS, "aaa"]
    assert loaded.credentials["aaa"] == schema.Credential(
        name="aaa", hosts=("api.example.com",), env=("A", "B"), model_api=True
    )


def test_an_agent_of_ones_own_beside_the_built_in_ones(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        """\
[agents.scripted]
command = ["sh", "-c", "exec sleep infinity"]
print_command = ["sh", "{prompt_file}"]
env = { EXAMPLE_TOKEN = "placeholder" }
""",
        CLAUDERON_DEFAULT_AGENT="scripted",
    )
    assert [*loaded.agents] == [*BUILTIN_AGENTS, "scripted"]
    assert loaded.agents["scripted"].print_command == ("sh", "{prompt_file}")
    assert loaded.agents["scripted"].env == {"EXAMPLE_TOKEN": "placeholder"}
    assert loaded.general.default_agent == "scripted"


def test_each_agent_has_variables_of_its_own(tmp_path: Path) -> None:
    text = '[agents.my-agent]\ncommand = ["x"]\n'
    loaded = load(
        tmp_path, text, CLAUDERON_AGENT_CLAUDE_VERSION="2.1.330", CLAUDERON_AGENT_MY_AGENT_PATH="/x"
    )
    assert loaded.agents["claude"].version == "2.1.330"
    assert loaded.agents["my-agent"].path == "/x"
    assert loaded.agents["codex"].version == "latest"


@pytest.mark.parametrize(
    ("written", "origin", "expected"),
    [
        ("ca.pem", "file", "{home}/ca.pem"),
        ("/etc/ca.pem", "file", "/etc/ca.pem"),
        ("~/ca.pem", "file", "/home/somebody/ca.pem"),
        ("ca.pem", "env", "{here}/ca.pem"),
        ("~/ca.pem", "env", "/home/somebody/ca.pem"),
    ],
)
def test_paths_become_absolute(tmp_path: Path, written: str, origin: str, expected: str) -> None:
    if origin == "file":
        loaded = load(tmp_path, f'[proxy]\nupstream_ca = "{written}"\n', HOME="/home/somebody")
    else:
        loaded = load(tmp_path, HOME="/home/somebody", CLAUDERON_UPSTREAM_CA=written)
    assert loaded.proxy.upstream_ca == expected.format(home=tmp_path, here=Path.cwd())


def test_a_cpu_limit_may_be_a_bare_number(tmp_path: Path) -> None:
    assert load(tmp_path, "[docker.limits]\ncpu = 1.5\n").docker.limits.cpu == "1.5"


def test_host_names_are_normalised(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        """\
[network]
allow = ["API.Example.com.", "*.GitHub.com", "10.0.0.1", "::1"]
[proxy]
connect_to = { "API.example.test:443" = "[0:0::1]:8443" }
""",
    )
    assert loaded.network.allow == ("api.example.com", "*.github.com", "10.0.0.1", "::1")
    assert loaded.proxy.connect_to == {"api.example.test:443": "[::1]:8443"}


@pytest.mark.parametrize(
    ("text", "normal", "lets", "does_not"),
    [
        ("API.Example.com.", "api.example.com", ("api.example.com", 443), ("x.api.example.com", 443)),
        ("*.Example.com:8443", "*.example.com:8443", ("a.example.com", 8443), ("a.example.com", 443)),
        ("example.com:22", "example.com:22", ("example.com", 22), ("example.com", 443)),
        ("*", "*", ("any.test", 1), None),
        ("*:443", "*:443", ("any.test", 443), ("any.test", 80)),
        ("0:0::1", "::1", ("::1", 443), ("::2", 443)),
        ("[0:0::1]:443", "[::1]:443", ("::1", 443), ("::1", 80)),
        ("10.0.0.1:443", "10.0.0.1:443", ("10.0.0.1", 443), ("10.0.0.1", 80)),
    ],
)
def test_the_file_the_flag_and_the_proxy_take_the_same_destinations(
    tmp_path: Path, text: str, normal: str, lets: tuple[str, int], does_not: tuple[str, int] | None
) -> None:
    loaded = load(
        tmp_path, f"[network]\nallow = ['{text}']\ndeny = ['{text}']\n[proxy]\npassthrough = ['{text}']"
    )
    for found in (loaded.network.allow, loaded.network.deny, loaded.proxy.passthrough):
        assert found == (normal,)
    assert spec.hosts([text], what="--allow") == (normal,)
    pattern = rules.parse_pattern(normal)
    assert pattern.matches(*lets)
    assert does_not is None or not pattern.matches(*does_not)


@given(
    text=st.one_of(
        st.text(alphabet="a1.:*[]%x0-_", max_size=12),
        st.sampled_from(
            ["127.1", "010.0.0.1", "256.1.1.1", "a.0x7f", "fe80::1%eth0", "*.0x7f", "1", "::ffff:1.2.3.4"]
        ),
    )
)
def test_what_the_configuration_takes_the_proxy_understands(text: str) -> None:
    """Else a worker that reads it cannot start, or the entry lets nothing through without a word."""
    try:
        normal = grammar.destination(text)
    except ValueError:
        return
    rules.parse_pattern(normal)
    assert grammar.destination(normal) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a:0",
        "a:65536",
        "a:x",
        "https://a",
        "a/b",
        "[::1",
        "::1]:443",
        "*.",
        "a*",
        "**",
        "a b",
        "a:443:1",
        "*.10.0.0.1",
        "127.1",
        "fe80::1%eth0",
        "*.::1",
    ],
)
def test_what_is_no_destination_is_refused_in_the_file_and_by_the_flag(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        load(tmp_path, f"[network]\nallow = ['{text}']\n")
    with pytest.raises(UsageError):
        spec.hosts([text], what="--allow")


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("[docker\n", "1:8", "expected ']'"),
        ("[docker]\ncommand = \n", "2:11", "invalid value"),
        ('[docker]\ncommand = "a', "2:13", "unterminated"),
        ('[docker]\ncommand = "a"\ncommand = "b"\n', "3:14", "cannot overwrite a value"),
        ("[dokcer]\n", "1:2", "unknown section [dokcer]; the nearest is 'docker'"),
        (
            "\n\n[docker]\ndefualt_image = 'x'\n",
            "4:1",
            "unknown key 'defualt_image' in [docker]; the nearest",
        ),
        ("[docker]\ncpu = '4'\n", "2:1", "it belongs in [docker.limits]"),
        ("pull_policy = 'never'\n", "1:1", "outside of a section; it belongs in [docker]"),
        ("[docker.limit]\ncpu = '4'\n", "1:9", "the nearest is 'limits'"),
        ("[docker]\nlimits = 3\n", "2:1", "[docker.limits] is a section, not a value"),
        ("docker = 3\n", "1:1", "[docker] is a section, not a value"),
        (
            "[docker]\npull_policy = 'allways'\n",
            "2:1",
            "'allways' is not one of always, if-not-present, never",
        ),
        ("[docker]\nextra_args = '--rm -it'\n", "2:1", "expected a list of strings, found a string"),
        ("[docker]\nextra_args = [1]\n", "2:1", "expected a string, found a number"),
        ("[docker]\ndefault_image = ''\n", "2:1", "it is empty"),
        ("[docker]\ndefault_image = '--privileged'\n", "2:1", "an image reference cannot begin with '-'"),
        ("[docker]\ndefault_image = 'Rust:1'\n", "2:1", "'Rust:1': a repository name must be in lower case"),
        ("[docker]\ndefault_image = 'a:b:c'\n", "2:1", "'a:b:c': not an image reference"),
        ("[docker]\nuser = 'root'\n", "2:1", "is not one of host, image"),
        ("[docker.limits]\npids = true\n", "2:1", "expected a whole number, found a boolean"),
        ("[docker.limits]\nmemory = 8\n", "2:1", "expected a string, found a number"),
        ("[proxy]\nport = 0\n", "2:1", "0 is not between 1 and 65535"),
        ("[proxy]\nport = '3030'\n", "2:1", "expected a whole number, found a string"),
        ("[proxy]\nport = 2024-01-01\n", "2:1", "found a date or time"),
        ("[proxy]\nsession_ports = '3100'\n", "2:1", "is not a range of ports"),
        ("[proxy]\nsession_ports = '3200-3100'\n", "2:1", "is not a range of ports"),
        ("[proxy]\n# a comment\nport = 3100\n", "3:1", "port 3100 is the proxy's own and in session_ports"),
        ("[proxy]\nconnect_to = { 'a:443' = 'b' }\n", "2:1", "'b' is not HOST:PORT"),
        ("[proxy]\nconnect_to = { 'a:443' = 'b:99999' }\n", "2:1", "'b:99999' is not HOST:PORT"),
        ("[proxy]\nupstream_proxy = 'proxy:3128'\n", "2:1", "expected http://HOST:PORT"),
        ("[network]\nallow = ['https://x']\n", "2:1", "omit the scheme, the port and the path"),
        ("[network]\nallow = ['bücher.example']\n", "2:1", "is not ASCII"),
        ("[network]\nallow = ['a.*.com']\n", "2:1", "is not a host name"),
        ("[general]\ndefault_agent = 'cluade'\n", "2:1", "'cluade' is not known; the nearest is 'claude'"),
        ("[agents.Own]\ncommand = ['x']\n", "1:9", "'Own' is not a name"),
        ("[agents.own]\nversion = '1'\n", "1:9", "agents.own.command: an agent of your own needs one"),
        (
            "[agents.own]\ncommand = ['x']\nversion = '1.2.3'\n",
            "3:1",
            "has no effect on an agent that has a",
        ),
        (
            "[agents.own]\ncommand = ['x']\npermission_mode = 'plan'\n",
            "3:1",
            "has no effect on an agent that",
        ),
        ("[agents.own]\ncommand = ['x']\nnpm = 'x'\n", "3:1", "unknown key 'npm'"),
        ("[agents.claude]\nversion = '../..'\n", "2:1", "is not latest, stable or a version"),
        ("[agents.claude]\ncredentials = ['antropic']\n", "2:1", "the nearest is 'anthropic'"),
        ("[agents.claude.extra]\nx = 1\n", "1:16", "unknown key 'extra'"),
        ("[agents.claude]\nenv = { 'A=B' = 'x' }\n", "2:1", "'A=B' is not a variable's name"),
        ('[agents.claude]\nenv = { A = "x\\u0000" }\n', "2:1", "a NUL character"),
        ("[credentials.own]\nenv = 'X'\n", "1:14", "needs the hosts"),
        ("[credentials.own]\nhosts = ['a.example']\n", "1:14", "needs env, command or file"),
        ("[credentials.own]\nhosts = ['*']\nenv = 'X'\n", "2:1", "would send the secret to anybody"),
        ("[credentials.own]\nhosts = ['*.com']\nenv = 'X'\n", "2:1", "would send the secret to anybody"),
        ("[credentials.own]\nheader = 'Host'\n", "2:1", "is not a header that can carry a credential"),
        ("[credentials.own]\nformat = 'Bearer'\n", "2:1", "has neither {secret} nor {basic} in it"),
        ('[credentials.own]\nformat = "{secret}\\n"\n', "2:1", "a header is one line of ASCII"),
        ("[credentials.own]\nfile = '../../etc/passwd'\n", "2:1", "is not the name of a file in secrets/"),
        (
            "[credentials.own]\nhosts=['a.example']\nenv='X'\nformat='Basic {basic}'\n",
            "1:14",
            "{basic} in format needs it",
        ),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, text: str, place: str, why: str) -> None:
    error = refusal(tmp_path, text)
    assert error.what == f"{tmp_path}/config.toml:{place}"
    assert why in error.why.lower() or why in error.why
    line = place.split(":")[0]
    assert error.hint == f"${{EDITOR:-vi}} +{line} {tmp_path}/config.toml"


def test_bytes_that_are_not_utf_8_are_refused_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b'[docker]\ncommand = "\xff"\n')
    error = refusal(tmp_path)
    assert (error.what, error.why) == (f"{tmp_path}/config.toml:2:12", "not UTF-8")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    error = refusal(tmp_path)
    assert (error.what, error.why) == (f"{tmp_path}/config.toml", "cannot be read: is a directory")
    assert error.hint == f"mv {tmp_path}/config.toml {tmp_path}/config.toml.before"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (os.mkfifo, "it is a pipe, not a file"),
        (lambda path: path.symlink_to("nowhere.toml"), "it is a link to a file that does not exist"),
        (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a file"),
    ],
)
def test_what_stands_in_the_files_place_is_refused_and_never_taken_for_no_file(
    tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    """A dangling link was "no config.toml", and its allow list was gone; a pipe held every command up."""
    make(tmp_path / "config.toml")
    assert refusal(tmp_path).why == f"cannot be read: {why}"


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf[proxy]\nport = 4000\n")
    assert load(tmp_path).proxy.port == 4000


def test_a_file_that_is_somebody_elses_is_refused_with_the_way_to_own_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_path: object) -> bytes:  # nobody keeps root from reading
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("clauderon.files.read", denied)
    error = refusal(tmp_path)
    place = tmp_path / "config.toml"
    assert (error.what, error.why) == (f"{place}", "cannot be read: permission denied")
    assert error.hint == f'sudo chown "$(id -u)" {place} && chmod u+r {place}'


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("CLAUDERON_PROXY_PORT", "abc", "expected a whole number, found 'abc'"),
        ("CLAUDERON_PROXY_PORT", "70000", "70000 is not between 1 and 65535"),
        ("CLAUDERON_PULL_POLICY", "nevr", "'nevr' is not one of always, if-not-present, never"),
        ("CLAUDERON_SESSION_PORTS", "3000-3100", "port 3030 is the proxy's own and in session_ports as well"),
        ("CLAUDERON_DEFAULT_AGENT", "claud", "'claud' is not known; the nearest is 'claude'"),
    ],
)
def test_a_bad_variable_is_named(tmp_path: Path, name: str, value: str, why: str) -> None:
    error = refusal(tmp_path, **{name: value})
    assert (error.what, error.why, error.hint) == (name, why, f"unset {name}")


# --- the table and the dataclasses ------------------------------------------------------------------------


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
    }
    numbers = (
        "pids",
        "nofile",
        "fsize",
        "core",
        "disk",
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
    assert str(rows[f"{place}.{key.name}"].value) == raw
    assert rows[f"{place}.{key.name}"].origin == f"env {name}"


# --- properties -------------------------------------------------------------------------------------------

_KEYS = st.text(alphabet="abcdefgh_-", min_size=1, max_size=12)


@given(st.dictionaries(_KEYS, st.one_of(st.integers(), st.text(), st.dictionaries(_KEYS, st.integers()))))
def test_any_document_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, object]
) -> None:
    from clauderon.config.showing import literal

    home = tmp_path_factory.mktemp("home")
    text = "".join(f"{name} = {literal(value)}\n" for name, value in document.items())
    assert tomli.loads(text) == document
    try:
        load(home, text)
    except UsageError as error:
        assert error.what.startswith(f"{home}/config.toml:")
    else:
        assert document == {}


@given(st.text())
def test_any_text_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "config.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        config.load(Home(home), {})
    except UsageError as error:
        assert error.what.startswith(f"{home}/config.toml:")


@given(
    st.lists(
        st.sampled_from(["\n", "# x\n", "a = 1\n", "b = [\n1,\n2\n]\n", "[t]\n", 'c = """\nd = 1\n"""\n'])
    )
)
def test_a_key_is_found_on_the_line_where_it_was_put(before: list[str]) -> None:
    text = "".join(before) + "[wanted]\nkey = [\n1,\n]\n"
    try:
        tomli.loads(text)
    except tomli.TOMLDecodeError:
        return  # the same key twice
    expected = "".join(before).count("\n") + 2
    assert mistakes.line_of(text, ("wanted", "key")) == expected
    assert mistakes.line_of(text, ("wanted",)) == expected - 1
    assert mistakes.line_of(text, ("wanted", "nothing")) == 0


# --- cost -------------------------------------------------------------------------------------------------


def test_without_a_file_no_parser_is_imported(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from clauderon import config, paths\n"
        "config.load(paths.Home(pathlib.Path(sys.argv[1])), {'CLAUDERON_PROXY_PORT': '4000'})\n"
        "slow = ('tomli', 'difflib', 'plumbum', 'typer', 'sqlite3')\n"
        "print(*(m for m in slow if m in sys.modules))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        check=True,
        env={"PATH": os.defpath},
    )
    assert answer.stdout == b"\n"
