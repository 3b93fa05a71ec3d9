"""From a session that ended into the shared volumes: cut off anywhere, beside another, and against its will."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clauderon import confined
from clauderon.caching import crates, folders, gitdeps, ledger, lending, lockfile, wanted
from clauderon.docker.parse import Objects, Volume
from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session import promotion, volumes
from tests.caching.test_gitdeps import URL
from tests.caching.test_gitdeps import Session as Cargo
from tests.standins.repository import git
from tests.standins.sessions import a_session

IO = "registry+https://github.com/rust-lang/crates.io-index"
GOOD = {f"c{number}": f"crate {number}".encode() for number in range(3)}
SUMS = {name: hashlib.sha256(content).hexdigest() for name, content in GOOD.items()}
IDS = {volumes.REGISTRY: "registry-id", volumes.GIT: "git-id"}


class Killed(BaseException):
    """The end of the process, at the step that raises it."""


class Engine:
    """Volumes as directories; `steps` is called before whatever the engine is asked for."""

    def __init__(self, root: Path, steps: Callable[[str], None]) -> None:
        self.root = root
        self.steps = steps
        self.mounted: dict[str, str] = {}

    def inspect(self, *names: str) -> Objects:
        self.steps("inspect")
        found = (Volume(n, "", {volumes.VERIFIED_LABEL: IDS[n]}, "local", {}) for n in names if n in IDS)
        return Objects(volumes=tuple(found))

    def run(self, *_words: str, **_options: Any) -> None:
        self.steps("create")

    def copy_into(self, _container: str, directory: str, archive: bytes) -> None:
        self.steps("copy")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for entry in tar:
                self.steps("copying")
                tar.extract(entry, self.root / Path(directory).name, **_AS_DATA)

    def container_remove(self, _name: str) -> None:
        self.steps("remove")


# Python has filters since 3.11.4, and wants one named since 3.12.
_AS_DATA: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


class Stage:
    """A home and its engine; `cargo` makes a session that fetched all that its lock names."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = Home(root / "state")
        self.home.create()
        self.steps: Callable[[str], None] = lambda _step: None
        self.said: list[str] = []

    def context(self) -> Any:
        docker = Engine(self.root / "volumes", lambda step: self.steps(step))
        # Shown on a machine that is busy.
        bar = SimpleNamespace(update=lambda **_: None)
        progress = contextlib.nullcontext(bar)
        report = SimpleNamespace(
            note=self.said.append, warn=self.said.append, progress=lambda _title: progress
        )
        store = SimpleNamespace(keep_fact=lambda *_: None)
        config = SimpleNamespace(docker=SimpleNamespace(shared_caches="verified"))
        return SimpleNamespace(
            home=self.home, docker=docker, report=report, store=store, config=config, environ=os.environ
        )

    def cargo(self, name: str, session_id: str, *, with_git: bool = True) -> Session:
        row = a_session(self.home, name, session_id)
        lock = "".join(
            f'[[package]]\nname = "{n}"\nversion = "1.0.0"\nsource = "{IO}"\nchecksum = "{s}"\n'
            for n, s in SUMS.items()
        )
        cache = self.home.session_home(session_id) / crates.CACHE / folders.registry(IO)[0]
        cache.mkdir(parents=True)
        for crate, content in GOOD.items():
            (cache / f"{crate}-1.0.0.crate").write_bytes(content)
        if with_git:
            made = Cargo(self.root / name)
            lock += f'[[package]]\nname = "g"\nversion = "1.0.0"\nsource = "git+{URL}#{made.commit}"\n'
            db = self.home.session_home(session_id) / gitdeps.DB
            db.parent.mkdir(parents=True)
            (made.home / gitdeps.DB).rename(db)
        worktree = self.root / f"worktree-{name}"
        worktree.mkdir()
        (worktree / "Cargo.lock").write_text(lock)
        wanted.remember(self.home, session_id, worktree)
        return row

    def handed_on(self) -> set[str]:
        """The contents that are recorded, each of them looked at: whole, and what its name says."""
        found = set()
        for volume, identity in IDS.items():
            for content, (folder, _) in ledger.read(self.home).of(identity).items():
                place = self.root / "volumes" / volume / folder
                if volume == volumes.REGISTRY:
                    data = (place / f"{content}.crate").read_bytes()
                    assert hashlib.sha256(data).hexdigest() == content
                else:
                    bare = self.root / "bare"
                    git("init", "--quiet", "--bare", str(bare), cwd=self.root)
                    (bare / "objects/info/alternates").write_text(f"{place}/objects\n")
                    assert git("show", f"{content}:src/lib.rs", cwd=bare) == "good\n"
                found.add(content)
        return found


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def _killed_at(number: int) -> Callable[[str], None]:
    left = iter(range(number))

    def step(_name: str) -> None:
        if next(left, None) is None:
            raise Killed

    return step


