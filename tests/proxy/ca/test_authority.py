"""The certificate authority: what is on disk, what clients accept, and how it ages."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.proxy.ca import authority, leaves
from tests.proxy.ca.handshakes import handshake, trusting
from tests.transcripts.scenario import RECORDINGS

DAY_S = 86_400


def test_files_have_their_modes_whatever_the_umask(home: Home) -> None:
    before = os.umask(0o077)
    try:
        authority.ensure(home)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.root.iterdir() if path.is_file()}
    assert modes == {
        "proxy-ca.pem": 0o644,
        "proxy-ca-key.pem": 0o600,
        "proxy-ca.json": 0o644,
        "ca-bundle.pem": 0o644,
        "truststore.p12": 0o644,
    }


def test_the_key_is_never_mounted() -> None:
    """Nor what else is the host's alone, nor a directory above: in every `docker run` there is a recording of."""
    home = Home(Path("<WORK>/user/.clauderon"))
    private = (home.ca_key, home.control_socket, home.secrets, home.database)
    mounted: list[Path] = []
    for recording in sorted(RECORDINGS.iterdir()):
        # A long command line is written an option a line, a long word in pieces.
        whole = recording.read_text().replace("\n+ ", "").replace("\n> ", " ")
        for line in whole.splitlines():
            if re.match(r"\$ docker (\S+ )*run ", line):
                found = re.findall(r"type=bind,source=([^,\s']+)", line) + re.findall(
                    r" -v '?(/[^:\s]+):", line
                )
                mounted += map(Path, found)
    assert home.ca_cert in mounted, "the recordings are read as they are written now"
    assert [
        (path, file) for path in mounted for file in private if path == file or path in file.parents
    ] == []


def test_the_key_is_private_from_its_first_instant(home: Home) -> None:
    seen: list[int] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        # Before every call that could show an intermediate state, look at what is there.
        if watching and event in ("open", "os.rename", "os.chmod", "os.remove"):
            for path in home.root.glob("*key*"):
                seen.append(stat.S_IMODE(os.lstat(path).st_mode))
            for path in home.root.glob(".*key*"):
                seen.append(stat.S_IMODE(os.lstat(path).st_mode))

    watching = True
    before = os.umask(0)
    sys.addaudithook(watch)
    try:
        authority.ensure(home)
    finally:
        watching = False
        os.umask(before)
    assert seen
    assert set(seen) == {0o600}


def test_ensure_again_changes_nothing_and_imports_nothing(made: Home) -> None:
    before = {path: path.stat() for path in made.root.iterdir() if path.is_file()}
    authority.ensure(made)
    assert {path: path.stat() for path in before} == before
    script = (
        "import sys; from pathlib import Path; from clauderon.paths import Home; from clauderon.proxy.ca import authority\n"
        "authority.ensure(Home(Path(sys.argv[1])))\n"
        "print(sorted({'trustme', 'cryptography', 'ssl', 'aiohttp', 'asyncio'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, str(made.root)], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "[]\n"


@pytest.mark.parametrize(
    "damage", ["proxy-ca-key.pem", "proxy-ca.pem", "proxy-ca.json", "ca-bundle.pem", "truststore.p12"]
)
@pytest.mark.parametrize("how", ["truncate", "remove", "garbage"])
def test_damaged_files_are_mended(made: Home, damage: str, how: str) -> None:
    path = made.root / damage
    if how == "remove":
        path.unlink()
    else:
        path.write_bytes(b"" if how == "truncate" else b"garbage")
    authority.ensure(made)
    handshake(leaves.Authority.load(made), "a.example.com", trusting(made))
    assert made.ca_cert.read_bytes() in made.ca_bundle.read_bytes()
    assert made.truststore.stat().st_size > 100


def test_a_key_others_can_read_is_closed_again(made: Home) -> None:
    made.ca_key.chmod(0o644)
    authority.ensure(made)
    assert stat.S_IMODE(made.ca_key.stat().st_mode) == 0o600


def test_an_expired_ca_is_renewed(made: Home) -> None:
    first = authority.ensure(made)
    second = authority.ensure(made, now=first.not_after + DAY_S)
    assert second.not_after > first.not_after + DAY_S


def test_two_first_commands_make_one_ca(home: Home) -> None:
    barrier = threading.Barrier(6)
    found = []

    def make() -> None:
        barrier.wait()
        found.append(authority.ensure(home))

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({facts.fingerprint for facts in found}) == 1
