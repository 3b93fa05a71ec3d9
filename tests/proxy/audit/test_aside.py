"""Lines of the audit by the dashboard: of everyone it turns away, but never without end, and never in the way."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest

from clauderon.paths import Home
from clauderon.proxy.audit.aside import Aside
from clauderon.proxy.audit.log import AuditLog


def lines(home: Home) -> list[dict[str, Any]]:
    return [json.loads(line) for line in home.audit.read_text().splitlines()]


def test_a_line_says_what_was_asked_and_why_it_was_refused(home: Home) -> None:
    Aside(home.audit, 3000).refused("POST", "/api/sessions", "method")
    (line,) = lines(home)
    assert (line["kind"], line["port"], line["method"], line["path"]) == (
        "dashboard",
        3000,
        "POST",
        "/api/sessions",
    )
    assert (line["rule"], line["refused"], line["status"]) == ("method", True, 403)
    assert stat.S_IMODE(home.audit.stat().st_mode) == 0o600


def test_whoever_asks_without_end_does_not_fill_the_audit(home: Home) -> None:
    aside = Aside(home.audit, 1)
    for _ in range(1000):
        aside.refused("GET", "/", "no-cookie")
    assert 50 <= len(home.audit.read_text().splitlines()) < 70
    aside._left = 1.0
    aside.refused("GET", "/", "no-cookie")
    last = json.loads(home.audit.read_text().splitlines()[-1])
    assert last["others"] >= 930


def test_lines_from_aside_are_not_cut_by_the_proxys_own(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails takes its own half away, and no line that another added meanwhile. Seen to cut it."""
    log = AuditLog(home.audit, max_bytes=1 << 20, keep=1)
    log._append(b'{"a": 1}\n')
    Aside(home.audit, 1).refused("GET", "/", "no-cookie")
    kept = home.audit.read_bytes()

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("clauderon.proxy.audit.log.os.write", full)
        with pytest.raises(OSError, match="No space"):
            log._append(b'{"b": 1}\n')
    assert home.audit.read_bytes() == kept
    log._close()


def test_a_link_in_the_audits_place_is_not_followed(home: Home) -> None:
    """Seen to be followed without O_NOFOLLOW."""
    target = home.root / "elsewhere"
    home.audit.symlink_to(target)
    Aside(home.audit, 1).refused("GET", "/", "no-cookie")
    assert not target.exists()


def test_an_audit_that_cannot_be_written_is_counted_and_told_with_the_next_line(home: Home) -> None:
    home.audit.mkdir()
    aside = Aside(home.audit, 1)
    aside.refused("GET", "/", "no-cookie")
    home.audit.rmdir()
    aside.refused("GET", "/", "no-cookie")
    assert [line.get("others") for line in lines(home)] == [1]
