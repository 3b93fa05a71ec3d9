"""The certificate authority: what is on disk, what clients accept, and how it ages."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509

from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.proxy.ca import authority, leaves
from clauderon.proxy.ca import record as ca_record
from tests.proxy.ca.handshakes import STRICT, handshake, trusting
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
        for line in recording.read_text().splitlines():
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


def test_the_ca_is_valid_from_yesterday_for_two_years_and_signs_nothing_but_leaves(made: Home) -> None:
    certificate = x509.load_pem_x509_certificate(made.ca_cert.read_bytes())
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime.days == 731
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value.ca
    assert constraints.value.path_length == 0


def test_renewal_comes_in_time_and_keeps_the_key(made: Home) -> None:
    first = authority.ensure(made)
    due = first.not_after - ca_record.RENEW_BEFORE_S
    assert authority.ensure(made, now=due - 1).fingerprint == first.fingerprint
    renewed = authority.ensure(made, now=due + 1)
    assert renewed.key == first.key
    assert renewed.not_after > first.not_after
    # Containers that hold the old certificate go on until it is about to expire.
    assert not renewed.outdated(first.fingerprint, due)
    assert renewed.outdated(first.fingerprint, first.not_after - DAY_S)


def test_a_leaf_of_the_renewed_ca_verifies_against_the_old_certificate(made: Home) -> None:
    old_cert = made.root / "old-container.pem"
    shutil.copy(made.ca_cert, old_cert)
    before = authority.ensure(made)
    made.ca_cert.unlink()  # made anew for the same key, as a renewal does
    after = authority.ensure(made)
    assert (after.key, after.fingerprint != before.fingerprint) == (before.key, True)
    context = ssl.create_default_context(cafile=str(old_cert))
    context.verify_flags |= STRICT
    handshake(leaves.Authority.load(made), "a.example.com", context)


def test_a_lost_key_means_a_new_ca_and_every_container_needs_a_refresh(made: Home) -> None:
    first = authority.ensure(made)
    made.ca_key.unlink()
    second = authority.ensure(made)
    assert second.key != first.key
    assert second.outdated(first.fingerprint, time.time())
    assert not second.outdated(second.fingerprint, time.time())
    assert second.outdated("never seen", time.time())


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


def test_a_clock_before_the_ca_is_reported(made: Home) -> None:
    with pytest.raises(BackendError, match="clock"):
        authority.ensure(made, now=time.time() - 30 * DAY_S)


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
