"""`scripts/bench create`: `clauderon create` beside the same `git worktree add` and `docker run -d` by hand."""

from __future__ import annotations

import contextlib
import ipaddress
import shlex
from collections.abc import Sequence

from bench.figures import Row, Target
from bench.machine import Unavailable, say
from bench.sandbox import TEMPLATE, Sandbox, Shim, need_engine, sandbox, timed, timed_together

OURS, HAND = "clauderon", "by hand"
AT_ONCE = 20
# Addresses for the containers made by hand, from the top of the network: sessions get theirs elsewhere.
_HAND_ADDRESSES = 60


class ByHand:
    """What a person would type: the worktree, then a container with the flags a session's container has.

    The flags are those of a real session, recorded while it was made; name, address and worktree are replaced, and
    the session's other files (agent, home, private git directory) are mounted a second time.
    """

    def __init__(self, made: Sandbox) -> None:
        self._made = made
        shim = Shim(made)
        timed(made.create_argv(TEMPLATE), shim.env)
        runs = [call for call in shim.calls() if call[:1] == ["run"] and f"clauderon-{TEMPLATE}" in call]
        if not runs:
            raise Unavailable(f"create made no call of `docker run`: {shim.calls()}")
        self._run = runs[-1]
        subnet = made.run(
            ["docker", "network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", made.network]
        )
        top = ipaddress.ip_network(subnet.strip()).broadcast_address
        self._addresses = [str(top - 1 - n) for n in range(_HAND_ADDRESSES)]
        self._next = 0

    def worktree(self, name: str) -> str:
        return str(self._made.directory / "by-hand" / name)

    def argv(self, name: str) -> list[str]:
        """One shell line: the two commands, one after the other."""
        made, worktree = self._made, self.worktree(name)
        address = self._addresses[self._next % len(self._addresses)]
        self._next += 1
        add = ["git", "-C", str(made.repo), "worktree", "add", "--quiet", "--no-track", "-b", f"hand/{name}"]
        words = [word.replace(str(made.home / "worktrees" / TEMPLATE), worktree) for word in self._run]
        for flag, value in (("--name", name), ("--hostname", name), ("--ip", address)):
            words[words.index(flag) + 1] = value
        # Twenty at once trip over each other in git's own files now and then: a person types it again.
        line = shlex.join([*add, worktree, "HEAD"])
        again = f"{shlex.join(['git', '-C', str(made.repo), 'worktree', 'prune'])}; {line.replace(' -b ', ' -B ')}"
        return ["sh", "-ec", f"{line} 2>/dev/null || {{ {again}; }}\n{shlex.join(['docker', *words])}\n"]

    def remove(self, names: Sequence[str]) -> None:
        made = self._made
        with contextlib.suppress(Unavailable):
            made.run(["docker", "rm", "--force", *names])
        for name in names:
            with contextlib.suppress(Unavailable):
                made.run(["git", "-C", str(made.repo), "worktree", "remove", "--force", self.worktree(name)])
                made.run(["git", "-C", str(made.repo), "branch", "--quiet", "-D", f"hand/{name}"])


def bench(rounds: int, rounds_at_once: int, only: Sequence[str] | None) -> tuple[list[Row], list[str]]:
    """Measure; returns the rows of the table and the names of its columns. Raises Unavailable."""
    need_engine()
    one = Row("create, image and agent cached", "ms", Target(HAND, 1.6))
    own = Row("of that our own", "ms", limit=120)
    many = Row(f"{AT_ONCE} creates at once", "ms", Target(HAND, 1.3))
    counted = Row(f"the same with --count {AT_ONCE}", "ms", Target(HAND, 1.3))
    with sandbox() as made:
        by_hand = ByHand(made)
        if only is None or "one" in only:
            for number in range(rounds):
                _pair(made, by_hand, number, one, own)
        if only is None or "many" in only:
            for number in range(rounds_at_once):
                say(f"{AT_ONCE} at once, round {number + 1} of {rounds_at_once}")
                try:
                    _many(made, by_hand, number, many, counted)
                except Unavailable as error:
                    say(str(error))
    return [row for row in (one, own, many, counted) if row.samples], [HAND, OURS]


def _pair(made: Sandbox, by_hand: ByHand, number: int, one: Row, own: Row) -> None:
    """One of each, who comes first changing every time; both are removed again."""
    theirs, ours = f"bench-hand-{number}", f"bench-ours-{number}"
    todo = [(HAND, by_hand.argv(theirs)), (OURS, made.create_argv(ours))]
    took: dict[str, float] = {}
    try:
        for who, argv in todo if number % 2 else reversed(todo):
            took[who] = timed(argv, made.env)
    finally:
        by_hand.remove([theirs])
        _delete(made, [ours])
    for who, milliseconds in took.items():
        one.add(who, milliseconds)
    own.add(OURS, took[OURS] - took[HAND])


def _many(made: Sandbox, by_hand: ByHand, number: int, many: Row, counted: Row) -> None:
    """By hand, as many commands of ours, and one command; who comes first changes every time."""
    theirs = [f"bench-hand-{number}-{n}" for n in range(AT_ONCE)]
    ours = [f"bench-ours-{number}-{n}" for n in range(AT_ONCE)]
    one = f"bench-one-{number}"
    sides = [
        (HAND, (many, counted), [by_hand.argv(name) for name in theirs], theirs),
        (OURS, (many,), [made.create_argv(name) for name in ours], ours),
        (
            OURS,
            (counted,),
            [[*made.create_argv(one), "--count", str(AT_ONCE)]],
            [f"{one}-{n + 1}" for n in range(AT_ONCE)],
        ),
    ]
    for who, rows, commands, names in sides if number % 2 else reversed(sides):
        try:
            took = timed_together(commands, made.env)
        finally:
            by_hand.remove(names) if who == HAND else _delete(made, names)
        for row in rows:
            row.add(who, took)


def _delete(made: Sandbox, names: Sequence[str]) -> None:
    with contextlib.suppress(Unavailable):
        made.run(made.clauderon_argv("delete", "--quiet", "--force", *names))
