"""What `top` does to a session: by `clauderon` itself, as a child, so that it is what the command line does."""

from __future__ import annotations

import sys
from typing import NamedTuple

from clauderon import names, proc, visible
from clauderon.errors import ClauderonError
from clauderon.session.feed import Feed

# A stop waits for its agent, a delete for a large worktree.
_TIMEOUT_S = 600.0
_OURS = (sys.executable, "-P", "-m", "clauderon")


class Said(NamedTuple):
    """How it went, in a line for a person."""

    ok: bool
    text: str


def run(feed: Feed, name: str, *words: str) -> Said:
    """`clauderon WORDS NAME`, quietly. Never raises ClauderonError."""
    argv = [*_OURS, words[0], "--quiet", *words[1:], "--", name]
    try:
        answer = proc.start(argv, env=feed.environ).result(ok=None, timeout_s=_TIMEOUT_S, aloud=False)
    except ClauderonError as error:
        return Said(False, visible.line(f"{error.what}: {error.why}"))
    said = answer.stderr.decode("utf-8", "replace").strip().splitlines()
    text = visible.line(said[0].removeprefix("clauderon: ")) if said else f"{words[0]} {name}: done"
    return Said(answer.status == 0, text)


def visit(feed: Feed, name: str, command: str) -> Said:
    """`clauderon attach NAME`, or `shell`, on our own terminal, which is given away meanwhile."""
    answer = proc.visit([*_OURS, command, "--", name], env=feed.environ)
    said = answer.stderr.decode("utf-8", "replace").strip().splitlines()
    # The status is the agent's or the shell's; only words of ours mean that it did not come to that.
    failed = [line for line in said if line.startswith("clauderon: ")]
    return Said(not failed, visible.line(failed[0].removeprefix("clauderon: ")) if failed else "")


def send(feed: Feed, name: str, text: str) -> Said:
    """Type a line and Enter into an agent's terminal. Never raises ClauderonError."""
    line = "".join(char for char in text if not visible.is_hidden(char))
    try:
        session = feed.session(name)
        if session.print_mode:
            return Said(False, f"{name} runs without a terminal, so it takes no further prompt")
        size = feed.terminal_size(name)
        with feed.opened() as context:
            words = ["attach", "--sig-proxy=false", "--detach-keys", "ctrl-p,ctrl-q", names.container(name)]
            ok = proc.type_into(
                context.docker.argv(*words), env=context.docker.env, text=line, leave=b"\x10\x11", size=size
            )
    except ClauderonError as error:
        return Said(False, visible.line(f"{error.what}: {error.why}"))
    return Said(ok, f"sent to {name}" if ok else f"{name}: its terminal could not be reached")
