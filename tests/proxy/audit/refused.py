"""Refusals written to an audit, and what is read back of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clauderon.proxy.audit import log as audit
from clauderon.proxy.audit.log import AuditLog
from clauderon.proxy.audit.reader import read
from clauderon.proxy.audit.record import AuditRecord

REFUSED: dict[str, Any] = {"refused": True, "status": 403, "rule": "not allowed"}


def _written(
    path: Path, records: Iterator[AuditRecord] | list[AuditRecord], **limits: int
) -> list[dict[str, Any]]:
    """What is read back of what was written, in batches as the thread finds them."""
    log = AuditLog(path, **{"max_bytes": 1 << 26, "keep": 4, **limits})
    for number, each in enumerate(records):
        log.write(each._replace(time=time.time()))
        if number % 50 == 0:
            log._drain()
    log._drain(everything=True)
    log._close()
    return list(read(path))


def _files(path: Path) -> list[Path]:
    return [path, *audit.rotated_paths(path)]
