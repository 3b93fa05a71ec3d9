"""What the gate counts: with CLAUDERON_REQUIRE_LIVE=1 a test that is skipped has not passed."""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest

CHECKS = Path(__file__).resolve().parent.parent.parent / "scripts" / "checks.py"


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    import sys

    spec = importlib.util.spec_from_file_location("gate_checks", CHECKS)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gate_checks", module)  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


REPORT = """<testsuites><testsuite tests="4" failures="0" errors="0" skipped="3">
<testcase classname="tests.a" name="test_ran"/>
<testcase classname="tests.a" name="test_go"><skipped message="no Go on this machine"/></testcase>
<testcase classname="tests.a" name="test_codex"><skipped message="npm is not installed"/></testcase>
<testcase classname="tests.b" name="test_engine"><skipped message="no Docker engine answers"/></testcase>
</testsuite></testsuites>"""


def test_skips_are_named_but_for_the_few_that_are_expected(checks: ModuleType) -> None:
    assert checks.skips(ElementTree.fromstring(REPORT)) == [
        "tests.a::test_codex: npm is not installed",
        "tests.b::test_engine: no Docker engine answers",
    ]


@pytest.mark.parametrize(
    ("required", "which", "counted"),
    [("1", "live", (1, 2, 1)), ("1", "not live", (1, 0, 3)), ("", "live", (1, 0, 3))],
)
def test_a_skip_is_a_failure_only_where_everything_must_run(
    checks: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    required: str,
    which: str,
    counted: tuple[int, int, int],
) -> None:
    def run(argv: list[str], **_options: object) -> tuple[int, str]:
        (tmp_path / "junit.xml").write_text(REPORT)
        return 0, ""

    monkeypatch.setattr(checks, "run", run)
    monkeypatch.setenv("CLAUDERON_REQUIRE_LIVE", required)
    tally = checks._pytest(tmp_path, "-m", which)
    assert (tally.passed, tally.failed, tally.skipped) == counted


def test_what_runs_only_once_is_there_and_is_no_test_of_tls_processes_or_the_database(
    checks: ModuleType,
) -> None:
    root = CHECKS.parent.parent
    assert [place for place in checks.ONCE if not root.joinpath(place).exists()] == []
    both = ("tests/agents", "tests/caching", "tests/cli", "tests/config", "tests/dashboard", "tests/docker", "tests/proc",
            "tests/proxy/ca", "tests/proxy/daemon", "tests/proxy/dataplane", "tests/proxy/logins", "tests/proxy/net",
            "tests/test_store.py", "tests/test_tls.py", "tests/test_ledger.py", "tests/test_filelock.py")  # fmt: skip
    assert [place for place in both if not root.joinpath(place).exists()] == []
    assert [
        one for one in checks.ONCE for place in both if f"{one}/".startswith(f"{place}/") or place == one
    ] == []


@pytest.mark.parametrize(("required", "counted"), [("1", (1, 1, 0)), ("", (1, 0, 1))])
def test_bats_that_skip_count_likewise(
    checks: ModuleType, monkeypatch: pytest.MonkeyPatch, required: str, counted: tuple[int, int, int]
) -> None:
    monkeypatch.setattr(
        checks, "run", lambda _argv, **_options: (0, "1..2\nok 1 ran\nok 2 list # skip no engine\n")
    )
    monkeypatch.setattr(checks, "tracked", lambda *_patterns: ["bats/live.bats"])
    monkeypatch.setattr(checks, "engine_version", lambda: None)
    monkeypatch.setenv("CLAUDERON_REQUIRE_LIVE", required)
    tally = checks.bats()
    assert (tally.passed, tally.failed, tally.skipped) == counted
