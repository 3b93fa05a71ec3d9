"""Git dependencies: which objects of a session's are taken, whatever else its repository holds."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from clauderon.caching import folders, gitdeps
from clauderon.caching.lockfile import GitDependency
from clauderon.confined import Tree
from tests.standins.repository import git, make_repo

URL = "https://git.test/o/other"
FOLDER = folders.git(URL)[-1]


class Session:
    """A session's home whose cargo fetched a dependency."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.origin = make_repo(root / "origin", files={"Cargo.toml": "[package]\n", "src/lib.rs": "good\n"})
        self.commit = git("rev-parse", "HEAD", cwd=self.origin).strip()
        self.home = root / "home"
        self.db = self.home / gitdeps.DB / FOLDER
        git("clone", "--quiet", "--bare", str(self.origin), str(self.db), cwd=root)

    def fetched(self, **options: float) -> list[gitdeps.Fetched]:
        dependency = GitDependency(URL, self.commit)
        return list(gitdeps.fetched(self.home, self.root, [dependency], os.environ, **options))

    def taken(self) -> list[str]:
        found = self.fetched()
        for dependency, files in found:
            self._check(dependency.commit, files)
        return [one.dependency.commit for one in found]

    def _check(self, commit: str, files: Mapping[str, bytes]) -> None:
        """What is taken is objects alone, whole and genuine, and borrowed as we lend them."""
        assert {Path(name).suffix for name in files} == {".pack", ".idx"}
        shared = self.root / "shared"
        for name, content in files.items():
            (shared / name).parent.mkdir(parents=True, exist_ok=True)
            (shared / name).write_bytes(content)
        borrower = self.root / "borrower"
        git("init", "--quiet", "--bare", str(borrower), cwd=self.root)
        (borrower / "objects/info/alternates").write_text(f"{shared}/objects\n")
        git("update-ref", "refs/heads/x", commit, cwd=borrower)
        git("fsck", "--full", "--strict", cwd=borrower)
        assert git("show", f"{commit}:src/lib.rs", cwd=borrower) == "good\n"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path)


def test_what_the_commit_reaches_is_taken(session: Session) -> None:
    assert session.taken() == [session.commit]


def test_packed_or_loose_is_the_same(session: Session) -> None:
    git("repack", "-adq", cwd=session.db)
    assert session.taken() == [session.commit]


