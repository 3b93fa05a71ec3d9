"""What one session writes into its cargo is not what another session compiles: real cargo, real containers."""

from __future__ import annotations

import json
import signal
import threading

import pytest

from tests.live.rust_engine import begin, rust, world
from tests.standins.engine import Engine
from tests.standins.repository import make_repo
from tests.standins.rust import IMAGE, World, build, crate, hits

__all__ = ["rust", "world"]
pytestmark = [pytest.mark.live, pytest.mark.slow]

CARGO = "/clauderon/home/.cargo"
EVIL = 'pub const {name}: &str = \\"EVIL\\";'
# What a hostile session does after its own build. With shared_caches = "open" the first three were seen in the next
# session's program, and the others broke its build.
POISONS = {
    "a_crate_of_the_right_name": f"""
for crate in {CARGO}/registry/cache/*/tiny-1.0.0.crate; do cat /world/evil.crate >"$crate"; done
rm -rf {CARGO}/registry/src/*/tiny-1.0.0
""",
    "an_unpacked_source": f"""
for source in {CARGO}/registry/src/*/tiny-1.0.0; do
    echo "{EVIL.format(name="TINY")}" >"$source/src/lib.rs"
    touch "$source/.cargo-ok"
done
""",
    "a_checkout_of_git": f"""
for checkout in {CARGO}/git/checkouts/other-*/*; do
    echo "{EVIL.format(name="OTHER")}" >"$checkout/src/lib.rs"
    touch "$checkout/.cargo-ok"
done
""",
    "a_repository_of_git": f"""
git clone -q /world/other /tmp/evil && cd /tmp/evil
echo "{EVIL.format(name="OTHER")}" >src/lib.rs
git -c user.name=e -c user.email=e@test commit -qam evil
for db in {CARGO}/git/db/other-*; do
    git -C /tmp/evil cat-file commit HEAD >/dev/null
    # The tree's object under the name of the true one.
    evil=$(git rev-parse HEAD:src/lib.rs) true=$(git rev-parse HEAD~1:src/lib.rs)
    cp .git/objects/"$(echo "$evil" | cut -c1-2)/$(echo "$evil" | cut -c3-)" /tmp/object
    rm -f "$db"/objects/pack/*
    git -C /world/other rev-list --objects --all | cut -d' ' -f1 | while read -r oid; do
        mkdir -p "$db/objects/$(echo "$oid" | cut -c1-2)"
        from=/world/other/.git/objects/$(echo "$oid" | cut -c1-2)/$(echo "$oid" | cut -c3-)
        [ "$oid" != "$true" ] || from=/tmp/object
        rm -f "$db/objects/$(echo "$oid" | cut -c1-2)/$(echo "$oid" | cut -c3-)"
        cp "$from" "$db/objects/$(echo "$oid" | cut -c1-2)/$(echo "$oid" | cut -c3-)"
    done
done
rm -rf {CARGO}/git/checkouts/other-*
""",
    "everything_at_once_by_links": f"""
mkdir -p /tmp/evil && cp -r {CARGO}/registry /tmp/evil/ && cp /world/evil.crate /tmp/evil/tiny-1.0.0.crate
for cache in {CARGO}/registry/cache/*; do
    rm -rf "$cache"/tiny-1.0.0.crate && ln -s /tmp/evil/tiny-1.0.0.crate "$cache/tiny-1.0.0.crate"
    mkfifo "$cache/pipe-1.0.0.crate" && ln -s / "$cache/root"
done
cat /world/evil.crate >/clauderon/home/tiny-1.0.0.crate
""",
}


@pytest.fixture
def hostile(rust: Engine, world: World) -> World:
    (world.root / "evil.crate").write_bytes(crate("tiny", 'pub const TINY: &str = "EVIL";\n'))
    rust.scripted(image=IMAGE, docker='user = "1000:1000"')
    return world


@pytest.mark.parametrize("poison", POISONS)
def test_the_next_session_compiles_nothing_of(rust: Engine, hostile: World, poison: str) -> None:
    """Seen to fail with shared_caches = "open" as the default: the next session compiled the evil crate."""
    begin(rust, "first")
    assert rust.inside("first", build()).startswith(f"{hostile.mark} {hostile.mark}\n")
    rust.inside("first", "set -e\n" + POISONS[poison])
    rust.cli.ok("delete", rust.name("first"), "--force")
    begin(rust, "second")
    said = rust.inside("second", "export RUSTC_WRAPPER=\n" + build())
    assert said.startswith(f"{hostile.mark} {hostile.mark}\n"), said


