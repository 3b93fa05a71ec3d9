"""What the audit is told of one request. A value; nothing in it may hold a secret."""

from __future__ import annotations

from typing import NamedTuple


class AuditRecord(NamedTuple):
    """One line of the audit. The path has no query.

    time: seconds since the epoch at the request's start; duration: seconds.
    kind: `request`, `tunnel` (raw: passthrough, main port), `upgrade` or `connection` (no request was understood).
    status: what the client was answered, 0 if it left before there was a status.
    rule: the rule that decided (`allow *.github.com`, `deny x`, `read-only`, `open`, `address-guard`, ...).
    refused: by us, by policy; `error` names a failure that is not policy (`upstream-tls`, `upstream-reset`, ...).
    """

    time: float
    kind: str
    session: str
    session_name: str
    host: str
    port: int
    method: str
    path: str
    status: int
    bytes_up: int
    bytes_down: int
    duration: float
    rule: str
    credential: str | None = None
    refused: bool = False
    upgrade: str | None = None
    error: str | None = None
