"""A session's life, from `create` to `delete`, on a real engine."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from clauderon.session import probe
from tests.standins.engine import BUSYBOX, Engine
from tests.standins.repository import git

pytestmark = pytest.mark.live

AWKWARD = "echo \"don't\" '$(reboot)' --help\nprintf '%s' 'é\\t'\n# " + "x" * 100_000


@pytest.fixture
def session(engine: Engine) -> Engine:
    """One running session called `one`."""
    engine.scripted()
    engine.repo()
    engine.create("one")
    return engine


@pytest.fixture(scope="module")
def standing(module_engine: Engine) -> Engine:
    """One running session called `one`, for the tests that leave it as it is."""
    module_engine.scripted()
    module_engine.repo()
    module_engine.create("one")
    return module_engine


def row(engine: Engine, word: str = "one") -> dict[str, Any]:
    rows = {r["name"]: r for r in engine.cli.ok("list", "--json").json["data"]}
    return dict(rows[engine.name(word)])


def commit_inside(engine: Engine, word: str = "one", file: str = "new.txt") -> str:
    """Commit in the container; returns the commit's id."""
    engine.inside(word, f"echo new > {file} && git add {file} && git commit -q -m 'Add {file}'")
    return engine.inside(word, "git rev-parse HEAD")


def test_list_and_status_tell_the_same_story(standing: Engine) -> None:
    assert row(standing)["state"] == "running"
    status = standing.cli.ok("status", standing.name("one"), "--json").json["data"]
    assert (status["state"], status["branch"]) == ("running", f"clauderon/{standing.name('one')}")
    lines = standing.cli.ok("list", "--format", "tsv").text.splitlines()
    assert any(line.startswith(standing.name("one") + "\t") for line in lines)


