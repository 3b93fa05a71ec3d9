"""The person's time zone comes along by its name; UTC and what has no name do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.agents.environment import zone


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":Europe/Berlin", "Europe/Berlin"),
        ("/usr/share/zoneinfo/America/Argentina/Salta", "America/Argentina/Salta"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "CET-1CEST,M3.5.0,M10.5.0/3"),
        ("<+0330>-3:30", "<+0330>-3:30"),
        ("UTC", ""), ("Etc/UTC", ""), (":UTC", ""), ("/home/me/my-zone", ""), ("-v", ""), ("a b", ""), ("a\nb", ""),
    ],
)  # fmt: skip
def test_a_zone_has_a_name(given: str, passed: str, tmp_path: Path) -> None:
    assert zone({"TZ": given}, tmp_path / "none") == passed


def test_without_the_variable_the_machine_is_asked(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    assert zone({}, link) == ""
    link.write_bytes(b"TZif")
    assert zone({}, link) == ""  # a copy has no name
    link.unlink()
    link.symlink_to("../usr/share/zoneinfo/Asia/Tokyo")
    assert zone({}, link) == "Asia/Tokyo"
    assert zone({"TZ": "UTC"}, link) == ""
