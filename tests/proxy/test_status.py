"""What a running service says of itself: read whole, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from clauderon.proxy.status import ServiceStatus

SESSION: dict[str, Any] = {
    "id": "0123456789ab", "name": "fix", "port": 3100, "access_mode": "read-only", "requests": 5, "refusals": 2,
    "errors": 0, "tunnels": 3, "open_tunnels": 1, "bytes_up": 10, "bytes_down": 20, "problem": "",
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "version": "1", "pid": 2, "supervisor_pid": 1, "home": "/h", "port": 3099, "started_at": 0.0,
    "worker_started_at": 1.0, "restarts": 4, "held": {"github": "env GITHUB_TOKEN"}, "lacking": ["x"],
    "problems": [], "listeners": ["127.0.0.1:3099"], "ca_fingerprint": "ab", "ca_not_after": 86400.0,
    "audit_dropped": 0, "audit_problem": "", "sessions": [SESSION, {**SESSION, "name": "more", "requests": 1}],
}  # fmt: skip


def test_sums_are_of_all_sessions_and_the_pid_is_of_the_process_that_stays() -> None:
    row = ServiceStatus.from_json(ANSWER).row()
    assert (row["requests"], row["refusals"], row["bytes_up"], row["bytes_down"]) == (6, 4, 20, 40)
    assert (row["pid"], row["worker_pid"], row["ca_expires"]) == (1, 2, "1970-01-02")
    assert [session["name"] for session in row["sessions"]] == ["fix", "more"]


def test_a_status_of_a_newer_version_is_read() -> None:
    assert ServiceStatus.from_json({**ANSWER, "colour": "red"}) == ServiceStatus.from_json(ANSWER)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {key: value for key, value in ANSWER.items() if key != "listeners"},
        {**ANSWER, "sessions": [{"id": "x"}]},
        {**ANSWER, "sessions": None},
        {**ANSWER, "sessions": [{**SESSION, "colour": "red"}]},
    ],
)
def test_what_is_no_status_is_a_value_error(answer: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ServiceStatus.from_json(answer)
