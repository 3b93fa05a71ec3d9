"""`create --count`: what is printed of several sessions, and what of those that could not be made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clauderon.cli import common, prefetch
from clauderon.errors import UsageError
from clauderon.record import Session
from clauderon.session import several
from clauderon.session.context import Context
from clauderon.session.request import Request


def excluded(count: int, attach: bool, dry_run: bool) -> UsageError:
    """What is wrong with `--count` beside another flag; each has something else to type."""
    other, instead = "--print", f"clauderon create --count {count} --print --detach ..."
    if attach:
        other = "--attach"
        instead = f"clauderon create --count {count} ...   # then: clauderon attach NAME"
    elif dry_run:
        other, instead = "--dry-run", "clauderon create --dry-run ...   # the script makes one session"
    return UsageError("create", f"--count and {other} exclude each other", hint=instead)


def create_several(
    request: Request, count: int, answer: Callable[[Context, Session, bool], dict[str, Any]]
) -> None:
    """Make them, and print their names. Raises what the first that failed did, when all are done.

    answer: what is printed of one, as JSON.
    """
    out = common.output
    done = several.create_several(
        several.requests(request, count),
        lambda: common.opened(changing=True),
        lambda context, created: answer(context, created.session, created.existing),
        prefetch.drop,
    )
    for line in done.said:
        out.note(line)
    if not done.failed:
        out.done(done.made)
        return
    first = done.failed[0][1]
    for name, error in done.failed:
        if error is not first:
            out.warn(str(error) if name in str(error) else f"{name} was not created: {error}")
        elif name not in str(error):
            out.warn(f"{name} was not created")
    if done.made:
        out.warn(f"succeeded: {', '.join(str(each['name']) for each in done.made)}")
    raise first
