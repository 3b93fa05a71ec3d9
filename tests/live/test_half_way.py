"""A session whose delete or create was killed: nobody works in it, its half is not shown as work, and delete ends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import cast

import pytest

from clauderon.errors import NoSuchSession
from clauderon.paths import Home
from clauderon.session import lifecycle
from clauderon.session.context import Context
from clauderon.store import Store
from tests.crash.promises import create_argv, deleted, present
from tests.crash.world import World
from tests.standins.engine import Engine
from tests.standins.sessions import a_session

CONFLICT = 5
# Of the commands whose other statuses are those of what they run.
OURS = {"exec": 125, "shell": 125, "wait": 125}


@pytest.mark.live
def test_a_session_whose_delete_was_killed_takes_no_work_and_is_deleted_by_the_same_again(
    engine: Engine,
) -> None:
    """`exec` made the container anew: what was committed in it went with the rest, and no rescue had it. `status` and
    `diff` showed the files that were removed already as the agent's changes.

    Seen to fail where every command found such a session.
    """
    world = World(engine)
    present(world)
    name = world.name()
    struck, _ = world.strike(("delete", name, "--force"), "container rm", "after")
    assert struck.answer.status == 137
    for words in (
        ("exec", name, "--", "true"),
        ("diff", name),
        ("logs", name),
        ("wait", name),
        ("shell", name),
    ):
        said = world.cli(*words)
        assert (said.status, said.error) == (
            OURS.get(words[0], CONFLICT),
            f"clauderon: session {name}: its delete was interrupted\n"
            f"hint: clauderon delete {name}   # finishes it; what it keeps: clauderon rescue list\n",
        )
    shown = world.engine.cli.ok("status", name, "--json").json["data"]
    assert shown["state"] == "interrupted"
    assert "uncommitted" not in shown
    again = world.engine.cli.ok("delete", name, "--json").json["data"]
    assert [(one["name"], one["rescued"]) for one in again] == [(name, [f"refs/clauderon/rescue/{name}"])]
    deleted(world)


@pytest.mark.live
def test_a_session_whose_create_was_killed_is_deleted_by_its_name(engine: Engine) -> None:
    """It was undone first, and then not found: status 3. Seen to fail where the undoing came first."""
    world = World(engine)
    before = world.facts()
    struck, _ = world.strike(create_argv(world), "docker run -d", "before")
    assert struck.answer.status == 137
    said = world.cli("exec", world.name(), "--", "true")
    assert (said.status, said.error.partition("\n")[0]) == (
        OURS["exec"],
        f"clauderon: session {world.name()}: its create was interrupted",
    )
    assert world.engine.cli.ok("delete", world.name()).out == f"{world.name()}\n".encode()
    assert {key: world.facts()[key] for key in ("rows", "refs", "worktrees")} == {
        key: before[key] for key in ("rows", "refs", "worktrees")
    }


def test_a_session_that_was_deleted_while_its_lock_was_waited_for_is_not_started(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail where the row that was read before the lock was started."""
    session = a_session(home, "fix", "0123456789ab")
    with Store.open(home) as store:
        context = cast(Context, SimpleNamespace(
            home=home, store=store, containers=lambda _labels: [],
            docker=SimpleNamespace(container_inspect=lambda _name: None),
        ))  # fmt: skip

        @contextmanager
        def waited(_context: Context, _session: object) -> Iterator[None]:
            store.remove(session.id)
            yield

        monkeypatch.setattr(lifecycle, "lock", waited)
        monkeypatch.setattr(lifecycle, "_start", lambda *_: pytest.fail("it was started"))
        with pytest.raises(NoSuchSession):
            lifecycle.running(context, "fix", idle=True)
