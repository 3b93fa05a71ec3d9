"""Reading `config.toml` and the environment: what counts, where it came from, and what is refused where."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from clauderon import config
from clauderon.config import schema
from clauderon.config.builtin_agents import BUILTIN_AGENTS
from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS
from clauderon.config.schema import Config
from clauderon.errors import UsageError
from clauderon.paths import Home
from tests.config.loading import load, refusal


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
        name="aaa", hosts=("api.example.com",), env=("A", "B"), file="aaa", model_api=True
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


def test_a_cpu_limit_may_be_a_bare_number(tmp_path: Path) -> None:
    assert load(tmp_path, "[docker.limits]\ncpu = 1.5\n").docker.limits.cpu == "1.5"


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
