"""git, as typed verbs: an argv builder, a parser and a call each. No policy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clauderon.git.call import CheckoutGit as CheckoutGit
    from clauderon.git.call import Git as Git
    from clauderon.git.call import common_dir_at as common_dir_at
    from clauderon.git.call import version as version
    from clauderon.git.environment import environment as environment
    from clauderon.git.repository import Remote as Remote
    from clauderon.git.repository import Repository as Repository
    from clauderon.git.repository import remotes_read as remotes_read
    from clauderon.git.repository import repository_read as repository_read

# Loaded when first asked for: only `create` and its like read a whole repository.
_ROOMS = {
    "CheckoutGit": "call",
    "Git": "call",
    "Remote": "repository",
    "Repository": "repository",
    "common_dir_at": "call",
    "environment": "environment",
    "remotes_read": "repository",
    "repository_read": "repository",
    "version": "call",
}


def __getattr__(name: str) -> Any:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(name)
    return getattr(import_module(f"clauderon.git.{room}"), name)
