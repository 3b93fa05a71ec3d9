"""What `create` refuses before it has done anything, and what it says to type instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.errors import Conflict
from clauderon.paths import Home
from clauderon.store import Session, Store
from tests.standins.cli import Cli


@pytest.fixture
def refused(cli: Cli, home: Home, repo: Path) -> Cli:
    """A command line whose engine answers nothing."""
    home.config.write_text('[docker]\ncommand = "/bin/false"\n')
    return cli


@pytest.mark.parametrize(("flags", "status"), [((), 2), (("--dry-run",), 2), (("--print",), 125)])
def test_an_empty_key_is_no_key(
    refused: Cli, home: Home, repo: Path, flags: tuple[str, ...], status: int
) -> None:
    answer = refused("create", "--repo", str(repo), "--prompt", "x", "--idempotency-key", "", *flags)
    assert (answer.status, answer.text) == (status, "")
    assert answer.error == (
        "clauderon: --idempotency-key: it is empty\nhint: clauderon create --idempotency-key KEY ...\n"
    )
    with Store.open(home) as store:
        assert store.all() == []


def test_a_key_that_is_in_use_says_by_whom(home: Home) -> None:
    with Store.open(home) as store:
        first = Session(
            id="1" * 12, name="first", state="running", step="", port=0, repo="/r", git_dir="/r/.git", branch="b",
            base="0" * 40, agent="claude", image="x", created_at=1.0, updated_at=1.0, idempotency="one",
        )  # fmt: skip
        store.add(first, range(3100, 3200))
        with pytest.raises(Conflict, match="key is in use") as caught:
            store.add(first.changed(id="2" * 12, name="second"), range(3100, 3200))
    assert caught.value.hint == "clauderon status first"
