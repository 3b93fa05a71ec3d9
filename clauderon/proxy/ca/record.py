"""What is known of the CA without parsing a certificate: its dates, its fingerprints and its files' identity.

Cheap on purpose: `create` reads this every time. Nothing here reads a key.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from clauderon import files
from clauderon.paths import Home
from clauderon.proxy.ca import trust

DAY_S = 86_400
# A renewed certificate has the old key, so that containers which hold the old certificate can use it until it ends.
RENEW_BEFORE_S = 60 * DAY_S


class CaFacts(NamedTuple):
    """One CA certificate.

    fingerprint: SHA-256 of the certificate; key: SHA-256 of its public key; both hexadecimal.
    not_before, not_after: seconds since the epoch.
    earlier: every CA there was before, oldest first.
    """

    fingerprint: str
    key: str
    not_before: float
    not_after: float
    earlier: tuple[CaFacts, ...] = ()

    def outdated(self, fingerprint: str, now: float) -> bool:
        """Whether a container that was given the CA of that fingerprint needs a refresh to go on trusting us."""
        if fingerprint in ("", self.fingerprint):
            return False
        given = next((old for old in self.earlier if old.fingerprint == fingerprint), None)
        return given is None or given.key != self.key or given.not_after < now + RENEW_BEFORE_S / 2

    @property
    def renew_at(self) -> float:
        """When the certificate is to be renewed, seconds since 1970."""
        return self.not_after - RENEW_BEFORE_S


def read(home: Home) -> CaFacts | None:
    """The CA as last recorded, or None; the files are not looked at."""
    record = _load(home)
    return None if record is None else _facts(record)


def read_fresh(home: Home, now: float) -> CaFacts | None:
    """The recorded facts if every file is as it was recorded and nothing is due, else None."""
    record = _load(home)
    if record is None or record.get("files") != _files(home) or record.get("roots") != _roots_now(record):
        return None
    found = _facts(record)
    return found if found is not None and now < found.renew_at else None


def write(home: Home, facts: CaFacts, roots: Path | None) -> None:
    """Record `facts` and the present state of the published files and of the host's roots."""
    record = {
        **_plain(facts),
        "earlier": [_plain(old) for old in facts.earlier],
        "files": _files(home),
        "roots": None if roots is None else [str(roots), _state(roots)],
    }
    trust.publish(home.ca_record, json.dumps(record, indent=1).encode(), 0o644)


def _plain(facts: CaFacts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in ("fingerprint", "key", "not_before", "not_after")}


def _load(home: Home) -> dict[str, Any] | None:
    try:
        record = json.loads(files.read(home.ca_record))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _facts(record: dict[str, Any]) -> CaFacts | None:
    try:
        return _one(record, tuple(_one(old) for old in record["earlier"]))
    except (KeyError, TypeError, ValueError):
        return None


def _one(record: dict[str, Any], earlier: tuple[CaFacts, ...] = ()) -> CaFacts:
    return CaFacts(
        str(record["fingerprint"]),
        str(record["key"]),
        float(record["not_before"]),
        float(record["not_after"]),
        earlier,
    )


def _files(home: Home) -> dict[str, list[int] | None]:
    """Identity of each published file; a Java store that could not be made is None and no reason to try again."""
    paths = (home.ca_cert, home.ca_key, home.ca_bundle, home.truststore)
    return {path.name: _state(path) for path in paths}


def _state(path: Path | str) -> list[int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - the path may be a plain string from the record
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode & 0o777]


def _roots_now(record: dict[str, Any]) -> list[Any] | None:
    roots = record.get("roots")
    return [roots[0], _state(roots[0])] if isinstance(roots, list) and roots else None
