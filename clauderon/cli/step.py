"""`__step`, what the script of `create --dry-run` calls for everything that is neither docker's nor git's."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from clauderon.cli import common
from clauderon.errors import ClauderonError


def run(words: Sequence[str]) -> int:
    """Carry out one step; returns the exit status. `--prompt` as the last word takes the prompt from stdin."""
    from clauderon.session.dry_run import step

    given = list(words)
    prompt = None
    if given and given[-1] == "--prompt":
        given.pop()
        prompt = sys.stdin.buffer.read()
    try:
        with common.opened() as context:
            step(context, given, prompt)
    except ClauderonError as error:
        common.output.fail(error)
        return error.exit_status
    return 0
