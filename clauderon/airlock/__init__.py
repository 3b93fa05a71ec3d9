"""The git airlock: a private git directory for the container, and the way back for objects and one branch.

Everything in the private directory is the container's to forge, also while it is being read here; no git process
of the host ever runs with it as its git directory. See docs/airlock.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clauderon.airlock.autorun import autorun_said as autorun_said
    from clauderon.airlock.closing import close as close
    from clauderon.airlock.ignoring import ignored as ignored
    from clauderon.airlock.ignoring import keep_ignored as keep_ignored
    from clauderon.airlock.ignoring import keeps_ignored as keeps_ignored
    from clauderon.airlock.lent import link_objects as link_objects
    from clauderon.airlock.merging import Merged as Merged
    from clauderon.airlock.merging import is_half_merged as is_half_merged
    from clauderon.airlock.merging import killed as killed
    from clauderon.airlock.merging import merge as merge
    from clauderon.airlock.merging import undo_killed as undo_killed
    from clauderon.airlock.private import make_private as make_private
    from clauderon.airlock.private import mounts as mounts
    from clauderon.airlock.private import refuse_closed_objects as refuse_closed_objects
    from clauderon.airlock.private import tracks as tracks
    from clauderon.airlock.private_refs import tip as tip
    from clauderon.airlock.removal import remove_tree as remove_tree
    from clauderon.airlock.rescuing import rescue as rescue
    from clauderon.airlock.status import State as State
    from clauderon.airlock.status import diff as diff
    from clauderon.airlock.status import state as state
    from clauderon.airlock.status import unpushed as unpushed
    from clauderon.airlock.syncing import SyncResult as SyncResult
    from clauderon.airlock.syncing import is_half_done as is_half_done
    from clauderon.airlock.syncing import sync as sync
    from clauderon.airlock.worktree import open_worktree as open_worktree
    from clauderon.airlock.worktree import start_worktree as start_worktree

# Loaded when first asked for: `create` needs two of these, `list` none.
_ROOMS = {
    "Merged": "merging",
    "State": "status",
    "SyncResult": "syncing",
    "autorun_said": "autorun",
    "close": "closing",
    "diff": "status",
    "ignored": "ignoring",
    "keep_ignored": "ignoring",
    "keeps_ignored": "ignoring",
    "make_private": "private",
    "is_half_merged": "merging",
    "killed": "merging",
    "merge": "merging",
    "undo_killed": "merging",
    "link_objects": "lent",
    "mounts": "private",
    "open_worktree": "worktree",
    "remove_tree": "removal",
    "refuse_closed_objects": "private",
    "rescue": "rescuing",
    "start_worktree": "worktree",
    "state": "status",
    "is_half_done": "syncing",
    "sync": "syncing",
    "tip": "private_refs",
    "tracks": "private",
    "unpushed": "status",
}


def __getattr__(name: str) -> Any:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(name)
    return getattr(import_module(f"clauderon.airlock.{room}"), name)
