"""`scripts/bench git sync status delete`: work in a session beside the same in a container with a worktree by hand."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Row, Target
from bench.machine import Unavailable, run, say
from bench.sandbox import IMAGE, Sandbox, disk_bytes, measured, need_engine, sandbox

OURS, HAND = "clauderon", "by hand"
# What `list` took where the worktree is the smallest: what it takes elsewhere is compared with that.
SMALLEST = "1,000 files"
_WHO = [f"GIT_{role}_{key}=bench" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")]
_CLOCK = "start=$(date +%s%N); {}; echo $(($(date +%s%N) - start))"
_COMMIT = "git add -A && git commit -q -m work"
_EDIT = "echo {} >>$(git ls-files | head -n 1)"


@dataclass(frozen=True, slots=True)
class Size:
    """A repository: how many files, of how many random bytes each (0: forty short lines)."""

    key: str
    title: str
    files: int
    random_bytes: int = 0


SIZES = (
    Size("1k", "1,000 files", 1_000),
    Size("10k", "10,000 files", 10_000),
    Size("50k", "50,000 files", 50_000),
    Size("200m", "200 MB in 20 files", 20, 10 << 20),
)


class Pair:
    """The same repository twice: in a session, and in a worktree and container by hand."""

    def __init__(self, made: Sandbox, size: Size, number: int) -> None:
        self.made = made
        self.size = size
        self.name = f"bench-{size.key}-{number}"
        self.repo = made.directory / f"repo-{size.key}"
        if not self.repo.is_dir():
            say(f"making a repository of {size.title}")
            fill(self.repo, size, made)
        self.hand = made.directory / "by-hand" / self.name

    def open(self) -> None:
        made = self.made
        ours = ["create", "--quiet", "--name", self.name, "--repo", str(self.repo), "--prompt", "Do it"]
        made.run(made.clauderon_argv(*ours))
        # What carries commits by itself would do so in the midst of what is measured.
        made.run(made.clauderon_argv("proxy", "stop", "--quiet"))
        made.run(
            ["git", "-C", str(self.repo), "worktree", "add", "-q", "-b", self.name, str(self.hand), "HEAD"]
        )
        mounts = [word for path in (self.repo, self.hand) for word in ("-v", f"{path}:{path}")]
        user = ("--user", f"{os.getuid()}:{os.getgid()}")
        words = ["--name", self.name, "--network", "none", "--init", *user, *mounts]
        made.run(["docker", "run", "-d", *words, "--workdir", str(self.hand), IMAGE, "sleep", "infinity"])

    def inside(self, who: str, script: str) -> str:
        name = f"clauderon-{self.name}" if who == OURS else self.name
        env = [word for value in (*_WHO, "HOME=/tmp") for word in ("--env", value)]
        return self.made.run(["docker", "exec", *env, name, "sh", "-ec", script])

    def took(self, who: str, script: str) -> float:
        """Milliseconds by the container's own clock."""
        return int(self.inside(who, _CLOCK.format(script)).split()[-1]) / 1e6

    def loose(self, who: str) -> int:
        """How many objects of its own it has, one by one."""
        return int(self.inside(who, "git count-objects").split()[0])

    def close_hand(self) -> list[str]:
        """What a person types."""
        remove = ["git", "-C", str(self.repo), "worktree", "remove", "--force", str(self.hand)]
        branch = ["git", "-C", str(self.repo), "branch", "-q", "-D", self.name]
        lines = (shlex.join(words) for words in (["docker", "rm", "-f", self.name], remove, branch))
        return ["sh", "-ec", " && ".join(lines)]

    def close_ours(self) -> list[str]:
        return self.made.clauderon_argv("delete", "--quiet", "--force", self.name)

    def close(self) -> None:
        for words in (self.close_hand(), self.close_ours()):
            with contextlib.suppress(Unavailable):
                self.made.run(words)


def fill(path: Path, size: Size, made: Sandbox) -> None:
    """One commit, packed as `git clone` and `git gc` leave it."""
    for number in range(size.files):
        file = path / f"d{number % 50}/e{number // 50 % 20}/f{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(f"line {number} {line * number}\n" for line in range(40)).encode()
        file.write_bytes(os.urandom(size.random_bytes) if size.random_bytes else text)
    env = {**made.env, **dict(pair.split("=") for pair in _WHO)}
    run(["git", "init", "-q", str(path)], env=env)
    for words in (["add", "."], ["commit", "-q", "-m", "Everything"], ["gc", "-q"]):
        # By itself git would begin to pack in the background.
        run(["git", "-C", str(path), "-c", "gc.auto=0", *words], env=env)


def bench(what: str, rounds: int, only: Sequence[str] | None) -> tuple[list[Row], list[str]]:
    """Measure; returns the rows of the table and the names of its columns. Raises Unavailable."""
    need_engine()
    rows: list[Row] = []
    measure = {"git": _Git, "sync": _Sync, "status": _Status, "delete": _Delete}[what]
    with sandbox() as made:
        for size in SIZES:
            if only is None or size.key in only:
                found = measure(size)
                rows += found.rows
                for number in range(rounds):
                    with _opened(made, size, number) as pair:
                        order = (HAND, OURS) if number % 2 else (OURS, HAND)
                        found.one(pair, order)
    return [row for row in rows if row.samples], [HAND, OURS]


