"""What `http://host:3030/` says to anybody who can reach it. Must say nothing about sessions."""

from __future__ import annotations

from collections.abc import Mapping

from clauderon import __version__


def health() -> Mapping[str, object]:
    """That the service runs, and its version."""
    return {"status": "ok", "service": "clauderon-proxy", "version": __version__}
