"""`create --count`: what each of the sessions is asked for, and what is said of those that could not be made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clauderon.errors import BackendError, Conflict, UsageError
from clauderon.session import several
from clauderon.session.create import Created
from clauderon.session.request import Request

WANTED = Request(repo=Path("/repo"), prompt=b"Fix the bug", name="fix")


def test_each_has_a_name_a_branch_and_a_key_of_its_own() -> None:
    found = several.requests(WANTED._replace(branch="work/x", idempotency="key", group="night"), 3)
    assert [each.name for each in found] == ["fix-1", "fix-2", "fix-3"]
    assert [each.branch for each in found] == ["work/x-1", "work/x-2", "work/x-3"]
    assert [each.idempotency for each in found] == ["key-1", "key-2", "key-3"]
    assert {each.group for each in found} == {"night"}
    assert {each.prompt for each in found} == {b"Fix the bug"}


def test_without_a_name_all_have_the_one_that_is_made_from_the_prompt() -> None:
    found = [str(each.name) for each in several.requests(WANTED._replace(name=None), 2)]
    assert found[0].startswith("fix-the-bug-")
    assert [name.rpartition("-")[2] for name in found] == ["1", "2"]
    assert len({name.rpartition("-")[0] for name in found}) == 1


@pytest.mark.parametrize("count", [0, -1, 100])
def test_a_number_of_sessions_has_bounds(count: int) -> None:
    with pytest.raises(UsageError, match="1 to 99"):
        several.requests(WANTED, count)


@pytest.mark.parametrize(("name", "count"), [("", 2), ("a/b", 2), ("x" * 62, 2), ("x" * 61, 10), ("a.", 2)])
def test_a_name_that_one_of_them_could_not_have_is_refused_before_any_is_made(name: str, count: int) -> None:
    """Seen to fail with the name alone looked at."""
    with pytest.raises(UsageError):
        several.requests(WANTED._replace(name=name), count)


class Made:
    """A `create` that fails for some names, and says something each time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failing: dict[str, Exception]) -> None:
        self.failing = failing
        self.calls: list[str] = []
        monkeypatch.setattr(several, "create", self)

    def __call__(self, _context: object, wanted: Request) -> Any:
        self.calls.append(str(wanted.name))
        sys.stderr.write("the same of each\n")
        if str(wanted.name) in self.failing:
            raise self.failing[str(wanted.name)]
        return Created(wanted)  # type: ignore[arg-type]

    def several(self, count: int) -> several.Several:
        @contextmanager
        def opened() -> Iterator[Any]:
            yield None

        def told(_context: object, created: Any) -> dict[str, Any]:
            return {"name": created.session.name}

        return several.create_several(several.requests(WANTED, count), opened, told, lambda: None)


def test_those_that_fail_are_named_and_the_others_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(
        monkeypatch,
        {
            "fix-1": Conflict("create fix-1", "the name is in use"),
            "fix-3": BackendError("start fix-3", "no space", hint="df -h", detail="what docker said"),
            "fix-4": ValueError("x"),
        },
    )
    done = made.several(5)
    assert [each["name"] for each in done.made] == ["fix-2", "fix-5"]
    assert [name for name, _ in done.failed] == ["fix-1", "fix-3", "fix-4"]
    third = done.failed[1][1]
    assert (str(third), third.hint, third.detail, third.exit_status, third.code) == (
        "start fix-3: no space",
        "df -h",
        "what docker said",
        BackendError.exit_status,
        BackendError.code,
    )
    assert done.failed[2][1].exit_status == 70
    assert done.said == ["the same of each"]


def test_what_all_would_fail_with_ends_it_at_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(monkeypatch, {"fix-1": UsageError("image x", "not on this engine")})
    with pytest.raises(UsageError):
        made.several(5)
    assert made.calls == ["fix-1"]