def _hooks_and_configuration(session: Session) -> None:
    mark = session.root / "ran"
    for hook in ("post-update", "reference-transaction", "pre-auto-gc", "post-index-change"):
        (session.db / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (session.db / "hooks" / hook).chmod(0o755)
    with (session.db / "config").open("a") as config:
        config.write(
            f"[core]\n\tfsmonitor = touch {mark}\n\tsshCommand = touch {mark}\n\tpager = touch {mark}\n"
        )
        config.write(f"[alias]\n\trev-list = !touch {mark}\n[include]\n\tpath = {session.root}/more\n")


def _foreign_refs(session: Session) -> None:
    (session.db / "refs/heads/evil").write_text("ref: ../../../../../etc/passwd\n")
    (session.db / "packed-refs").write_text("\0" * 4096)
    (session.db / "HEAD").unlink()


def _alternates(session: Session) -> None:
    """To a repository of the host's, which the session cannot read."""
    (session.db / "objects/info").mkdir(exist_ok=True)
    (session.db / "objects/info/alternates").write_text(f"{session.origin}/.git/objects\n")


def _side_files(session: Session) -> None:
    git("repack", "-adq", "--write-bitmap-index", cwd=session.db)
    for index in (session.db / "objects/pack").glob("*.idx"):
        index.chmod(0o644)
        index.write_bytes(b"\xfftOc" + b"\0" * 2000)
    (session.db / "objects/info").mkdir(exist_ok=True)
    (session.db / "objects/info/commit-graph").write_bytes(b"CGPH" + b"\1" * 400)


def _pipes(session: Session) -> None:
    os.mkfifo(session.db / f"objects/pack/pack-{'ab' * 20}.pack")
    os.mkfifo(session.db / f"objects/pack/pack-{'ab' * 20}.idx")
    (session.db / "objects/00").mkdir(exist_ok=True)
    os.mkfifo(session.db / "objects/00" / ("0" * 38))
    (session.db / "objects/01").symlink_to("/")


@pytest.mark.parametrize(
    "planted",
    [_hooks_and_configuration, _foreign_refs, _alternates, _side_files, _pipes],
    ids=lambda f: f.__name__,
)
def test_what_is_planted_beside_the_objects_is_nothing(
    session: Session, planted: Callable[[Session], None]
) -> None:
    planted(session)
    assert session.taken() == [session.commit]
    assert not (session.root / "ran").exists()


def _object(session: Session) -> Path:
    blob = git("rev-parse", "HEAD:src/lib.rs", cwd=session.origin).strip()
    return session.db / "objects" / blob[:2] / blob[2:]


def _other_content(session: Session) -> None:
    evil = (
        subprocess.run(
            ["git", "hash-object", "-w", "--stdin"],
            cwd=session.db,
            input=b"evil\n",
            capture_output=True,
            check=True,
        )
        .stdout.decode()
        .strip()
    )
    genuine = _object(session)
    genuine.chmod(0o644)
    shutil.copy(session.db / "objects" / evil[:2] / evil[2:], genuine)


def _missing(session: Session) -> None:
    _object(session).unlink()


def _missing_but_borrowed(session: Session) -> None:
    _missing(session)
    _alternates(session)


def _replaced(session: Session) -> None:
    """By a replace ref, which git follows by itself."""
    _other_content(session)
    (session.db / "refs/replace").mkdir(parents=True)
    evil = git("hash-object", "--stdin", cwd=session.db).strip()
    (session.db / "refs/replace" / _object(session).parent.name).write_text(evil + "\n")


def _linked(session: Session) -> None:
    genuine = _object(session)
    genuine.rename(session.root / "outside")
    genuine.symlink_to(session.root / "outside")


def _nothing_there(session: Session) -> None:
    shutil.rmtree(session.db)


def _a_link_to_the_hosts_own(session: Session) -> None:
    shutil.rmtree(session.db)
    session.db.symlink_to(session.origin / ".git")


@pytest.mark.parametrize(
    "spoiled",
    [
        _other_content,
        _missing,
        _missing_but_borrowed,
        _replaced,
        _linked,
        _nothing_there,
        _a_link_to_the_hosts_own,
    ],
    ids=lambda f: f.__name__,
)
def test_a_commit_that_is_not_there_whole_is_not_taken(
    session: Session, spoiled: Callable[[Session], None]
) -> None:
    spoiled(session)
    assert session.taken() == []


def test_a_repository_of_more_than_anybody_looks_through_is_said_to_be_that(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it is looked through once and not at each stop. Seen as a mere "nothing" without the difference."""
    monkeypatch.setattr(gitdeps, "BOUNDS", gitdeps.BOUNDS.__class__(files=2))
    assert session.fetched() == [gitdeps.Fetched(GitDependency(URL, session.commit), {})]


def test_none_is_begun_when_the_time_is_up(session: Session) -> None:
    """Also of the two names that one dependency may have. Seen to be begun without the look at the clock."""
    assert session.fetched(tries_s=-1.0) == []


def alternates(home: Path) -> Path:
    return home / gitdeps.DB / FOLDER / "objects/info/alternates"


def test_a_session_borrows_what_the_volume_has(tmp_path: Path) -> None:
    gitdeps.lend(Tree(tmp_path), [GitDependency(URL, "a" * 40)], lambda _: "0123456789abcdef")
    assert alternates(tmp_path).read_text() == "/clauderon/cargo/git/0123456789abcdef/objects\n"
    assert git("rev-parse", "--is-bare-repository", cwd=tmp_path / gitdeps.DB / FOLDER) == "true\n"


def test_nothing_is_lent_of_a_repository_that_lacks_a_commit(tmp_path: Path) -> None:
    """Seen to be lent in part: the session then has it never whole to hand on."""
    wanted = [GitDependency(URL, "a" * 40), GitDependency(URL, "b" * 40)]
    gitdeps.lend(Tree(tmp_path), wanted, {"a" * 40: "0123456789abcdef"}.get)
    assert not (tmp_path / gitdeps.DB).exists()


def test_a_repository_that_borrows_from_a_volume_that_is_gone_is_set_aside(tmp_path: Path) -> None:
    """Seen to stay, and to lead nowhere."""
    wanted = [GitDependency(URL, "a" * 40)]
    gitdeps.lend(Tree(tmp_path), wanted, lambda _: "0123456789abcdef")
    gitdeps.lend(Tree(tmp_path), wanted, lambda _: None)
    assert not alternates(tmp_path).exists()
    gitdeps.lend(Tree(tmp_path), wanted, lambda _: "fedcba9876543210")
    assert "fedcba9876543210" in alternates(tmp_path).read_text()


def test_a_repository_of_the_sessions_own_stays(session: Session) -> None:
    """Seen to be set aside without the look at whose it is."""
    before = sorted(p.name for p in session.db.iterdir())
    gitdeps.lend(Tree(session.home), [GitDependency(URL, session.commit)], lambda _: "0123456789abcdef")
    assert sorted(p.name for p in session.db.iterdir()) == before
    assert not alternates(session.home).exists()
