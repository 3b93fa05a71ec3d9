"""Agents and a session's row, as the tests of `agents` have them."""

from __future__ import annotations

from tests.agents.conftest import agent, session

__all__ = ["agent", "session"]