def test_a_promotion_that_is_killed_at_any_step_leaves_only_what_is_whole(stage: Stage) -> None:
    """Seen to fail with the record written before the copy."""
    row = stage.cargo("one", "0123456789ab")
    everything = {*SUMS.values(), *(each.commit for each in wanted.recall(stage.home, row.id).git)}
    for number in range(200):
        stage.steps = _killed_at(number)
        (stage.home.caches / "ledger.json").unlink(missing_ok=True)
        try:
            promotion.promote(stage.context(), row)
        except Killed:
            assert stage.handed_on() <= everything
        else:
            assert number > 10, "every step was a place to be killed at"
            assert stage.handed_on() == everything
            break
    assert sorted(p.name for p in stage.home.caches.iterdir()) == ["0123456789ab.wanted.json", "ledger.json"]


def test_what_a_killed_command_left_to_look_through_goes_with_the_next(stage: Stage) -> None:
    """Half a gigabyte of a hostile repository's objects. Seen to stay, under a name that nobody knew."""
    row = stage.cargo("one", "0123456789ab")
    left = wanted.scratch_of(stage.home, row.id)
    (left / "tmp1").mkdir(parents=True)
    promotion.promote(stage.context(), row)
    assert not left.exists()


def test_two_sessions_that_end_at_once_hand_each_content_on_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to be lost from the record without the lock, and to be written twice without the second look."""
    fetched, together = crates.fetched, threading.Barrier(4)

    def at_once(*words: Any) -> Iterator[tuple[str, bytes]]:
        together.wait(30)
        return fetched(*words)

    monkeypatch.setattr(crates, "fetched", at_once)
    rows = [stage.cargo(name, f"{number:012x}", with_git=False) for number, name in enumerate("abcd")]
    ends = [threading.Thread(target=promotion.promote, args=(stage.context(), row)) for row in rows]
    for end in ends:
        end.start()
    for end in ends:
        end.join()
    assert stage.handed_on() == set(SUMS.values())
    assert len(list((stage.root / "volumes" / volumes.REGISTRY).iterdir())) == 1


def test_a_session_that_takes_long_to_look_through_holds_up_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two minutes of a hostile repository. Seen to wait for it, and then to hand nothing on, with one lock for all."""
    slow, quick = stage.cargo("slow", "0123456789ab"), stage.cargo("quick", "ba9876543210", with_git=False)
    looking, over = threading.Event(), threading.Event()

    def fetched(*_: Any, **__: Any) -> Iterator[Any]:
        looking.set()
        over.wait(30)
        return iter(())

    monkeypatch.setattr(gitdeps, "fetched", fetched)
    wanted._write(stage.home, slow.id, wanted.recall(stage.home, slow.id)._replace(crates=()))
    first = threading.Thread(target=promotion.promote, args=(stage.context(), slow))
    first.start()
    assert looking.wait(30)
    monkeypatch.undo()
    try:
        promotion.promote(stage.context(), quick)
        assert first.is_alive()
        assert stage.handed_on() == set(SUMS.values())
    finally:
        over.set()
        first.join()


