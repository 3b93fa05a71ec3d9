"""git in the user's repository while a session's work is looked through: it reads the copies of what is inside, and
writes new objects beside them, so that a look leaves nothing in the repository.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from clauderon.airlock.layout import HostSide, beside
from clauderon.airlock.lent import sources
from clauderon.git.alternates import alternates
from clauderon.git.call import Completed, Git
from clauderon.git.environment import offline, untrusting
from clauderon.git.settings import NOBODY
from clauderon.record import Session

_WHO = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in zip(("NAME", "EMAIL"), NOBODY, strict=True)
}


class Workbench:
    """env: as `git.environment` makes it. Names of objects given to it may be the container's, never its words."""

    def __init__(self, side: HostSide, common_dir: Path, session: Session, env: Mapping[str, str]) -> None:
        self._side = side
        self._common_dir = common_dir
        self._session = session
        self._env = env

    def tree(self, commit: str | None) -> str:
        """The id of a commit's tree; empty if there is no such commit."""
        answer = self.call("rev-parse", f"{commit}^{{tree}}", ok=None)
        return answer.text.strip() if answer.status == 0 else ""

    def commit_tree(self, tree: str, parents: Iterable[str], message: str) -> str:
        """Make a commit; its id. Raises GitFailed."""
        words = [word for parent in parents for word in ("-p", parent)]
        return self.call("commit-tree", tree, *words, stdin=message.encode("utf-8", "replace")).text.strip()

    def is_ancestor(self, first: str, second: str) -> bool:
        """Whether `first` is `second` or an ancestor of it."""
        return self.call("merge-base", "--is-ancestor", first, second, ok=(0, 1)).status == 0

    def alone(self, commits: list[str], lost: list[str]) -> set[str]:
        """As `_only_here`, for commits that exist; a history with holes is looked at tip by tip."""
        if not commits:
            return set()
        stdin = "".join(f"{oid}\n" for oid in commits).encode()
        answer = self.call("rev-list", "--stdin", *beside(self._session), stdin=stdin, ok=None)
        if answer.status == 0:
            return set(answer.text.split()) & set(commits)
        if len(commits) == 1:
            lost.append(f"inside, the history of {commits[0]} is incomplete")
            return set()
        half = len(commits) // 2
        return self.alone(commits[:half], lost) | self.alone(commits[half:], lost)

    def same(self, first: str, second: str) -> bool:
        """Whether two commits are the same but for their times: parents, trees, authors, messages."""
        one, two = (self._brings(oid) for oid in (first, second))
        return one is not None and one == two

    def _brings(self, oid: str) -> list[bytes] | None:
        words = ("rev-list", "--topo-order", "--boundary", "--format=%m%x00%T%x00%an%x00%ae%x00%B%x00%x00")
        beside_it = ("--not", f"--exclude={self._session.branch}", "--branches", "--remotes", "--tags")
        answer = self.call(*words, f"{oid}^{{commit}}", *beside_it, "--", ok=None)
        if answer.status:
            return None
        # Each begins with a line that names the commit; where it is one of the user's, it is the same one.
        records = [record.lstrip(b"\n").partition(b"\n") for record in answer.stdout.split(b"\0\0")]
        return [line + text if line.startswith(b"commit -") else text for line, _, text in records]

    def rescued(self, oid: str) -> list[str]:
        """The rescue that holds a commit which nothing else in the repository does; one, or none."""
        words = ("for-each-ref", "--format=%(refname)", "--count=1", f"--contains={oid}")
        found = self.call(*words, "refs/clauderon/rescue", ok=None).text.splitlines()
        if not found:
            return []
        others = beside(self._session, rescues=False)
        alone = self.call("rev-list", "--max-count=1", oid, *others, "--", ok=None)
        return found if alone.text.strip() == oid else []

    def copied_commits(self) -> list[str]:
        """Every commit among the copies, named by something or not."""
        if not any(any(directory.iterdir()) for directory in self._side.objects.iterdir()):
            return []
        words = ("cat-file", "--batch-all-objects", "--unordered", "--buffer")
        # Of the copies alone: no alternates.
        env = {**untrusting(offline(self._env)), "GIT_OBJECT_DIRECTORY": str(self._side.objects)}
        git = Git(self._common_dir, env, cwd=self._side.root)
        listed = git.call(*words, "--batch-check=%(objecttype) %(objectname)").text.splitlines()
        return sorted(line[7:] for line in listed if line.startswith("commit "))

    def kinds(self, oids: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Objects that are there, with their kinds."""
        stdin = "".join(f"{oid}\n" for oid in oids).encode()
        answer = self.call("cat-file", "--buffer", "--batch-check=%(objectname) %(objecttype)", stdin=stdin)
        for line in answer.text.splitlines():
            oid, _, kind = line.partition(" ")
            if kind != "missing":
                yield oid, kind

    def existing(self, oids: Iterable[str]) -> dict[str, None]:
        """Those of these that are commits, and are there; in the order given."""
        return {oid: None for oid, kind in self.kinds(dict.fromkeys(oids)) if kind == "commit"}

    def objects(self, tips: Iterable[str]) -> set[str]:
        """What these commits need; `^NAME` for what they do not."""
        stdin = "".join(f"{oid}\n" for oid in tips).encode()
        return set(
            self.call("rev-list", "--objects", "--no-object-names", "--stdin", stdin=stdin).text.split()
        )

    def beside(self, *words: str, stdin: Iterable[str]) -> str:
        """`git rev-list --stdin`, less what would be there without this session."""
        lines = "".join(f"{line}\n" for line in stdin).encode()
        return self.call(*words, *beside(self._session), stdin=lines).text

    def call(self, *words: str, stdin: bytes = b"", ok: tuple[int, ...] | None = (0,)) -> Completed:
        """git in the user's repository, able to read the copies, writing new objects beside them."""
        self._side.snapshot.mkdir(parents=True, exist_ok=True)
        env = {
            **untrusting(offline(self._env)),
            **_WHO,
            "GIT_OBJECT_DIRECTORY": str(self._side.snapshot),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(
                self._common_dir / "objects", self._side.objects, *sources(self._side)
            ),
        }
        return Git(self._common_dir, env, cwd=self._side.root).call(*words, stdin=stdin, ok=ok)
