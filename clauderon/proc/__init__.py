"""THE process boundary: every child process of the command line starts here, and nowhere else.

Mechanism only: argv, directory, environment and input come whole from the caller; what a status means is
the caller's to say. The doors:

    capture     `run` (plumbum) for a command that answers, `start` for one whose answer is wanted later, so that
                independent ones run side by side, `stream` (sh) for one that talks for long
    piping      `pipe`, for two of which one reads what the other prints
    glancing    `glance`, for one that answers at once or is not waited for
    terminal    on our own streams: `replace` (exec) where nothing of ours follows, `pass_through`, `visit`,
                `until_reader_leaves` and `foreground` where something does
    pouring     `Pour`, for one whose output is shown in another form as it comes
    waiting     what is said while one of these does not answer
    typing_in   `type_into`, for a line typed into a program that wants a terminal
    hidden      `hidden_line`, for what is typed and not shown
    detached    `daemon` and `attend`, for what outlives the call
    forked      `side_by_side`, for work in copies of this process

Children run in a process group of their own, but for those on our terminal: a Ctrl-C reaches us first, and we stop
them in order.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from clauderon.proc.capture import Running, run, start, stream
from clauderon.proc.child import Completed, Env, find, operand, stop_unwaited
from clauderon.proc.terminal_modes import leave, size
from clauderon.proc.waiting import briefly, told_to

if TYPE_CHECKING:
    from clauderon.proc.detached import attend, daemon, end_all_with
    from clauderon.proc.forked import side_by_side
    from clauderon.proc.glancing import glance
    from clauderon.proc.hidden import NotALine, hidden_line
    from clauderon.proc.piping import pipe
    from clauderon.proc.pouring import Pour
    from clauderon.proc.terminal import (
        foreground,
        pass_through,
        reader_left,
        replace,
        until_reader_leaves,
        visit,
    )
    from clauderon.proc.typing_in import type_into

# Loaded when first asked for: `create` needs none of these.
_DOORS = {
    "NotALine": "hidden",
    "Pour": "pouring",
    "attend": "detached",
    "daemon": "detached",
    "end_all_with": "detached",
    "foreground": "terminal",
    "glance": "glancing",
    "hidden_line": "hidden",
    "pass_through": "terminal",
    "pipe": "piping",
    "reader_left": "terminal",
    "replace": "terminal",
    "side_by_side": "forked",
    "type_into": "typing_in",
    "until_reader_leaves": "terminal",
    "visit": "terminal",
}

__all__ = [
    "Completed", "Env", "NotALine", "Pour", "Running", "attend", "briefly", "daemon", "end_all_with", "find",
    "foreground", "glance", "hidden_line", "leave", "operand", "pass_through", "pipe", "reader_left", "replace", "run",
    "side_by_side", "size", "start", "stop_unwaited", "stream", "told_to", "type_into", "until_reader_leaves", "visit",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    door = _DOORS.get(name)
    if door is None:
        raise AttributeError(name)
    return getattr(import_module(f"clauderon.proc.{door}"), name)
