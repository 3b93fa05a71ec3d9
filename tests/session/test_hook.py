"""`[hooks] on_create`: where it runs, what it may not do, and what is not run at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.config.schema import Config, Hooks
from clauderon.errors import ClauderonError
from clauderon.session import hook
from clauderon.session.context import Context
from tests.airlock.world import World, open_session
from tests.session.stand_ins import Said


@pytest.fixture
def world(repo: Path, context: Context) -> World:
    return open_session(repo, context.home)


def run(context: Context, world: World, command: str) -> None:
    hook.on_create(context._replace(config=Config(hooks=Hooks(on_create=command))), world.session)


def test_it_runs_in_the_worktree_with_the_sessions_variables(
    context: Context, world: World, said: Said
) -> None:
    run(context, world, 'printf "%s %s" "$PWD" "$CLAUDERON_SESSION_NAME" >out; echo secret')
    assert (world.worktree / "out").read_text() == f"{world.worktree} fix"
    assert said.notes == said.warnings == []


def test_no_hook_runs_nothing(context: Context, world: World) -> None:
    before = sorted(world.worktree.iterdir())
    run(context, world, "")
    assert sorted(world.worktree.iterdir()) == before


def test_one_that_fails_makes_no_session(context: Context, world: World) -> None:
    with pytest.raises(ClauderonError) as caught:
        run(context, world, "exit 3")
    assert caught.value.why == "[hooks] on_create ended with status 3, so no session was made"
    assert "sh -xc 'exit 3'" in (caught.value.hint or "")


def test_one_that_does_not_end_is_ended_with_what_it_started(
    context: Context, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook, "TIMEOUT_S", 0.3)
    with pytest.raises(ClauderonError, match="did not end within 0"):
        run(context, world, "sleep 60")


def test_what_an_agent_alone_has_committed_is_not_run(context: Context, world: World, said: Said) -> None:
    """The base is on a session's branch and on none of the person's. Seen to fail without the look."""
    commit = world.commit("evil.sh", "touch ran\n")
    world.sync()
    world.session = world.session.changed(base=world.host("rev-parse", world.session.branch))
    assert commit
    other = world.session.changed(branch="clauderon/other", name="other")
    hook.on_create(context._replace(config=Config(hooks=Hooks(on_create="touch ran"))), other)
    assert not (world.worktree / "ran").exists()
    assert ["on_create was not run" in warning for warning in said.warnings] == [True]
