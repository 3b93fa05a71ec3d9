"""`secret set`, `secret list`, `secret rm` as a person types them, on a terminal and in a pipe."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.paths import Home
from tests.standins.cli import Cli
from tests.standins.controlled import Terminal

VALUE = "sk-test-not-a-real-key-0001"
KEPT = "anthropic_api_key"


@pytest.fixture
def asked(home: Home, cli: Cli) -> Iterator[Terminal]:
    with contextlib.closing(
        Terminal(cli.command("secret", "set", "anthropic"), cli.environment(), cli.cwd)
    ) as made:
        made.until("(not shown): ")
        yield made


def test_a_terminal_is_asked_and_does_not_show_the_answer(asked: Terminal, home: Home) -> None:
    assert not asked.echoes
    asked.type(f"{VALUE}\n".encode())
    assert asked.end() == 0
    assert VALUE not in asked.shown and asked.echoes
    assert (home.secrets / KEPT).read_text() == f"{VALUE}\n"


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interrupted_question_leaves_the_terminal_with_its_echo(
    asked: Terminal, home: Home, number: signal.Signals, status: int
) -> None:
    """Seen to fail without the `finally`: the terminal showed nothing any more."""
    asked.type(b"sk-half")
    if number == signal.SIGINT:
        asked.type(b"\x03")
    else:
        asked.child.send_signal(number)
    assert asked.end() == status
    assert asked.echoes and "sk-half" not in asked.shown
    assert list(home.secrets.iterdir()) == []


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (b"\n", "empty"),
        (b"\x04", "empty"),
        (b"one\ntwo\nthree\n", "more than one line"),
        (b"\x1asleep\n", "control character"),
        (b"a" * 4095 + b"\n", "longer than a line"),
    ],
    ids=["nothing", "ctrl-d", "pasted lines", "ctrl-z", "a long line"],
)
def test_what_cannot_be_a_secret_is_refused_at_the_question(
    asked: Terminal, home: Home, typed: bytes, why: str
) -> None:
    """Pasted lines seen to fail without the look for more: the first one was kept, the rest was the shell's to run."""
    asked.type(typed)
    assert asked.end() == 2
    assert why in asked.shown and asked.echoes
    assert list(home.secrets.iterdir()) == []
    for word in ("one", "two", "three", "sleep", "aaa"):
        assert f"{word}\r\n" not in asked.shown


def test_a_pipe_is_read_and_the_answer_is_the_name(home: Home, cli: Cli) -> None:
    answer = cli.ok("secret", "set", "anthropic", stdin=f"{VALUE}\n".encode())
    assert answer.text == "anthropic\n"
    assert VALUE not in answer.error
    listed = cli.ok("secret", "list")
    assert KEPT in listed.text and VALUE not in listed.text
    (row,) = cli.ok("secret", "list", "--json").json["data"]
    assert row == {"name": "anthropic", "where": f"secrets/{KEPT}", "lent_as": ["anthropic"], "note": ""}
    assert f"file {KEPT}" in cli.ok("config", "credentials").text
    assert cli.ok("secret", "rm", "anthropic").text == "anthropic\n"
    assert "No secrets" in cli.ok("secret", "list").error


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("antropic", "clauderon secret set anthropic"),
        ("claude", "clauderon secret set anthropic"),
        ("ANTHROPIC_API_KEY", "clauderon secret set anthropic"),
        ("gh_token", "clauderon secret set github"),
        ("openai_api_key", "clauderon secret set openai"),
        ("chatgpt", "log in on the host: codex login"),
        ("../../etc/passwd", "clauderon config credentials"),
        ("..", "clauderon config credentials"),
        ("", "clauderon config credentials"),
        ("a/b", "clauderon config credentials"),
        ("-x", "clauderon secret set --help"),
        ("\x1b[31m", "clauderon config credentials"),
    ],
)
def test_a_name_that_is_none_is_answered_with_the_one_that_was_meant(
    home: Home, cli: Cli, name: str, hint: str
) -> None:
    answer = cli("secret", "set", name, stdin=VALUE.encode())
    assert answer.status == 2 and f"hint: {hint}" in answer.error
    assert VALUE not in answer.error and "\x1b" not in answer.error
    assert list(home.secrets.iterdir()) == []


def test_nothing_to_read_says_what_to_type(home: Home, cli: Cli) -> None:
    answer = cli("secret", "set", "anthropic")
    assert answer.status == 2
    assert "hint: pass show anthropic | clauderon secret set anthropic" in answer.error


def test_a_value_as_an_argument_is_refused_and_not_repeated(home: Home, cli: Cli) -> None:
    answer = cli("secret", "set", "anthropic", VALUE)
    assert answer.status == 2
    assert "stdin" in answer.error and VALUE not in answer.error + answer.text


def test_a_file_that_no_credential_names_can_be_removed_and_nothing_elsewhere(
    home: Home, cli: Cli, tmp_path: Path
) -> None:
    (home.secrets / "stray").write_text("x")
    (tmp_path / "outside").write_text("x")
    assert "stray" in cli.ok("secret", "list").text
    assert cli("secret", "rm", f"../../{tmp_path.name}/outside").status == 2
    assert cli.ok("secret", "rm", "stray").text == "stray\n"
    assert (tmp_path / "outside").exists()


def test_of_several_names_the_others_are_removed_all_the_same(home: Home, cli: Cli) -> None:
    cli.ok("secret", "set", "openai", stdin=VALUE.encode())
    answer = cli("secret", "rm", "anthropic", "openai", "google")
    assert answer.status == 1 and "secret rm anthropic" in answer.error
    assert "succeeded: openai\n" in answer.error and "secret rm google" in answer.error
    assert list(home.secrets.iterdir()) == []


def test_removing_what_a_variable_supplies_says_that_it_is_lent_still(home: Home, cli: Cli) -> None:
    cli.ok("secret", "set", "openai", stdin=VALUE.encode())
    answer = cli.ok("secret", "rm", "openai", env={"OPENAI_API_KEY": "x"})
    assert "openai is still lent: env OPENAI_API_KEY" in answer.error


def test_a_credential_of_ones_own_needs_nothing_but_its_hosts(home: Home, cli: Cli) -> None:
    home.config.write_text('[credentials.tracker]\nhosts = ["tracker.test"]\n')
    cli.ok("secret", "set", "tracker", stdin=VALUE.encode())
    assert (home.secrets / "tracker").read_text() == f"{VALUE}\n"


def test_the_keyring_package_is_on_nobody_elses_way(home: Home, cli: Cli) -> None:
    """Importing it takes long, and it asks buses."""
    code = (
        "import sys\n"
        "import clauderon.cli.create, clauderon.cli.listing, clauderon.cli.secret, clauderon.session.create\n"
        "import clauderon.session.query, clauderon.proxy.service, clauderon.proxy.daemon.worker\n"
        "sys.exit('keyring' in sys.modules)"
    )
    argv = [cli.command()[0], "-c", code]
    assert (
        subprocess.run(argv, env=cli.environment(), cwd=Path(__file__).parents[2], check=False).returncode
        == 0
    )
