"""A refresh that stopped anywhere is finished or undone: a new container that began wins, else the old one is back."""

from __future__ import annotations

from typing import Any

import pytest

from clauderon import names, spec
from clauderon.docker.parse import ContainerDetail
from clauderon.paths import Home
from clauderon.proxy import service
from clauderon.session import refresh
from clauderon.session.context import Context
from tests.session.stand_ins import Engine, detail
from tests.standins.sessions import a_session

ID = "0123456789ab"
OWN, ASIDE = names.container("fix"), names.replaced("fix")
STOPPED, NEVER = {"running": False}, {"running": False, "started_at": "0001-01-01T00:00:00Z"}


def container(name: str, **changes: Any) -> ContainerDetail:
    return detail(name, id=name, labels={spec.LABEL_ID: ID}, **changes)


@pytest.mark.parametrize(
    ("step", "old", "new", "done"),
    [
        # Nothing was moved yet: the old one goes on.
        (refresh.RUNNING, None, {"running": True}, []),
        (refresh.RUNNING, None, STOPPED, [("container_start", OWN)]),
        # It was moved aside, and there is no new one, or one that never began: it is back.
        (refresh.RUNNING, STOPPED, None, [("container_rename", ASIDE), ("container_start", OWN)]),
        (
            refresh.RUNNING, STOPPED, NEVER,
            [("container_remove", OWN), ("container_rename", ASIDE), ("container_start", OWN)],
        ),
        # The new one began, whether or not it still runs: the old one goes.
        (refresh.RUNNING, STOPPED, {"running": True}, [("container_remove", ASIDE)]),
        (refresh.RUNNING, STOPPED, STOPPED, [("container_remove", ASIDE)]),
        # A stopped session stays stopped.
        (refresh.STOPPED, STOPPED, None, [("container_rename", ASIDE)]),
        (refresh.STOPPED, STOPPED, NEVER, [("container_remove", ASIDE)]),
    ],
)  # fmt: skip
def test_where_it_stopped_decides(
    context: Context, home: Home, engine: Engine, step: str, old: Any, new: Any, done: list[tuple[str, str]]
) -> None:
    session = context.store.update(a_session(home, "fix", ID).id, state="refreshing", step=step)
    for name, found in ((ASIDE, old), (OWN, new)):
        if found is not None:
            engine.containers[name] = container(name, **found)
    refresh.finish(context, session)
    assert [(verb, words[0]) for verb, words in engine.called] == done
    assert context.store.named("fix").state == "running"


def test_a_strangers_container_of_that_name_is_left_alone(
    context: Context, home: Home, engine: Engine
) -> None:
    engine.containers[OWN] = detail(running=False, labels={spec.LABEL_ID: "another"})
    refresh.finish(context, a_session(home, "fix", ID).changed(step=refresh.RUNNING))
    assert engine.called == []


def test_the_old_containers_address_counts_again(
    context: Context, home: Home, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "reload", lambda *_words: None)
    session = context.store.update(a_session(home, "fix", ID).id, ip="172.30.0.9", step=refresh.RUNNING)
    engine.containers[ASIDE] = container(ASIDE, ip="172.30.0.7")
    refresh.finish(context, session)
    assert context.store.named("fix").ip == "172.30.0.7"
