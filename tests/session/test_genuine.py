"""A container also bears the labels of its image: which label is its own."""

from __future__ import annotations

import pytest

from clauderon import spec
from clauderon.docker.parse import Container
from clauderon.paths import Home
from clauderon.session import genuine
from clauderon.session.context import Context
from tests.session.stand_ins import Engine, detail, image
from tests.standins.sessions import a_session

ID = "0123456789ab"


def seen(name: str) -> Container:
    return Container("c" * 64, name, "running", "Up", "x", {spec.LABEL_ID: ID})


@pytest.mark.parametrize(
    ("own", "of_image", "ours"),
    [
        ({spec.LABEL_ID: ID}, {}, True),
        ({spec.LABEL_ID: ID}, {spec.LABEL_ID: "another"}, True),
        ({spec.LABEL_ID: ID}, {spec.LABEL_ID: ID}, False),
        ({}, {}, False),
        ({}, {spec.LABEL_ID: ID}, False),
    ],
)
def test_a_label_is_its_own_where_the_image_has_another_or_none(
    context: Context, engine: Engine, own: dict[str, str], of_image: dict[str, str], ours: bool
) -> None:
    """Otherwise a hostile image makes any container of it a session's."""
    engine.containers["c" * 64] = detail(labels=own)
    engine.images["sha256:1"] = image(**of_image)
    assert genuine.is_ours(context, seen("x")) is ours


def test_what_cannot_be_asked_is_nobodys(context: Context, engine: Engine) -> None:
    assert not genuine.is_ours(context, seen("x"))
    engine.containers["c" * 64] = detail(labels={spec.LABEL_ID: ID})
    assert not genuine.is_ours(context, seen("x")), "its image is gone"


def test_one_under_the_sessions_own_name_is_not_asked_about(context: Context, home: Home) -> None:
    session = a_session(home, "fix", ID)
    found = [seen("clauderon-fix"), seen("stranger")]
    assert genuine.of_session(context, found, session) == [found[0]]