def test_a_home_that_is_reached_through_a_link_is_the_same_home(standing: Engine, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(standing.home.root)
    environ = {"CLAUDERON_HOME": str(link)}
    rows = {r["name"]: r for r in standing.cli.ok("list", "--json", env=environ).json["data"]}
    assert rows[standing.name("one")]["state"] == "running"
    # A container of the time when paths were taken as they were typed is found by that path.
    probed_for = uuid.uuid4().hex[:12]
    old = probe.name_of(probed_for)
    labels = ["--label", f"clauderon.home={link}", "--label", f"clauderon.probe={probed_for}"]
    standing.docker("create", "--name", old, *labels, BUSYBOX, "true")
    said = standing.cli.ok("reconcile", "--json", env=environ).json["data"]
    assert old in [action["name"] for action in said]


@pytest.mark.parametrize("status", [0, 1, 7, 125, 126, 127, 255])
def test_exec_passes_the_commands_status_and_streams(standing: Engine, status: int) -> None:
    script = f"cat; echo err >&2; exit {status}"
    answer = standing.cli("exec", standing.name("one"), "--", "sh", "-c", script, stdin=b"in\x00\xff\n")
    assert (answer.status, answer.out, answer.err) == (status, b"in\x00\xff\n", b"err\n")


def test_exec_says_what_is_not_there_with_dockers_statuses(standing: Engine) -> None:
    assert standing.cli("exec", standing.name("one"), "--", "no-such-command").status == 127
    assert standing.cli("exec", standing.name("one"), "--", "/etc").status == 126
    assert standing.cli("exec", standing.name("none"), "--", "true").status in (3, 125)


def test_stop_start_and_again_keep_the_worktree(session: Engine) -> None:
    for turn in ("first", "second", "third"):
        session.inside("one", f"echo {turn} >> turns")
        session.cli.ok("stop", session.name("one"))
        assert row(session)["state"] == "stopped"
        session.cli.ok("stop", session.name("one"))
        session.cli.ok("start", session.name("one"))
        session.cli.ok("start", session.name("one"))
        assert row(session)["state"] == "running"
    assert session.inside("one", "cat turns") == "first\nsecond\nthird"


def test_a_commit_made_inside_is_on_the_branch_after_sync(session: Engine) -> None:
    tip = commit_inside(session)
    session.cli.ok("sync", session.name("one"))
    branch = f"clauderon/{session.name('one')}"
    assert git("rev-parse", branch, cwd=session.root / "repo").strip() == tip
    assert git("status", "--porcelain", cwd=session.home.worktree(session.name("one"))) == ""


def test_diff_shows_commits_and_what_is_not_committed(session: Engine) -> None:
    commit_inside(session)
    session.inside("one", "echo changed >> README.md")
    diff = session.cli.ok("diff", session.name("one")).text
    assert "+new" in diff and "+changed" in diff


def test_merge_brings_the_branch_into_the_users_checkout(session: Engine) -> None:
    commit_inside(session)
    session.cli.ok("merge", session.name("one"))
    assert (session.root / "repo" / "new.txt").read_text() == "new\n"
    assert git("status", "--porcelain", cwd=session.root / "repo") == ""


def test_upload_is_where_the_agent_sees_it(standing: Engine) -> None:
    picture = standing.root / "a picture.png"
    picture.write_bytes(b"\x89PNG")
    answer = standing.cli.ok("upload", standing.name("one"), str(picture))
    where = answer.text.splitlines()[0]
    assert standing.inside("one", f"cat '{where}' | wc -c").strip() == "4"
    assert standing.inside("one", "git status --porcelain") == ""


def test_logs_are_what_the_agent_wrote(engine: Engine) -> None:
    engine.scripted()
    engine.repo()
    engine.create("l", "--print", prompt="echo from the agent")
    assert "from the agent" in engine.cli.ok("logs", engine.name("l")).text


@pytest.mark.parametrize("status", [0, 3, 255])
def test_print_streams_the_agents_output_and_ends_with_its_status(engine: Engine, status: int) -> None:
    engine.scripted()
    engine.repo()
    answer = engine.cli(
        "create", "--repo", "repo", "--name", engine.name("p"), "--print",
        "--prompt", f"echo out; exit {status}",
    )  # fmt: skip
    assert (answer.status, answer.text) == (status, "out\n")
    assert engine.cli("wait", engine.name("p")).status == status


def test_the_prompt_arrives_byte_for_byte(engine: Engine) -> None:
    engine.scripted()
    engine.configure(
        '[general]\ndefault_agent = "echo"\n[agents.echo]\n'
        'command = ["cat", "{prompt_file}"]\nprint_command = ["cat", "{prompt_file}"]\n'
    )
    engine.repo()
    answer = engine.cli(
        "create", "--repo", "repo", "--name", engine.name("p"), "--print", "--prompt-file", "-",
        stdin=AWKWARD.encode(),
    )  # fmt: skip
    assert (answer.status, answer.out) == (0, AWKWARD.encode())


def test_delete_takes_everything_away_and_keeps_the_work(session: Engine) -> None:
    tip = commit_inside(session)
    session.inside("one", "echo unsaved > unsaved.txt")
    answer = session.cli.ok("delete", session.name("one"), "--force")
    repo = session.root / "repo"
    refs = git("for-each-ref", "--format=%(objectname) %(refname)", "refs/clauderon/rescue", cwd=repo)
    assert session.name("one") in refs and "refs/clauderon/rescue" in answer.text + answer.error
    rescued = refs.split()[0]
    assert git("cat-file", "-p", f"{rescued}:unsaved.txt", cwd=repo) == "unsaved\n"
    assert git("merge-base", "--is-ancestor", tip, rescued, cwd=repo) == ""
    assert session.containers() == []
    assert not session.home.worktree(session.name("one")).exists()
    assert git("worktree", "list", "--porcelain", cwd=repo).count("worktree ") == 1
    assert session.cli.ok("list", "--json").json["data"] == []
    for directory in (session.home.git_dirs, session.home.homes, session.home.sessions, session.home.uploads):
        assert not directory.exists() or list(directory.iterdir()) == []


def test_delete_does_not_ask_without_a_terminal(standing: Engine) -> None:
    standing.inside("one", "echo unsaved > unsaved.txt")
    answer = standing.cli("delete", standing.name("one"))
    assert answer.status != 0
    assert row(standing)["state"] == "running"
    standing.inside("one", "rm unsaved.txt")


def test_archive_and_unarchive(session: Engine) -> None:
    session.cli.ok("archive", session.name("one"))
    assert session.cli.ok("list", "--json").json["data"] == []
    assert [r["name"] for r in session.cli.ok("list", "--archived", "--json").json["data"]] == [
        session.name("one")
    ]
    session.cli.ok("unarchive", session.name("one"))
    session.cli.ok("start", session.name("one"))
    assert row(session)["state"] == "running"


def test_a_name_in_use_is_a_conflict_and_changes_nothing(standing: Engine) -> None:
    before = standing.inspect("one")["Id"]
    answer = standing.cli("create", "--repo", "repo", "--prompt", "x", "--name", standing.name("one"))
    assert answer.status == 5, answer
    assert standing.inspect("one")["Id"] == before


def test_reconcile_of_a_healthy_home_changes_nothing(standing: Engine) -> None:
    before = standing.inspect("one")["Id"]
    standing.cli.ok("reconcile")
    assert standing.inspect("one")["Id"] == before
    assert row(standing)["state"] == "running"
