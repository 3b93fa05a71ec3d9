"""One branch tip and what it needs, from the private directory into the user's repository; no ref is touched."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from clauderon.airlock.carry import Carried, carry
from clauderon.airlock.layout import HostSide
from clauderon.airlock.lent import sources
from clauderon.airlock.private_refs import Inside
from clauderon.airlock.quarantine import Quarantine
from clauderon.errors import BackendError
from clauderon.git.alternates import alternates
from clauderon.git.call import TIMEOUT_S, Git, Running, operand
from clauderon.git.environment import offline, untrusting
from clauderon.git.settings import Settings
from clauderon.record import Session


def bring(
    inside: Inside,
    side: HostSide,
    common_dir: Path,
    session: Session,
    env: Mapping[str, str],
    *,
    new: str,
    known: Iterable[str],
    settings: Settings,
    planted: Collection[str] = (),
) -> tuple[Carried, tuple[str, ...]]:
    """Carry commit `new`; returns what came, and sentences for a person. Raises as `carry` and `Quarantine.mirror` do.

    known: commits that the repository has beside its branches.
    planted: paths at which a planted repository may come along.
    """
    what = f"sync {session.name}"
    partial = bool(settings.promisor)
    quarantine = Quarantine(side, common_dir=common_dir, env=env, name=session.name, known=not partial)
    quarantine.mirror(inside)
    kind = _kind(side, common_dir, env, new)
    carried = carry(
        common_dir,
        quarantine.objects,
        *sources(side),
        tips=[new],
        known=known,
        env=env,
        partial=partial,
        side=side,
        fsck=settings.fsck,
        what=what,
        planted=planted,
        judge=lambda: _require_commit(kind, session),
    )
    quarantine.drop(carried.blobs)
    return carried, tuple(quarantine.notes)


def _kind(side: HostSide, common_dir: Path, env: Mapping[str, str], oid: str) -> Running:
    """Ask what kind of object it is."""
    reading = {
        **untrusting(offline(env)),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(side.objects, *sources(side)),
    }
    return Git(common_dir, reading).start("cat-file", "-t", operand(oid))


def _require_commit(asked: Running, session: Session) -> None:
    """Before anything is carried. One that is not there at all is for the carry to explain."""
    kind = asked.result(ok=None, timeout_s=TIMEOUT_S)
    if kind.status == 0 and kind.text.strip() != "commit":
        raise BackendError(
            f"sync {session.name}",
            f"inside, {session.branch} names no commit",
            hint="git fsck  # inside the session",
        )
