"""The script of a create: its words are read by a shell, and its steps do what they do for nobody else's session."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clauderon.errors import NoSuchSession
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session import create, dry_run, idempotency, remove
from clauderon.session.context import SCRIPT_STEP, Context
from clauderon.session.dry_run import Ending
from tests.session.stand_ins import Engine
from tests.standins.sessions import a_row, a_session

ID = "0123456789ab"


@pytest.fixture
def session(home: Home, context: Context) -> Session:
    return a_session(home, "fix", ID)


def shell(script: str) -> bytes:
    return subprocess.run(["sh", "-c", script], check=True, capture_output=True).stdout


@settings(max_examples=40)
@given(prompt=st.binary(max_size=60) | st.text(alphabet="%\\'\"`$\n\t ab").map(str.encode))
def test_a_prompt_comes_through_the_shell_byte_for_byte(prompt: bytes) -> None:
    """Seen to lose `%` and backslashes where printf takes the prompt for its format."""
    line = dry_run._prompt_line(["cat"], prompt).replace("cat --prompt", "cat")
    assert shell(line) == prompt


def test_every_byte_comes_through_the_shell() -> None:
    every = bytes(range(256))
    assert shell(dry_run._prompt_line(["cat"], every).replace("cat --prompt", "cat")) == every


def test_without_a_prompt_the_step_reads_nothing() -> None:
    assert dry_run._prompt_line(["step", "a b"], None) == "step 'a b' </dev/null"


@pytest.mark.parametrize(
    ("ending", "existing", "line"),
    [
        (Ending(), False, "echo fix"),
        (Ending(headless=True), False, "exec clauderon __step print fix"),
        (
            Ending(headless=True, json=True, quiet=True),
            True,
            "exec clauderon __step print fix --json --quiet --existing",
        ),
        (Ending(headless=True), True, "exec clauderon __step print fix --existing"),
    ],
)
def test_what_the_script_ends_with(context: Context, ending: Ending, existing: bool, line: str) -> None:
    assert ending.lines(context, "fix", existing=existing) == [line]


def test_a_script_that_attaches_becomes_docker(context: Context, engine: Engine) -> None:
    engine.verbs["argv"] = lambda *words: ["docker", *words]
    assert Ending(attach=True).lines(context, "fix") == [
        "exec docker attach --detach-keys ctrl-p,ctrl-q clauderon-fix"
    ]


@pytest.mark.parametrize(("found", "said"), [("", "goes on\n"), ("other", "other\n")])
def test_a_session_of_the_same_key_ends_the_script_and_undoes_nothing(
    context: Context, found: str, said: str
) -> None:
    lines = dry_run._record_with_key(context, f"printf %s '{found}'", Ending())
    script = "\n".join(["trap 'echo undone' EXIT", *lines, "echo goes on", "trap - EXIT"])
    assert shell(script).decode() == said


@pytest.mark.parametrize("kept", ["GIT_AUTHOR_NAME", "GIT_SSH_COMMAND"])
def test_gits_variables_of_whoever_runs_the_script_are_taken_away_but_those_of_the_person(kept: str) -> None:
    repository: Any = SimpleNamespace(
        env={"GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C", "PATH": "/bin"}, filters=()
    )
    lines = dry_run._git_environment(repository)
    script = "\n".join([f"export GIT_DIR=/evil GIT_INDEX_FILE=x {kept}=mine", *lines, "env"])
    told = shell(script).decode().splitlines()
    assert not [line for line in told if line.startswith(("GIT_DIR=", "GIT_INDEX_FILE="))]
    assert f"{kept}=mine" in told and "GIT_CONFIG_NOSYSTEM=1" in told


def test_recording_notes_the_shell_so_that_a_killed_script_is_undone(context: Context) -> None:
    assert dry_run.step(context, ["record", a_row("new", "f" * 12).to_json(), "4711"], None) == ""
    assert context.store.named("new").step == f"{SCRIPT_STEP}4711"


def test_recording_finds_the_session_of_the_same_key(
    context: Context, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "made_with", lambda *_: session)
    row = a_row("new", "f" * 12).changed(idempotency="key")
    assert dry_run.step(context, ["record", row.to_json(), "4711"], None) == "fix"
    assert context.store.get("new") is None


@pytest.mark.parametrize(
    ("state", "step", "undone"),
    [
        ("creating", f"{SCRIPT_STEP}4711", True),
        ("creating", f"{SCRIPT_STEP}4712", False),
        ("creating", "container", False),
        ("running", f"{SCRIPT_STEP}4711", False),
    ],
)
def test_only_what_this_very_script_recorded_is_undone(
    context: Context, session: Session, monkeypatch: pytest.MonkeyPatch, state: str, step: str, undone: bool
) -> None:
    """A second run is refused, and the session of the first stays. Seen to be removed without the look at the number."""
    gone: list[str] = []
    monkeypatch.setattr(remove, "discard", lambda _context, row: gone.append(row.name))
    context.store.update(session.id, state=state, step=step)
    dry_run.step(context, ["undo", ID, "4711"], None)
    assert gone == ["fix"] * undone
    dry_run.step(context, ["undo", "f" * 12, "4711"], None)


def test_the_last_step_says_that_it_runs(context: Context, session: Session) -> None:
    context.store.update(session.id, state="creating", step=f"{SCRIPT_STEP}4711")
    dry_run.step(context, ["running", ID], None)
    row = context.store.named("fix")
    assert (row.state, row.step) == ("running", "")


@pytest.mark.parametrize("verb", ["running", "prepare"])
def test_a_row_that_is_gone_is_said(context: Context, verb: str) -> None:
    with pytest.raises(NoSuchSession, match="its row is gone"):
        dry_run.step(context, [verb, ID], None)


@pytest.mark.parametrize(("rest", "attached"), [([], False), (["--attached"], True)])
def test_preparing_is_creates_own(
    context: Context, session: Session, monkeypatch: pytest.MonkeyPatch, rest: list[str], attached: bool
) -> None:
    done: list[Any] = []

    def prepare(_context: Context, row: Session, prompt: bytes | None, *, attached: bool) -> None:
        done.append((row.name, prompt, attached))

    monkeypatch.setattr(create, "prepare_only", prepare)
    dry_run.step(context, ["prepare", ID, *rest], b"go")
    assert done == [("fix", b"go", attached)]
