"""Rows in the database, as sessions would have left them, without an engine or a repository."""

from __future__ import annotations

from clauderon.paths import Home
from clauderon.record import Session
from clauderon.store import Store


def a_row(name: str = "one", session_id: str = "0123456789ab", *, archived: bool = False) -> Session:
    return Session(
        id=session_id, name=name, state="running", step="", port=0, repo="/none", git_dir="/none/.git",
        branch=name, base="0" * 40, agent="claude", image="x", created_at=1.0, updated_at=1.0,
        archived=archived,
    )  # fmt: skip


def a_session(home: Home, name: str, session_id: str, *, archived: bool = False) -> Session:
    with Store.open(home) as store:
        return store.add(a_row(name, session_id, archived=archived), range(3100, 3200))
