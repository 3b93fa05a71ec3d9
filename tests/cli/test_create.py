"""What `create` refuses before it has done anything, and what it says to type instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.errors import Conflict
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.store import Store
from tests.airlock.world import call
from tests.standins.cli import Cli


@pytest.fixture
def refused(cli: Cli, home: Home, repo: Path) -> Cli:
    """A command line whose engine answers nothing."""
    home.config.write_text('[docker]\ncommand = "/bin/false"\n')
    return cli


@pytest.mark.parametrize(("flags", "status"), [((), 2), (("--dry-run",), 2), (("--print",), 125)])
def test_an_empty_key_is_no_key(
    refused: Cli, home: Home, repo: Path, flags: tuple[str, ...], status: int
) -> None:
    answer = refused("create", "--repo", str(repo), "--prompt", "x", "--idempotency-key", "", *flags)
    assert (answer.status, answer.text) == (status, "")
    assert answer.error == (
        "clauderon: --idempotency-key: it is empty\nhint: clauderon create --idempotency-key KEY ...\n"
    )
    with Store.open(home) as store:
        assert store.all() == []


@pytest.mark.parametrize(
    "flag",
    ["--agent", "--network", "--pull-policy", "--branch", "--name", "--image", "--base", "--access-mode", "--budget",
     "--timeout", "--allow", "--env", "--volume", "--publish"],
)  # fmt: skip
def test_an_empty_value_is_not_taken_for_the_default(refused: Cli, home: Home, repo: Path, flag: str) -> None:
    """A script's variable that was not set."""
    answer = refused("create", "--repo", str(repo), "--prompt", "x", "--print", flag, "")
    assert (answer.status, answer.text) == (125, ""), repr(answer)
    assert answer.error.startswith("clauderon: session name" if flag == "--name" else f"clauderon: {flag}")
    assert "/bin/false" not in answer.error, "it was understood, and docker was asked"
    with Store.open(home) as store:
        assert store.all() == []


@pytest.mark.parametrize(
    ("flag", "value"),
    [*(("--branch", value) for value in ("-m", "-q", "-f", "-c", "a..b", "HEAD", "@", "x.lock")),
     *(("--base", value) for value in ("-m", "a..b", "main..main", "x.lock"))],
)  # fmt: skip
def test_a_value_is_never_an_option_of_gits(refused: Cli, repo: Path, flag: str, value: str) -> None:
    """Seen to fail without the check of the branch's name: `--branch -m` renamed main to a commit's name."""
    before = call("git", "for-each-ref", cwd=repo)
    answer = refused("create", "--repo", str(repo), "--prompt", "x", flag, value)
    assert (answer.status, answer.text) == (2, ""), repr(answer)
    assert answer.error.startswith(f"clauderon: {flag} {value}: "), repr(answer)
    assert call("git", "for-each-ref", cwd=repo) == before


def test_a_key_that_is_in_use_says_by_whom(home: Home) -> None:
    with Store.open(home) as store:
        first = Session(
            id="1" * 12, name="first", state="running", step="", port=0, repo="/r", git_dir="/r/.git", branch="b",
            base="0" * 40, agent="claude", image="x", created_at=1.0, updated_at=1.0, idempotency="one",
        )  # fmt: skip
        store.add(first, range(3100, 3200))
        with pytest.raises(Conflict, match="key is in use") as caught:
            store.add(first.changed(id="2" * 12, name="second"), range(3100, 3200))
    assert caught.value.hint == "clauderon status first"


@pytest.mark.parametrize(
    ("written", "why", "hint"),
    [
        (b" \n", "it is empty", 'clauderon create --repo . --prompt "Fix the bug"'),
        (b"a\0b", "it contains a NUL byte, which no agent can be given", r"tr -d '\000' <prompt.txt"),
        (b"a\xff", "byte 1 is not UTF-8, and Claude Code takes nothing else", "iconv -t UTF-8 prompt.txt"),
        (None, "No such file or directory", "clauderon create --prompt-file prompt.txt ..."),
    ],
)
def test_a_prompt_from_a_file_is_refused_by_that_name(
    refused: Cli, repo: Path, tmp_path: Path, written: bytes | None, why: str, hint: str
) -> None:
    file = tmp_path / "task.md"
    if written is not None:
        file.write_bytes(written)
    answer = refused("create", "--repo", str(repo), "--prompt-file", str(file))
    assert answer.status == 2
    assert answer.error == f"clauderon: --prompt-file {file}: {why}\nhint: {hint}\n"


def test_a_prompt_that_is_typed_is_refused_by_that_name(refused: Cli, repo: Path) -> None:
    answer = refused("create", "--repo", str(repo), "--prompt", "")
    assert answer.error.startswith("clauderon: --prompt: it is empty\nhint: ")


def test_two_prompts_are_refused_with_a_hint(refused: Cli) -> None:
    answer = refused("create", "--prompt", "x", "--prompt-file", "-")
    assert answer.error == (
        "clauderon: create: a prompt and --prompt-file exclude each other\n"
        "hint: clauderon create --prompt-file prompt.txt ...\n"
    )


@pytest.mark.parametrize(
    ("flag", "hint"),
    [
        ("--print", "clauderon create --count 3 --print --detach ..."),
        ("--attach", "clauderon create --count 3 ...   # then: clauderon attach NAME"),
        ("--dry-run", "clauderon create --dry-run ...   # the script makes one session"),
    ],
)
def test_what_several_at_once_cannot_have_is_refused_with_its_own_hint(
    refused: Cli, flag: str, hint: str
) -> None:
    answer = refused("create", "--count", "3", "--prompt", "x", flag)
    assert answer.error == f"clauderon: create: --count and {flag} exclude each other\nhint: {hint}\n"


def test_a_count_that_is_no_number_is_refused_in_plain_words(refused: Cli) -> None:
    answer = refused("create", "--count", "three", "--prompt", "x")
    assert answer.error.startswith(
        "clauderon: create: invalid value for '--count': 'three' is not a whole number\n"
    )


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ("Fix", "the bug"),
            "clauderon: create: the prompt is one argument, so quote it\nhint: clauderon create 'Fix the bug'\n",
        ),
        (
            ("Fix it", "--prompt", "x"),
            "clauderon: create: the prompt was given twice: as a word and with --prompt\n",
        ),
    ],
)
def test_a_prompt_of_several_words_or_given_twice_is_refused(
    refused: Cli, words: tuple[str, ...], error: str
) -> None:
    answer = refused("create", *words)
    assert (answer.status, answer.error) == (2, error)


def test_an_empty_word_as_the_prompt_is_refused(refused: Cli, repo: Path) -> None:
    answer = refused("create", "--repo", str(repo), "")
    assert answer.error.startswith("clauderon: PROMPT: it is empty\nhint: ")