@contextlib.contextmanager
def _opened(made: Sandbox, size: Size, number: int) -> Iterator[Pair]:
    pair = Pair(made, size, number)
    try:
        pair.open()
        yield pair
    finally:
        pair.close()


class Deed:
    """A command's rows: the time on the clock, which has the target, and that of the processors."""

    def __init__(self, title: str, target: Target | None = None, limit: float | None = None) -> None:
        self.wall = Row(title, "ms", target, limit)
        self.rows = [self.wall, Row(f"of the processors, {title}", "ms")]

    def add(self, who: str, argv: Sequence[str], env: Mapping[str, str]) -> float:
        """Run it; returns the milliseconds it took on the clock."""
        took = measured(argv, env)
        for row, value in zip(self.rows, took, strict=True):
            row.add(who, value)
        return took.wall


class _Measure:
    rows: list[Row]

    def one(self, pair: Pair, order: Sequence[str]) -> None:
        raise NotImplementedError


class _Git(_Measure):
    def __init__(self, size: Size) -> None:
        many, most = size.files >= 50_000, Target(HAND, 1.5)
        self._first = Row(f"first commit, {size.title}", "ms", most)
        self._later = Row(f"a later commit, {size.title}", "ms", most)
        self._loose = Row(f"objects stored by the two, {size.title}", "", most)
        self._again = Row(f"add --renormalize, {size.title}", "ms", most) if many else None
        self.rows = [row for row in (self._first, self._later, self._loose, self._again) if row]

    def one(self, pair: Pair, order: Sequence[str]) -> None:
        for who in order:
            before = pair.loose(who)
            for row in (self._first, self._later):
                pair.inside(who, _EDIT.format(row.title))
                row.add(who, pair.took(who, _COMMIT))
            self._loose.add(who, pair.loose(who) - before)
            if self._again:
                self._again.add(who, pair.took(who, "git add --renormalize ."))


class _Sync(_Measure):
    def __init__(self, size: Size) -> None:
        self._took = Deed(f"sync after a small commit, {size.title}", limit=150)
        large = size.random_bytes > 0
        self._disk = Row(f"disk of a session with one commit, {size.title}", "MB") if large else None
        self.rows = [*self._took.rows, *([self._disk] if self._disk else [])]

    def one(self, pair: Pair, order: Sequence[str]) -> None:
        made = pair.made
        for number in range(2):
            pair.inside(OURS, _EDIT.format(number))
            pair.inside(OURS, _COMMIT)
            self._took.add(OURS, made.clauderon_argv("sync", pair.name), made.env)
            if self._disk and number == 0:
                self._weigh(pair, self._disk)

    @staticmethod
    def _weigh(pair: Pair, row: Row) -> None:
        """By hand: the worktree, and what one commit adds to the repository."""
        git, home = pair.repo / ".git", pair.made.home
        before = disk_bytes([git / "objects"])
        # Another line than in the session, whose objects the repository has by now.
        pair.inside(HAND, _EDIT.format("hand"))
        pair.inside(HAND, _COMMIT)
        new = disk_bytes([git / "objects"]) - before
        worktree = disk_bytes([pair.hand])
        row.add(HAND, (worktree + new) / 1e6)
        # Links to the repository's objects take no room of their own.
        ours = [home / kind for kind in ("worktrees", "git", "airlock", "home", "session")]
        row.add(OURS, disk_bytes(ours, without=[git]) / 1e6)
        row.limit = (worktree + 1.2 * new) / 1e6


class _Status(_Measure):
    listed: list[float] = []  # noqa: RUF012 - of the smallest repository, for all

    def __init__(self, size: Size) -> None:
        small = size.files <= 1_000
        self._deeds = {
            verb: Deed(f"{verb}, {size.title}", None if small else Target(HAND, 3))
            for verb in ("status", "diff")
        }
        self._own = {verb: Row(f"of {verb} our own, {size.title}", "ms", limit=100) for verb in self._deeds}
        self._list = Deed(f"list of a session, {size.title}", Target(SMALLEST, 1.2))
        rows = [row for deed in (*self._deeds.values(), self._list) for row in deed.rows]
        self.rows = [*rows, *(self._own.values() if small else ())]

    def one(self, pair: Pair, order: Sequence[str]) -> None:
        made = pair.made
        for who in (HAND, OURS):
            pair.inside(who, _EDIT.format("changed"))
        for _ in range(3):
            took = self._list.add(OURS, made.clauderon_argv("list"), made.env)
            if pair.size is SIZES[0]:
                self.listed.append(took)
            for verb, deed in self._deeds.items():
                argv = {
                    HAND: ["git", "-C", str(pair.hand), verb],
                    OURS: made.clauderon_argv(verb, pair.name),
                }
                spent = {who: deed.add(who, argv[who], made.env) for who in order}
                self._own[verb].add(OURS, spent[OURS] - spent[HAND])
        for milliseconds in self.listed:
            self._list.wall.add(SMALLEST, milliseconds)


class _Delete(_Measure):
    def __init__(self, size: Size) -> None:
        self._took = Deed(f"delete, {size.title}", Target(HAND, 1.5))
        self.rows = self._took.rows

    def one(self, pair: Pair, order: Sequence[str]) -> None:
        pair.made.run(pair.made.clauderon_argv("list", "--json"))
        argv = {HAND: pair.close_hand(), OURS: pair.close_ours()}
        for who in order:
            self._took.add(who, argv[who], pair.made.env)
