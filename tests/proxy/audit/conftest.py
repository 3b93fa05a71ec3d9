"""Fixtures of the audit's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon.proxy.audit.log import AuditLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    directory.mkdir()
    return directory / "audit.jsonl"


@pytest.fixture
def log(path: Path) -> Iterator[AuditLog]:
    made = AuditLog(path, max_bytes=1 << 20, keep=3)
    made.start()
    yield made
    made.stop()
