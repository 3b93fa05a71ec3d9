"""Records of the audit, as the tests make them."""

from __future__ import annotations

from clauderon.proxy.audit.record import AuditRecord


def record(number: int = 0, session: str = "one", **changes: object) -> AuditRecord:
    base = AuditRecord(
        time=1_700_000_000.25,
        kind="request",
        session=f"id-{session}",
        session_name=session,
        host="api.anthropic.com",
        port=443,
        method="POST",
        path=f"/v1/{number}",
        status=200,
        bytes_up=1,
        bytes_down=2,
        duration=0.0123,
        rule="open",
    )
    return base._replace(**changes)  # type: ignore[arg-type]
