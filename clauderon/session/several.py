"""`create --count`: several sessions of one request, side by side. What makes one of them is `create`, unchanged.

The first is made alone: what the others share (the image, the network, the agent's binary, the proxy) is there when
they begin. They are made in copies of this process, which need not import anything anew; each has a database
connection of its own and undoes its own session when it fails.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from clauderon import names
from clauderon.errors import EXIT_BUG, ClauderonError, Conflict, UsageError
from clauderon.proc import side_by_side
from clauderon.session.context import Context
from clauderon.session.create import Created, create
from clauderon.session.request import Request

MOST = 99
Opened = Callable[[], AbstractContextManager[Context]]
Told = Callable[[Context, Created], dict[str, Any]]


class Several(NamedTuple):
    """made: the answers of those that exist, in order; failed: (name, why) of the others; said: lines for a person."""

    made: list[dict[str, Any]]
    failed: list[tuple[str, ClauderonError]]
    said: list[str]


def requests(wanted: Request, count: int) -> list[Request]:
    """One request for each session: NAME-1 to NAME-count, and so its branch and its key. Raises UsageError."""
    if not 1 <= count <= MOST:
        raise UsageError(f"--count {count}", f"give a number from 1 to {MOST}")
    name = wanted.name
    if name is None:
        name = names.from_prompt((wanted.prompt or b"").decode("utf-8", "replace"))
    names.validated(name)
    names.validated(f"{name}-{count}")
    return [
        wanted._replace(
            name=f"{name}-{number}",
            branch=f"{wanted.branch}-{number}" if wanted.branch else wanted.branch,
            idempotency=f"{wanted.idempotency}-{number}" if wanted.idempotency else wanted.idempotency,
        )
        for number in range(1, count + 1)
    ]


def create_several(
    wanted: Sequence[Request], opened: Opened, told: Told, alone: Callable[[], None]
) -> Several:
    """Make them all; a failure of one leaves the others. opened: a Context for one; told: what is said of one.

    alone: called when the first is made, to let go of what no copy of this process is to have.
    Raises what the first fails with, unless that is a name or a branch in use: the others would fail in the same way.
    """
    made: dict[str, dict[str, Any]] = {}
    failed: dict[str, ClauderonError] = {}
    said: list[str] = []
    first, *others = wanted
    try:
        with opened() as context:
            made[str(first.name)] = told(context, create(context, first))
    except Conflict as error:
        failed[str(first.name)] = error
    alone()
    jobs = [_job(each, opened, told) for each in others]
    try:
        for number, answer in side_by_side(jobs, at_once=2 * (os.cpu_count() or 2)):
            name = str(others[number].name)
            body = json.loads(answer or b'{"error": {}}')
            if "made" in body:
                made[name] = body["made"]
            else:
                failed[name] = _error(name, body["error"])
            said += [line for line in body.get("said", ()) if line not in said]
    finally:
        order = [str(each.name) for each in wanted]
        several = Several(
            [made[name] for name in order if name in made],
            [(name, failed[name]) for name in order if name in failed],
            said,
        )
    return several


def _job(wanted: Request, opened: Opened, told: Told) -> Callable[[], bytes]:
    def job() -> bytes:
        # What one says the others say too; the original has one of each printed.
        said = sys.stderr = io.StringIO()
        body: dict[str, Any]
        try:
            with opened() as context:
                body = {"made": told(context, create(context, wanted))}
        except ClauderonError as error:
            body = {"error": _fields(error)}
        except Exception as error:  # noqa: BLE001 - a bug is the answer then, as it is of any command
            bug = ClauderonError("bug", f"{type(error).__name__}: {error}")
            bug.exit_status, bug.code = EXIT_BUG, "bug"
            body = {"error": _fields(bug)}
        return json.dumps({**body, "said": said.getvalue().splitlines()}).encode()

    return job


_FIELDS = ("what", "why", "hint", "detail", "exit_status", "code")


def _fields(error: ClauderonError) -> dict[str, Any]:
    return {name: getattr(error, name) for name in _FIELDS}


def _error(name: str, fields: dict[str, Any]) -> ClauderonError:
    why = fields.get("why", "it was ended before it was done")
    hint = fields.get("hint", "clauderon reconcile")
    error = ClauderonError(
        fields.get("what", f"create {name}"), why, hint=hint, detail=fields.get("detail", "")
    )
    error.exit_status = fields.get("exit_status", error.exit_status)
    error.code = fields.get("code", error.code)
    return error
