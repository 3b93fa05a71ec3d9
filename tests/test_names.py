"""Session names become directories, branches, container names and hostnames."""

from __future__ import annotations

import re
import subprocess
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import names
from clauderon.errors import UsageError


@pytest.mark.parametrize("name", ["a", "fix-bug", "Fix.Bug_2", "9lives", "a" * 63])
def test_ordinary_names_are_taken(name: str) -> None:
    assert names.validated(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-x",
        ".",
        "..",
        "a/b",
        "a b",
        "a\nb",
        "$(x)",
        "a..b",
        "a.",
        "x.lock",
        "a" * 64,
        "ä",
        "_x",
        "a\0b",
        "a:b",
        "a~1",
    ],
)
def test_names_that_would_break_a_tool_are_refused(name: str) -> None:
    with pytest.raises(UsageError) as refused:
        names.validated(name)
    assert refused.value.hint


@given(st.text(max_size=70))
def test_every_name_taken_is_a_branch_git_takes(name: str) -> None:
    try:
        names.validated(name)
    except UsageError:
        return
    assert subprocess.run(["git", "check-ref-format", f"refs/heads/{names.branch(name)}"]).returncode == 0
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", names.hostname(name))


@given(st.text(max_size=300))
def test_a_name_made_from_any_prompt_is_a_name(prompt: str) -> None:
    assert names.validated(names.from_prompt(prompt))


def test_a_name_made_from_a_prompt_begins_with_its_words() -> None:
    assert re.fullmatch(r"fix-the-login-bug-[a-z2-9]{4}", names.from_prompt("Fix the login bug in auth.py"))


def test_two_names_from_one_prompt_differ() -> None:
    assert len({names.from_prompt("Fix the bug") for _ in range(20)}) > 1


def test_a_conversation_is_a_random_uuid() -> None:
    found = [uuid.UUID(names.new_conversation()) for _ in range(50)]
    assert {(u.version, u.variant) for u in found} == {(4, uuid.RFC_4122)}
    assert len(set(found)) == 50


NO_BRANCH = [
    "-m",
    "-q",
    "-f",
    "-c",
    "--force",
    "a..b",
    "HEAD",
    "@",
    "x.lock",
    "a.lock/b",
    "a/.b",
    "/a",
    "a/",
    "a//b",
    "a@{1}",
    "a~1",
    "a^",
    "a:b",
    "a?",
    "a*",
    "a[",
    "a\\b",
    "a.",
]


@pytest.mark.parametrize("name", [*NO_BRANCH, "", "a b", "a\tb", "a\x7f", "\udcff", "a" * 251])
def test_what_git_makes_no_branch_of_is_a_usage_error(name: str) -> None:
    """Seen to fail without the check: `-m` renamed the branch that was checked out."""
    with pytest.raises(UsageError, match="--branch"):
        names.branch_named(name, "--branch")


BRANCHES = st.text(st.sampled_from("ab-/.@{~^:?*[\\ \tHEADlock\x01é"), min_size=1, max_size=12)


@given(BRANCHES | st.sampled_from(["HEAD", "@", "a/HEAD", "a/@", "x.lock", "refs/heads/a", "a.b", "a/-b"]))
def test_a_branch_is_what_git_says_it_is(name: str) -> None:
    argv = ["git", "check-ref-format", "--branch", name]
    git = subprocess.run(argv, capture_output=True, check=False, cwd="/")
    # git takes `@{-1}` here, as another name for the branch before, and a branch `@` that it cannot find again.
    taken = git.returncode == 0 and git.stdout.decode().removesuffix("\n") == name != "@"
    assert (names.branch_problem(name) is None) == taken
