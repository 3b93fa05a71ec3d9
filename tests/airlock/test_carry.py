"""Objects on their way into the user's repository are checked by the user's own rules."""

from __future__ import annotations

import pytest

from clauderon import proc
from clauderon.errors import BackendError
from tests.airlock.world import World


def test_the_users_own_exceptions_from_fsck_hold(world: World) -> None:
    tree = world.inside("rev-parse", "HEAD^{tree}")
    text = f"tree {tree}\nparent {world.session.base}\nauthor A <a@example.test> 1 +0000\ncommitter A<a@b> 1 +0000\n\nx\n"
    commit = world.inside("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=text)
    (world.private / world.branch).write_text(f"{commit}\n")
    with pytest.raises(BackendError, match="refuses"):
        world.sync()
    world.host("config", "receive.fsck.missingSpaceBeforeEmail", "ignore")
    assert world.sync().new == commit


def test_a_repository_that_cannot_be_written_is_said_to_be(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clauderon.errors import CommandFailed

    world.commit()

    def full(*_args: object, **_options: object) -> None:
        raise CommandFailed(["git"], 128, b"", b"fatal: write error: No space left on device\n")

    monkeypatch.setattr(proc, "pipe", full)
    with pytest.raises(BackendError, match="cannot be written") as caught:
        world.sync()
    assert "No space left" in caught.value.detail
