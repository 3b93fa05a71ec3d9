"""git on one git directory, hardened however it is called: what a caller says are git's words, and nothing else.

The settings that keep git from running what a tree brings along, and the directory it works on, come from here. No
policy: which environment a call needs is for the caller to choose, and so is what a failure means.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from clauderon import proc
from clauderon.errors import CommandKilled
from clauderon.git.batch import Batch, parse_batch
from clauderon.git.environment import HARDENED, OVERRIDDEN, environment, offline, untrusting
from clauderon.git.settings import Settings, parse_settings
from clauderon.proc import Completed as Completed
from clauderon.proc import Running as Running
from clauderon.proc import operand as operand

# Longer than any call on a large repository; one that takes this long does not end by itself.
TIMEOUT_S = 600.0
Statuses = Collection[int] | None
# What `Git.settings` and `Git.refs` ask, for whoever asks both side by side; `refs` takes patterns after it.
SETTINGS = ("config", "--list", "-z")
REFS = ("for-each-ref", "--format=%(objectname) %(refname)")


class Git:
    """git on exactly one git directory; no discovery, so no planted `.git` is ever read.

    env: git's, made by `environment`, and whatever more the call needs.
    work_tree: where the files are, for words that look at files or at an index.
    cwd: where git runs, in which relative names of files would begin.
    timeout_s: how long a call may take; None for one that is never stopped.
    """

    __slots__ = ("_cwd", "_prefix", "_timeout_s", "env", "git_dir", "work_tree")

    def __init__(
        self,
        git_dir: str | os.PathLike[str],
        env: Mapping[str, str],
        work_tree: Path | None = None,
        *,
        cwd: str | os.PathLike[str] = "/",
        timeout_s: float | None = TIMEOUT_S,
    ) -> None:
        self.git_dir = git_dir
        self.env = env
        self.work_tree = work_tree
        self._cwd = cwd
        self._timeout_s = timeout_s
        place = [f"--git-dir={os.fspath(git_dir)}"]
        if work_tree is not None:
            place.append(f"--work-tree={work_tree}")
        self._prefix = ("git", "--no-pager", *place, *HARDENED)

    @classmethod
    def of(cls, git_dir: str | os.PathLike[str], environ: Mapping[str, str]) -> Git:
        """git on a directory of the user's, in the environment that `environment` makes of ours."""
        return cls(git_dir, environment(environ))

    def with_env(self, env: Mapping[str, str]) -> Git:
        """The same in another environment."""
        return Git(self.git_dir, env, self.work_tree, cwd=self._cwd, timeout_s=self._timeout_s)

    def on(self, git_dir: str | os.PathLike[str]) -> Git:
        """The same on another git directory of the same repository, without a work tree."""
        return Git(git_dir, self.env, cwd=self._cwd, timeout_s=self._timeout_s)

    def offline(self) -> Git:
        """The same, reaching no remote (`environment.offline`)."""
        return self.with_env(offline(self.env))

    def untrusting(self) -> Git:
        """The same for objects that a container wrote (`environment.untrusting`)."""
        return self.with_env(untrusting(self.env))

    def argv(self, *words: str) -> list[str]:
        """The whole command, as a person could type it."""
        return [*self._prefix, *words]

    def start(self, *words: str, stdin: bytes = b"") -> Running:
        """Begin a call; ask `Running.result` later. It has no deadline until then."""
        return proc.start(self.argv(*words), env=self.env, cwd=self._cwd, stdin=stdin)

    def call(self, *words: str, stdin: bytes = b"", ok: Statuses = (0,)) -> Completed:
        """One call to its end. ok: the statuses that are no failure; None allows every one.

        Raises CommandFailed for any other, and CommandTimeout.
        """
        return self.start(*words, stdin=stdin).result(ok=ok, timeout_s=self._timeout_s)

    def write(self, *words: str, stdin: bytes = b"", ok: Statuses = (0,)) -> Completed:
        """A call that changes the user's repository: should git be killed in it, its locks go with it. Never for a
        directory that a container writes to, which would say where to look for them."""
        began = time.time()
        try:
            return self.call(*words, stdin=stdin, ok=ok)
        except CommandKilled:
            from clauderon.git import abandoned

            abandoned.remove_since(self._where(), began)
            raise

    def _where(self) -> Path:
        return Path(self.git_dir)

    def glance(self, *words: str) -> bytes | None:
        """What a call printed, for whoever would rather have no answer than a late or a wrong one: then None."""
        return proc.glance(
            self.argv(*words), env=self.env, timeout_s=self._timeout_s or TIMEOUT_S, cwd=self._cwd
        )

    def text(self, *words: str, stdin: bytes = b"", ok: Statuses = (0,)) -> str:
        """What a call printed, without the blanks around it. Raises as `call` does."""
        return self.call(*words, stdin=stdin, ok=ok).text.strip()

    def ok(self, *words: str, stdin: bytes = b"") -> bool:
        """Whether a call ended with status 0."""
        return self.call(*words, stdin=stdin, ok=None).status == 0

    def pipe(self, words: Sequence[str], to: Git, other: Sequence[str], *, stdin: bytes = b"") -> None:
        """`git WORDS | git OTHER`, the second on `to`; stdin goes to the first. Raises CommandFailed."""
        proc.pipe(
            self.argv(*words),
            to.argv(*other),
            env=self.env,
            consumer_env=to.env,
            cwd=self._cwd,
            stdin=stdin,
        )

    # What is asked often, as typed verbs.

    def settings(self) -> Settings:
        """The effective configuration of this directory, as far as a session needs it."""
        return parse_settings(self.call(*SETTINGS).stdout)

    def refs(self, *patterns: str) -> dict[str, str]:
        """The refs that match, by name: what each names."""
        return parse_refs(self.call(*REFS, *map(operand, patterns)).stdout)

    def tree_of(self, commit: str) -> str:
        """The tree of a commit."""
        return self.text("rev-parse", operand(f"{commit}^{{tree}}"))

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `newer` has all of `older`."""
        return self.call("merge-base", "--is-ancestor", operand(older), operand(newer), ok=(0, 1)).status == 0

    def apart(self, left: str, right: str) -> tuple[int, int]:
        """How many commits only `left` has, and only `right`."""
        return parse_apart(self.call(*apart_words(left, right)).text)

    def objects(self, oids: Sequence[str]) -> list[Batch | None]:
        """Objects with their content, in the order asked for; None for one that is not there."""
        answer = self.call("cat-file", "--buffer", "--batch", stdin=lines(oids))
        return parse_batch(answer.stdout, len(oids))

    def described(self, fields: str, oids: Iterable[str] | bytes) -> list[str]:
        """`git cat-file --batch-check`: a line for each object. fields: git's format, such as `%(objectname)`.

        oids: names, or the bytes in which an earlier call listed them.
        """
        stdin = oids if isinstance(oids, bytes) else lines(oids)
        return self.call("cat-file", "--buffer", f"--batch-check={fields}", stdin=stdin).text.splitlines()


class CheckoutGit(Git):
    """git in the user's own checkout, which it finds as the user's git would; only what it runs by itself is off."""

    __slots__ = ()

    def __init__(self, top: Path, env: Mapping[str, str], *, timeout_s: float | None = TIMEOUT_S) -> None:
        super().__init__("", env, cwd=top, timeout_s=timeout_s)
        self._prefix = ("git", "--no-pager", *OVERRIDDEN)

    def _where(self) -> Path:
        from clauderon.git import abandoned

        return abandoned.git_dir_of(Path(self._cwd))

    def with_env(self, env: Mapping[str, str]) -> CheckoutGit:
        """The same in another environment."""
        return CheckoutGit(Path(self._cwd), env, timeout_s=self._timeout_s)


def lines(names: Iterable[str]) -> bytes:
    """Names as git reads them from its input, one a line."""
    return "".join(f"{name}\n" for name in names).encode()


def parse_refs(output: bytes) -> dict[str, str]:
    """Read `for-each-ref --format='%(objectname) %(refname)'`: ref name to object name."""
    found = output.decode("utf-8", "surrogateescape").splitlines()
    return {name: oid for oid, _, name in (line.partition(" ") for line in found)}


def apart_words(left: str, right: str) -> tuple[str, ...]:
    """How `Git.apart` asks."""
    return ("rev-list", "--left-right", "--count", operand(f"{left}...{right}"), "--")


def parse_apart(text: str) -> tuple[int, int]:
    """Read the answer to `apart_words`."""
    first, second = text.split()
    return int(first), int(second)


def version(environ: Mapping[str, str]) -> str:
    """What `git version` says. Raises ToolMissing, CommandFailed and CommandTimeout."""
    return proc.run(["git", "version"], env=environ, timeout_s=10).text


def common_dir_at(place: Path, environ: Mapping[str, str]) -> Path | None:
    """The common git directory of the repository that `place` is in; None if it is in none.

    Whether git may look there at all is for the caller to have asked: this is the one call that discovers.
    """
    argv = ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"]
    answer = proc.start(argv, env=environment(environ), cwd=place).result(ok=None, timeout_s=TIMEOUT_S)
    found = answer.text.removesuffix("\n")
    return Path(os.path.realpath(found)) if answer.status == 0 and found else None


def hooks_path(git_dir: Path, env: Mapping[str, str]) -> str:
    """core.hooksPath as written, empty if unset. Not by a hardened call, which has its own answer."""
    argv = ["git", "--no-pager", f"--git-dir={git_dir}", "config", "--get", "core.hooksPath"]
    answer = proc.start(argv, env=env, cwd="/").result(ok=None, timeout_s=TIMEOUT_S)
    return answer.text.removesuffix("\n")
