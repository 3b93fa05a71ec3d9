"""A command line that is read without typer is read as typer reads it; and nearly all that people type is."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clauderon.cli import app, parsing, typed
from clauderon.cli.declared import Option

COMMANDS = {f"{command.group} {command.name}".strip(): command for command in app.COMMANDS}
VALUES = ("x", "a b", "", "-", "=", "a=b", "5", "/", "/no/such/file", "é", "\udcff", "--x", "-n", "*")


def typers(function: Any, words: list[str]) -> dict[str, Any] | None:
    """What typer would call the function with; None where it refuses the words."""
    seen: list[dict[str, Any]] = []

    def record(**values: Any) -> None:
        seen.append(values)

    model: Any = typed.typers(function)
    recorder: Any = record
    recorder.__annotations__ = model.__annotations__
    recorder.__signature__ = inspect.signature(model, eval_str=True)
    made = typed.application("")
    made.command("it")(recorder)
    made.command("other")(lambda: None)  # of one alone typer makes no group
    try:
        typer.main.get_command(made).main(args=["it", *words], prog_name="c", standalone_mode=False)
    except Exception:  # noqa: BLE001 - a usage error, or the help
        return None
    return seen[0] if seen else None


def words_of(name: str) -> st.SearchStrategy[list[str]]:
    """Lines that this command takes, and some with a word in it that it does not."""
    said = parsing.declared(app.function_of(COMMANDS[name])).values()
    value = st.sampled_from(VALUES) | st.text(max_size=3)
    parts: list[st.SearchStrategy[list[str]]] = [value.map(lambda v: [v]), st.just(["--"])]
    for kind, each in said:
        for one in each.names if isinstance(each, Option) else ():
            switches = one.split("/")
            if kind in (bool, bool | None):
                parts.append(st.sampled_from(switches).map(lambda s: [s]))
            else:
                parts.append(value.map(lambda v, o=one: [o, v]))  # type: ignore[misc]
            parts.append(value.map(lambda v, o=switches[0]: [f"{o}={v}"]))  # type: ignore[misc]
    parts.append(st.sampled_from([["--none"], ["-Z"], ["--help"], ["a", "b"], ["-q", "c"]]))
    return st.lists(st.one_of(parts), max_size=5).map(lambda lists: [w for each in lists for w in each])


@settings(max_examples=200, deadline=None)
@given(st.data())
@example(None)
def test_what_is_read_without_typer_is_what_typer_reads(data: st.DataObject | None) -> None:
    """Seen to fail with arguments taken from the end, and with a value for a switch."""
    if data is None:
        name, words = "create", ["--name", "a", "Fix it", "-e", "A=b", "--env=C=d", "-q", "--", "--json"]
    else:
        name = data.draw(st.sampled_from(sorted(COMMANDS)))
        words = data.draw(words_of(name))
    function = app.function_of(COMMANDS[name])
    call = parsing.plain(function, words)
    if call is None:
        return
    defaults = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}
    assert {**defaults, **call.values} == typers(function, words), (name, words)


def test_arguments_are_read_in_order() -> None:
    call = parsing.plain(app.function_of(COMMANDS["network check"]), ["fix-bug", "GET", "https://a.test/"])
    assert call is not None
    assert call.values == {"name": "fix-bug", "method": "GET", "url": "https://a.test/"}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("create", "--repo . --name fix-bug --prompt text"),
        ("create", "text --image=debian -e A=b -v /a:/b --allow a.test --allow b.test -q --json"),
        ("list", ""),
        ("status", "fix-bug --format json"),
        ("diff", "fix-bug --stat"),
        ("delete", "a b c --force -q"),
        ("sync", "fix-bug"),
        ("exec", "fix-bug -- ls -l --all"),
        ("exec", "--no-tty fix-bug -- true"),
        ("logs", "fix-bug -f"),
        ("network allow", "fix-bug a.test"),
        ("config show", "--json"),
    ],
)
def test_what_people_type_needs_no_typer(name: str, line: str) -> None:
    assert parsing.plain(app.function_of(COMMANDS[name]), line.split()) is not None


@pytest.mark.parametrize(
    "line",
    [
        "--nmae x",
        "--name",
        "--quiet=1",
        "--name --quiet",
        "-qa",
        "-nx",
        "--help",
        "-h",
        "--attach=yes",
        "---",
    ],
)
def test_what_is_not_plain_is_left_to_typer(line: str) -> None:
    assert parsing.plain(app.function_of(COMMANDS["create"]), line.split()) is None


def test_a_file_that_cannot_be_read_is_left_to_typer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert parsing.plain(app.function_of(COMMANDS["create"]), ["--repo", str(tmp_path)]) is None


def test_a_plain_command_line_runs_without_typer(tmp_path: Path) -> None:
    """typer's import takes longer than most commands. Seen to fail with `import typer` in `cli.common`."""
    code = (
        "import sys\nfrom clauderon.cli import run\n"
        "status = run.run(['list', '--json'])\n"
        "sys.stderr.write(f'{status} ' + ','.join(sorted({'typer', 'inspect', 'rich'} & set(sys.modules))))"
    )
    env = {"CLAUDERON_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "DOCKER_HOST": "unix:///nowhere"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "4 ", done.stderr
