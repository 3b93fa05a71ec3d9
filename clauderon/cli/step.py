"""`__step`, what the script of `create --dry-run` calls for everything that is neither docker's nor git's."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from clauderon.cli import common

NAME = "__step"


def run(words: Sequence[str]) -> int:
    """Carry out one step; returns the exit status. `--prompt` as the last word takes the prompt from stdin.

    `print NAME` is the last step of a headless one, and its status the agent's.
    """
    if words[:1] == ["print"]:
        return _print(*words[1:])
    from clauderon.session.dry_run import step

    given = list(words)
    prompt = None
    if given and given[-1] == "--prompt":
        given.pop()
        prompt = sys.stdin.buffer.read()
    with common.opened() as context:
        answer = step(context, given, prompt)
    if answer:
        common.output.value(answer)
    return 0


def _print(name: str, *flags: str) -> int:
    from clauderon.cli.create import headless

    out = common.speak("table", "--json" in flags, "--quiet" in flags)
    out.command = "create"
    with common.opened() as context:
        return headless(context, context.store.named(name), "--existing" in flags)
