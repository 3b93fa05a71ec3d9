"""What the shared volumes are for: what one session's cargo fetched and sccache compiled, the next one has."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

from tests.standins.engine import Engine

pytestmark = [pytest.mark.live, pytest.mark.slow]

IMAGE = "clauderon-test:rust"
IMAGES = Path(__file__).resolve().parent.parent.parent / "scripts" / "images"
# A download of 150 MB, and unpacking it; once a machine.
IMAGE_TIMEOUT_S = 420


@pytest.fixture
def rust(engine: Engine) -> Engine:
    """An engine with the image, which is made when it is first asked for, by one test at a time."""
    lock = Path(tempfile.gettempdir()) / f"clauderon-test-rust-{os.getuid()}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        subprocess.run([IMAGES, "rust"], env=engine.environ, check=True, timeout=IMAGE_TIMEOUT_S)
    return engine


def crate(name: str, body: str) -> bytes:
    """`NAME-1.0.0.crate`, as a registry has it."""
    archive = io.BytesIO()
    manifest = f'[package]\nname = "{name}"\nversion = "1.0.0"\nedition = "2021"\n'
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for path, text in (("Cargo.toml", manifest), ("src/lib.rs", body)):
            entry = tarfile.TarInfo(f"{name}-1.0.0/{path}")
            entry.size, entry.mode = len(text), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    return archive.getvalue()


def sources(mark: str) -> str:
    """A shell script: a registry and a repository that exist in this container alone. mark: in every name."""
    packed = crate("tiny", f'pub const TINY: &str = "{mark}";\n')
    index = (
        f'{{"name":"tiny","vers":"1.0.0","deps":[],"cksum":"{hashlib.sha256(packed).hexdigest()}",'
        '"features":{},"yanked":false}'
    )
    return f"""set -e
mkdir -p /tmp/crates /tmp/index-{mark}/ti/ny /tmp/git-{mark}/src
printf '%s' '{packed.hex()}' | python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' \
    >/tmp/crates/tiny-1.0.0.crate
cd /tmp/index-{mark}
printf '{{"dl":"file:///tmp/crates/{{crate}}-{{version}}.crate"}}\\n' >config.json
printf '%s\\n' '{index}' >ti/ny/tiny
git init -q && git add . && git -c user.name=t -c user.email=t@test commit -q -m index
cd /tmp/git-{mark}
printf '[package]\\nname = "other"\\nversion = "0.1.0"\\nedition = "2021"\\n' >Cargo.toml
printf 'pub const OTHER: &str = "{mark}";\\n' >src/lib.rs
git init -q && git add . && git -c user.name=t -c user.email=t@test commit -q -m other
"""


def build(mark: str, *flags: str) -> str:
    """A shell script: a program of two dependencies, built, run, and what sccache has to say."""
    return f"""set -e
export CARGO_TARGET_DIR=/tmp/target
mkdir -p /workspace/app/src /workspace/app/.cargo
cd /workspace/app
printf '[registries.local]\\nindex = "file:///tmp/index-{mark}"\\n' >.cargo/config.toml
cat >Cargo.toml <<'T'
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[dependencies]
tiny = {{ version = "1", registry = "local" }}
other = {{ git = "file:///tmp/git-{mark}" }}
T
printf 'fn main() {{ println!("{{}} {{}}", tiny::TINY, other::OTHER); }}\\n' >src/main.rs
cargo build -q {" ".join(flags)}
/tmp/target/debug/app
sccache --show-stats
"""


def hits(stats: str) -> int:
    found = re.search(r"^Cache hits +(\d+)$", stats, re.MULTILINE)
    assert found is not None, stats
    return int(found[1])


@pytest.mark.parametrize("user", ["0:0", "1000:1000"])
def test_the_next_session_builds_without_the_network_from_what_the_last_one_left(
    rust: Engine, user: str
) -> None:
    rust.scripted(image=IMAGE, docker=f'user = "{user}"')
    rust.repo()
    mark, uid = rust.prefix, user.partition(":")[0]
    rust.create("first")
    rust.inside("first", sources(mark))
    said = rust.inside("first", build(mark))
    assert said.startswith(f"{mark} {mark}\n") and hits(said) == 0, said
    rust.cli.ok("delete", rust.name("first"), "--force")

    rust.create("second")
    assert rust.inside("second", "id -u; ls -d /tmp/index* /tmp/git* 2>/dev/null || :") == uid
    said = rust.inside("second", build(mark, "--offline"))
    assert said.startswith(f"{mark} {mark}\n"), said
    assert hits(said) == 2, said
    # What a registry's directory is called is a hash; what lies in it is told by the mark.
    source = rust.inside("second", f"grep -rl {mark} /clauderon/cargo/registry/{uid}/src")
    registry = source.split("/")[6]
    kept = rust.inside(
        "second",
        f"cd /clauderon && ls cargo/registry/{uid}/cache/{registry} cargo/git/{uid}/db/ && "
        f"ls -A cargo/registry/{uid} && find sccache/{uid} -type f | head -n 1",
    )
    assert "tiny-1.0.0.crate" in kept and f"git-{mark}-" in kept
    assert ".package-cache" in kept.split() and f"sccache/{uid}/" in kept
    rust.inside(
        "second",
        f"cd /clauderon/cargo && rm -rf registry/{uid}/*/{registry} git/{uid}/*/git-{mark}-*",
    )
