"""The roots that upstreams are verified against are those on the disk, also when they change under a running service."""

from __future__ import annotations

from pathlib import Path

import trustme

from tests.proxy.service_rig import Service, Upstream, eventually


def test_another_content_of_upstream_ca_holds_within_seconds(
    pointed: Service, echo: Upstream, tmp_path: Path
) -> None:
    """The name in config.toml stays; a root that was withdrawn is trusted no more."""
    ours, other = echo.ca_file.read_bytes(), trustme.CA().cert_pem.bytes()
    session = pointed.session("one")
    pointed.ensure()

    def status() -> int:
        return pointed.request(session, "plain.test")[0]

    assert status() == 200
    echo.ca_file.write_bytes(other)
    eventually(lambda: status() == 502, "the upstream is trusted no more")
    beside = tmp_path / "beside.pem"
    beside.write_bytes(ours)
    beside.replace(echo.ca_file)
    eventually(lambda: status() == 200, "the upstream is trusted again")
    echo.ca_file.write_bytes(b"no certificate")
    (problem,) = eventually(lambda: pointed.status().problems, "it is a problem")
    assert "upstream_ca" in problem and status() == 200
