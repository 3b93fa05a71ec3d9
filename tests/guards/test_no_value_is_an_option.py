"""A value never becomes another program's option: every builder of a command line, with values that begin with '-'.

The builders are found by their names, `*_argv`, and `*_words` for what a `git.Git` is given, in every tool's room: a new
one is tested as soon as it is there.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import os
import pkgutil
import types
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clauderon
from clauderon import git, proc
from clauderon.errors import UsageError
from clauderon.git import Repository
from clauderon.mount import Mount
from clauderon.record import Session
from clauderon.spec import ContainerSpec
from tests.standins.repository import make_repo

ROOMS = ("docker", "git", "airlock", "agents")
# Options after which a program takes the next word, whatever it is: docker's (pflag), git's, npm's.
TAKES_A_VALUE = {
    "docker": {
        *(
            "--name",
            "--workdir",
            "--hostname",
            "--user",
            "--cpus",
            "--memory",
            "--network",
            "--ip",
            "--add-host",
        ),
        *("--dns", "--volume", "--publish", "--subnet", "--entrypoint", "--pids-limit"),
    },
    # `-b` is not here: what follows it goes on to another git, as an option if it looks like one.
    "git": {"-m"},
    "agents": {"--pack-destination", "--cache"},
}
PLAIN = "plain-value"


def builders() -> list[tuple[str, Callable[..., list[str]]]]:
    found = {}
    for room in ROOMS:
        package = importlib.import_module(f"clauderon.{room}")
        for info in pkgutil.iter_modules(package.__path__, f"clauderon.{room}."):
            module = importlib.import_module(info.name)
            for name, value in vars(module).items():
                if (
                    name.endswith(("_argv", "_words"))
                    and inspect.isfunction(value)
                    and value.__module__ == info.name
                ):
                    found[f"{info.name.removeprefix('clauderon.')}.{name}"] = value
    return sorted(found.items())


def filled(kind: Any, value: str, repo: Path) -> Any:
    """An argument of this type with `value` wherever a person or a file could have put it."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is str:
        return value
    if kind is bool:
        return False
    if kind in (int, float):
        return 7
    if origin is typing.Literal:
        return parts[0]
    if kind is Path:
        return Path("/") / value.replace("\0", "")  # paths are absolute by the time they are words
    if kind is Repository:
        return make_repository(repo)
    if kind is Mount:
        return Mount(value, value)
    if origin in (Mapping, dict) or kind in (Mapping, dict):
        return {value: value}
    if origin in (typing.Union, types.UnionType):
        return filled(next(part for part in parts if part is not type(None)), value, repo)
    if origin in (tuple, list, frozenset, Collection) or kind in (tuple, Collection):
        inner = parts[0] if parts else str
        made = [filled(inner, value, repo)]
        return made if origin is Collection else origin(made) if origin else tuple(made)
    raise AssertionError(f"teach this test what a {kind} is")


@functools.cache
def make_repository(repo: Path) -> Repository:
    return git.repository_read(repo, os.environ)


RECORDS = (ContainerSpec, Session)
HINTS = {"ContainerSpec": ContainerSpec, "Session": Session, "Repository": Repository, "Mapping": Mapping}


def hints_of(build: Callable[..., list[str]]) -> dict[str, Any]:
    hints = get_type_hints(build, {**vars(inspect.getmodule(build)), **HINTS})
    return {name: hint for name, hint in hints.items() if name != "return"}


def slots(build: Callable[..., list[str]]) -> list[tuple[str, str]]:
    """Every place for a value: a parameter, or a field of one that is a record."""
    return [
        (name, field)
        for name, hint in hints_of(build).items()
        for field in (get_type_hints(hint) if hint in RECORDS else ("",))
        if field != "extra_args"  # [docker] extra_args are docker's options by definition
    ]


def called(build: Callable[..., list[str]], repo: Path, slot: tuple[str, str], value: str) -> list[str]:
    """The builder's words with the value in one place and a plain one in all others."""
    arguments = {}
    for name, hint in hints_of(build).items():
        if hint in RECORDS:
            fields = get_type_hints(hint)
            arguments[name] = hint(
                **{
                    field: filled(kind, value if slot == (name, field) else PLAIN, repo)
                    for field, kind in fields.items()
                }
            )
        else:
            arguments[name] = filled(hint, value if slot == (name, "") else PLAIN, repo)
    return build(**arguments)


def exposed(room: str, words: list[str], value: str) -> list[str]:
    """The words that are the value itself and that the program could take for an option."""
    takes = TAKES_A_VALUE.get(room, TAKES_A_VALUE["git"])
    found = []
    for before, word in zip(["", *words], words, strict=False):
        if word == "--":
            break
        if word == value and before not in takes:
            found.append(f"{before} {word}")
    return found


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repo(tmp_path_factory.mktemp("options") / "repo")


def test_there_are_builders_in_every_room() -> None:
    rooms = {name.partition(".")[0] for name, _ in builders()}
    assert rooms >= {"docker", "airlock", "agents"}
    assert len(builders()) > 20


@pytest.mark.parametrize(("name", "build"), builders(), ids=[name for name, _ in builders()])
def test_a_value_that_begins_with_a_dash_is_refused_or_no_option(
    name: str, build: Callable[..., list[str]], repo: Path
) -> None:
    """Seen to fail without `operand` for each positional word, and for the branch behind `worktree add -b`."""
    room = name.partition(".")[0]
    # Nothing that a builder writes by itself.
    dashed = st.sampled_from(["-zq", "--zz"]) | st.text(max_size=8).map("-zq{}".format)

    @given(value=dashed)
    @settings(max_examples=5, deadline=None)
    def check(slot: tuple[str, str], value: str) -> None:
        try:
            words = called(build, repo, slot, value)
        except UsageError:
            return
        assert exposed(room, words, value) == []

    for slot in slots(build):
        check(slot)


def test_the_client_spells_no_word_itself() -> None:
    """docker's verbs take their words from the builders: a variable among them would be tested by nobody."""
    path = Path(clauderon.__file__).parent / "docker" / "client.py"
    wrong = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not ast.unparse(node.func).startswith("self."):
            continue
        if ast.unparse(node.func).split(".")[1] not in ("run", "attempt", "start", "_unless_missing"):
            continue
        for word in node.args:
            text = ast.unparse(word)
            if not isinstance(word, ast.Constant) and text != "*words" and not text.startswith("*argv."):
                wrong.append(f"line {word.lineno}: {text}")
    assert wrong == []


@pytest.mark.parametrize("value", ["-", "-x", "--"])
def test_an_operand_is_no_option(value: str) -> None:
    with pytest.raises(UsageError, match="taken for an option"):
        proc.operand(value)
    assert proc.operand(f"x{value}") == f"x{value}"