@pytest.mark.parametrize(
    "error", [BackendError("docker cp", "no space left on device"), OSError(28, "full"), ValueError()]
)
def test_a_failure_is_said_and_keeps_no_session_from_ending(stage: Stage, error: Exception) -> None:
    """A full disk, and what a hostile home makes our own code raise. Seen to keep `delete` from going on."""
    row = stage.cargo("one", "0123456789ab")

    def step(name: str) -> None:
        if name == "copying":
            raise error

    stage.steps = step
    promotion.promote(stage.context(), row)
    assert stage.said and stage.said[0].startswith("nothing more of one was added to the shared caches: ")
    assert stage.handed_on() == set()
    stage.steps = lambda _step: None
    promotion.promote(stage.context(), row)
    assert set(SUMS.values()) < stage.handed_on()


def test_what_is_too_large_to_look_through_is_looked_through_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to be tried again at each stop."""
    row = stage.cargo("one", "0123456789ab")
    monkeypatch.setattr(gitdeps, "BOUNDS", gitdeps.BOUNDS.__class__(files=2))
    promotion.promote(stage.context(), row)
    assert wanted.recall(stage.home, row.id).git == ()
    assert stage.handed_on() == set(SUMS.values())


def test_a_volume_that_was_removed_meanwhile_is_not_made_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docker makes one without our label, which no session would use. Seen to be made without the second look."""
    row = stage.cargo("one", "0123456789ab", with_git=False)
    fetched = crates.fetched

    def removed(*words: Any) -> Iterator[tuple[str, bytes]]:
        monkeypatch.setitem(IDS, volumes.REGISTRY, "another")
        return fetched(*words)

    monkeypatch.setattr(crates, "fetched", removed)
    promotion.promote(stage.context(), row)
    assert stage.handed_on() == set()
    assert not (stage.root / "volumes").exists()


@pytest.mark.parametrize("bound", ["VOLUME_BYTES", "VOLUME_CONTENTS"])
def test_a_full_volume_is_said(stage: Stage, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    row = stage.cargo("one", "0123456789ab", with_git=False)
    monkeypatch.setattr(promotion, bound, 0)
    promotion.promote(stage.context(), row)
    assert stage.said == ["The shared caches are full. To begin anew: clauderon clean-cache"]
    assert stage.handed_on() == set()


def test_another_repositorys_lock_does_not_decide(stage: Stage) -> None:
    """Content that one lock names under a good crate's name goes to whoever names its hash, and to nobody else.

    Seen to fail when a crate was looked for in the volume by anything but its hash.
    """
    evil = hashlib.sha256(b"evil").hexdigest()
    row = stage.cargo("evil", "0123456789ab", with_git=False)
    named = wanted.recall(stage.home, row.id)
    wanted._write(stage.home, row.id, named._replace(crates=(named.crates[0]._replace(sha256=evil),)))
    cache = stage.home.session_home(row.id) / crates.CACHE / folders.registry(IO)[0]
    (cache / "c0-1.0.0.crate").write_bytes(b"evil")
    promotion.promote(stage.context(), row)
    assert list(ledger.read(stage.home).of("registry-id")) == [evil]
    good = stage.cargo("good", "ba9876543210", with_git=False)
    tree = confined.Tree(stage.root / "next")
    assert {crate.sha256 for crate in wanted.recall(stage.home, good.id).crates} == set(SUMS.values())
    lending.lend(stage.home, good.id, tree, registry="registry-id", git="git-id")
    assert not (stage.root / "next").exists()


def test_a_lock_that_names_what_is_no_url_keeps_nothing_from_going_on(stage: Stage) -> None:
    """Seen to raise from `create`, `stop` and `delete` alike, with the URL's parser asked as it is."""
    row = stage.cargo("one", "0123456789ab", with_git=False)
    named = wanted.recall(stage.home, row.id)
    bad = lockfile.GitDependency("https://[x", "a" * 40)
    wanted._write(stage.home, row.id, named._replace(git=(bad,)))
    lending.lend(stage.home, row.id, confined.Tree(stage.root / "home"), registry="registry-id", git="git-id")
    promotion.promote(stage.context(), row)
    assert stage.said == []
    assert stage.handed_on() == set(SUMS.values())
