"""The roots of the host together with our CA, in the forms that tools in a container read."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from clauderon.paths import Home
from clauderon.proxy.ca import authority, trust


def test_the_bundle_holds_the_hosts_roots_and_follows_them(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = tmp_path / "roots.pem"
    other = Home(tmp_path / "other")
    authority.ensure(other)
    roots.write_bytes(b"# a comment\n" + other.ca_cert.read_bytes())
    monkeypatch.setattr(trust, "KNOWN_BUNDLES", (str(roots),))
    authority.ensure(home)
    assert len(trust.certificates(home.ca_bundle.read_bytes())) == 2
    roots.write_bytes(other.ca_cert.read_bytes() * 2)
    authority.ensure(home)
    assert len(trust.certificates(home.ca_bundle.read_bytes())) == 3


def test_a_host_without_roots_gets_a_bundle_of_our_ca_alone(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "system_roots", lambda: None)
    authority.ensure(home)
    assert home.ca_bundle.read_bytes() == home.ca_cert.read_bytes()


@pytest.mark.skipif(shutil.which("keytool") is None, reason="no keytool")
def test_keytool_reads_the_java_store(made: Home) -> None:
    argv = ["keytool", "-list", "-keystore", str(made.truststore), "-storepass", "changeit"]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer
    count = len(trust.certificates(made.ca_bundle.read_bytes()))
    assert f"contains {count} entries" in answer.stdout
