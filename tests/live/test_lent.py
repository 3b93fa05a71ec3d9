"""Objects that git inside may touch: it stores only what is new, and nothing of the user's ever changes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.standins.engine import Engine
from tests.standins.repository import git

pytestmark = pytest.mark.live

FILES = 40


@pytest.fixture
def session(engine: Engine) -> Engine:
    """On a repository with a pack, a few loose objects, and one blob that nothing names."""
    engine.scripted()
    repo = engine.repo()
    for number in range(FILES):
        (repo / f"file{number}").write_text(f"packed {number}\n" * 20)
    git("add", "--all", cwd=repo)
    git("commit", "--quiet", "--message", "Packed", cwd=repo)
    git("gc", "--quiet", "--prune=now", cwd=repo)
    for number in range(FILES):
        (repo / f"loose{number}").write_text(f"loose {number}\n")
    git("add", "--all", cwd=repo)
    git("commit", "--quiet", "--message", "Loose", cwd=repo)
    (repo / "unnamed").write_text("nothing names this\n")
    git("hash-object", "-w", "unnamed", cwd=repo)
    (repo / "unnamed").unlink()
    engine.create("a")
    lent = [m for m in engine.inspect("a")["Mounts"] if m["Destination"] == "/clauderon/objects/0"]
    if lent[0]["Type"] != "volume":
        pytest.skip("this engine cannot lay an overlay over the objects")
    return engine


def stored(session: Engine) -> int:
    return int(session.inside("a", "git count-objects").split()[0])


def all_of(directory: Path) -> dict[str, tuple[Any, ...]]:
    """Every file: what it is, whose, when it was written, and its content."""
    found = {}
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        names = os.listxattr(path, follow_symlinks=False)
        mode = (status.st_mode, status.st_uid, status.st_gid)
        found[str(path)] = (*mode, status.st_mtime_ns, status.st_atime_ns, status.st_size, names, content)
    return found


def volumes(session: Engine) -> list[str]:
    label = f"label=clauderon.home={session.home.root}"
    return session.docker(
        "volume", "ls", "--quiet", "--filter", label, "--filter", "label=clauderon.lent"
    ).split()


def test_git_inside_stores_only_what_is_new(session: Engine) -> None:
    """On objects that are borrowed read-only `add --renormalize` alone stores 84 of them."""
    session.inside("a", "git add --renormalize . && git commit -q --allow-empty -m empty")
    assert stored(session) == 1
    session.inside("a", "echo more >> file3 && git add -A && git commit -q -m one")
    assert stored(session) == 4
    session.inside("a", "git checkout -q HEAD~2 -- file3 && git commit -q -m back")
    assert stored(session) == 5
    repo = session.root / "repo"
    git("tag", "later", git("commit-tree", "HEAD^{tree}", "-m", "x", cwd=repo).strip(), cwd=repo)
    session.inside("a", f"git cat-file -e {git('rev-parse', 'later', cwd=repo).strip()}")
    session.cli.ok("delete", "--force", session.name("a"))
    assert volumes(session) == []


def test_nothing_done_to_them_reaches_the_user(session: Engine) -> None:
    """Seen to fail with a read-write bind of the links in the overlay's place: packs and times are the user's own."""
    repo = session.root / "repo"
    all_of(repo / ".git/objects")  # the first look at a file sets the time of the last look
    before = all_of(repo / ".git/objects")
    session.inside(
        "a",
        r"""cd /clauderon/objects/0
        for file in pack/* ??/*; do touch -h $file; done
        for pack in pack/*.pack; do
            chmod 666 $pack; echo hostile >> $pack; cp /bin/true $pack.new; mv -f $pack.new $pack
        done
        mv pack/*.idx /tmp/; rm -f pack/*.rev; ln -s /etc/passwd pack/pack-0000.pack; ln -s / pack/away
        mkfifo pack/tmp_pack_fifo; mknod pack/null c 1 3 || :; mkdir -p info/x; echo /etc > info/alternates
        setfattr -n trusted.overlay.opaque -v y pack || :; setfattr -n user.evil -v 1 pack || :
        set -- ??; rm -rf "$1"; mv "$2" moved; chmod 0 "$3"; ln -f "$4"/* . ; chown 12345 "$5" || :
        for file in ??/*; do echo hostile > $file || :; done 2>/dev/null
        dd if=/dev/zero of=pack/pack-1111.pack bs=1k count=64 2>/dev/null
        ! umount /clauderon/objects/0 && ! mount -o remount,rw /clauderon/objects/1
        ! touch /clauderon/objects/1/x""",
    )
    assert all_of(repo / ".git/objects") == before
    git("fsck", "--strict", cwd=repo)
    for words in (("sync",), ("status",), ("diff",)):
        session.cli(*words, session.name("a"))
    session.cli.ok("stop", session.name("a"))
    session.cli.ok("delete", "--force", session.name("a"))
    assert {k: v for k, v in all_of(repo / ".git/objects").items() if k in before} == before
    assert not (session.home.root / "airlock").exists()


def test_an_object_that_is_only_in_the_upper_layer_is_not_taken(session: Engine) -> None:
    """The host looks for new objects where git puts them, and checks those; what lies here it never reads."""
    repo = session.root / "repo"
    session.inside(
        "a",
        """echo new > new && git add new && git commit -q -m new
        cd "$(git rev-parse --git-dir)/objects"
        for file in ??/*; do mkdir -p /clauderon/objects/0/${file%/*}; mv $file /clauderon/objects/0/$file; done
        git log -1 --format=%s | grep -q new""",
    )
    answer = session.cli("sync", session.name("a"))
    assert answer.status != 0
    assert "incomplete" in answer.error
    assert git("rev-parse", f"clauderon/{session.name('a')}", cwd=repo) == git("rev-parse", "main", cwd=repo)


def test_a_gc_of_the_users_while_the_session_works_takes_nothing_from_it(session: Engine) -> None:
    """What git inside did not store because it was there is there for as long as the session, and `sync` brings it
    back. Seen to fail with the overlay over the user's own directory: after the first `gc` fsck inside finds holes."""
    repo, name = session.root / "repo", session.name("a")
    session.inside("a", "git add --renormalize . && echo 'nothing names this' > same && git add same")
    assert stored(session) == 0  # it is there: nobody knows that nothing names it
    for number in range(3):
        (repo / f"more{number}").write_text(f"{number}\n")
        git("add", "--all", cwd=repo)
        git("commit", "--quiet", "--message", f"More {number}", cwd=repo)
        git("gc", "--quiet", "--prune=now", cwd=repo)
        session.inside("a", "git fsck --connectivity-only && git status --porcelain")
    session.inside("a", f"git cat-file -e {git('rev-parse', 'HEAD', cwd=repo).strip()}")
    session.cli.ok("stop", name)
    session.cli.ok("start", name)
    session.inside(
        "a", "git fsck && git commit -q -m same && git add --renormalize . && git commit -qam x --allow-empty"
    )
    session.cli.ok("sync", name)
    assert git("show", f"clauderon/{name}:same", cwd=repo) == "nothing names this\n"
    git("fsck", "--strict", cwd=repo)


def test_reconcile_removes_the_overlay_of_a_container_that_somebody_removed(session: Engine) -> None:
    session.docker("rm", "--force", session.container("a"))
    assert len(volumes(session)) == 1
    session.cli.ok("reconcile")
    assert volumes(session) == []
    session.cli.ok("start", session.name("a"))
    session.inside("a", "git add --renormalize .")
    assert stored(session) == 0