def test_no_session_writes_to_the_three_volumes(rust: Engine, hostile: World) -> None:
    """Seen to fail with writable mounts."""
    begin(rust, "first")
    mounts = {m["Name"]: m for m in rust.inspect("first")["Mounts"] if m["Type"] == "volume"}
    for name in ("clauderon-cargo-registry", "clauderon-cargo-git", "clauderon-sccache"):
        assert mounts[name]["RW"] is False, mounts
        place = mounts[name]["Destination"]
        said = rust.inside("first", f"touch {place}/x 2>&1 || mkdir {place}/y 2>&1 || :", "--user", "0")
        assert "Read-only file system" in said, said


def test_what_a_repository_compiled_is_not_what_another_links(rust: Engine, hostile: World) -> None:
    """sccache keeps a compiler's output, which nothing can verify: the volume is the repository's own.

    Seen to fail with one volume for all.
    """
    begin(rust, "first")
    assert hits(rust.inside("first", build())) == 0
    own = rust.inside("first", "echo $SCCACHE_DIR; find $SCCACHE_DIR -type f | wc -l").split()
    assert int(own[1]) > 0
    hostile.project(rust.root / "another")
    begin(rust, "second", repo="another")
    assert rust.inside("second", "find $SCCACHE_DIR -type f 2>/dev/null | wc -l") == "0"
    assert hits(rust.inside("second", build())) == 0
    begin(rust, "third")
    assert hits(rust.inside("third", build())) >= 1


def test_another_repositorys_lock_does_not_decide(rust: Engine, hostile: World) -> None:
    """A repository whose own lock names the evil content by its hash gets that, and nobody else does."""
    text = hostile.lock
    evil = World(hostile.root, hostile.mark, (hostile.root / "evil.crate").read_bytes(), hostile.commit)
    assert evil.sha256 not in text
    make_repo(rust.root / "evil", files={"Cargo.lock": evil.lock})
    begin(rust, "first", repo="evil")
    cache = rust.inside("first", f"ls -d {CARGO}/registry 2>/dev/null; mkdir -p {CARGO}/registry/cache; echo")
    assert cache.strip() in ("", f"{CARGO}/registry")
    for folder in _folders():
        rust.inside(
            "first",
            f"mkdir -p {CARGO}/registry/cache/{folder}; cp /world/evil.crate {CARGO}/registry/cache/{folder}/tiny-1.0.0.crate",
        )
    rust.cli.ok("delete", rust.name("first"), "--force")
    assert evil.sha256 in json.dumps(json.loads((rust.home.caches / "ledger.json").read_text()))
    begin(rust, "second")
    said = rust.inside("second", build())
    assert said.startswith(f"{hostile.mark} {hostile.mark}\n"), said


def _folders() -> tuple[str, ...]:
    from clauderon.caching import folders

    return folders.registry("registry+file:///world/index")


def test_a_promotion_that_is_killed_half_way_leaves_nothing_to_anybody(rust: Engine, hostile: World) -> None:
    """What was cut off lies in a directory that nothing leads to."""
    shim = rust.root / "docker"
    armed = rust.root / "armed"
    shim.write_text(
        f'#!/bin/sh\nif [ "$1" = cp ] && [ -e {armed} ]; then\n'
        f'    rm {armed}; head -c 1700 | docker "$@"; kill -9 $PPID; exit 1\nfi\nexec docker "$@"\n'
    )
    shim.chmod(0o755)
    rust.scripted(image=IMAGE, docker=f'user = "1000:1000"\ncommand = "{shim}"')
    begin(rust, "first")
    rust.inside("first", build())
    armed.touch()
    assert rust.cli("delete", rust.name("first"), "--force").status == 128 + signal.SIGKILL
    assert not (rust.home.caches / "ledger.json").exists()
    begin(rust, "second")
    # The next command finishes the delete, promotion and all; until it is whole nothing leads to it.
    links = rust.inside("second", "find /clauderon/home/.cargo -type l")
    assert bool(links) == (rust.home.caches / "ledger.json").exists()
    assert rust.inside("second", build()).startswith(f"{hostile.mark} {hostile.mark}\n")
    rust.cli.ok("delete", rust.name("second"), "--force")
    hostile.without("crates", "other")
    begin(rust, "third")
    assert rust.inside("third", build()).startswith(f"{hostile.mark} {hostile.mark}\n")


def test_two_sessions_that_end_at_once_hand_on_what_they_have(rust: Engine, hostile: World) -> None:
    words = ("first", "second")
    for word in words:
        begin(rust, word)
        rust.inside(word, build())
    ends = [
        threading.Thread(target=rust.cli.ok, args=("delete", rust.name(word), "--force")) for word in words
    ]
    for end in ends:
        end.start()
    for end in ends:
        end.join()
    hostile.without("crates", "other")
    begin(rust, "third")
    assert rust.inside("third", build()).startswith(f"{hostile.mark} {hostile.mark}\n")
    stored = json.loads((rust.home.caches / "ledger.json").read_text())
    assert sorted(len(entries) for entries in stored.values()) == [1, 1]
