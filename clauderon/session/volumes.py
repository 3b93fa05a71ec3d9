"""The shared cache volumes of a session, by `[docker] shared_caches`: made where missing, and how they are mounted.

`verified`: no session writes to the page's three volumes; what lies in them was put there by `promotion` alone, which a
label says of a volume for ever. The other modes have volumes of other names, so that nothing comes from there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from clauderon import names, paths, spec
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import NOTHING
from clauderon.docker.parse import Image, Objects, Volume
from clauderon.errors import BackendError
from clauderon.mount import Mount
from clauderon.record import Session
from clauderon.session import probe
from clauderon.session.context import Context

VOLUME_LABEL = "clauderon.volume"
# Of a volume that no session has ever written to; the value tells it from every other.
VERIFIED_LABEL = "clauderon.verified"
# Of a volume of one repository: which.
REPOSITORY_LABEL = "clauderon.repository"
REGISTRY, GIT, SCCACHE = "clauderon-cargo-registry", "clauderon-cargo-git", "clauderon-sccache"


class Shared(NamedTuple):
    """mounts: of the volumes; cargo: whether cargo may write to those of its registry and git dependencies.

    sccache: where sccache writes, "" for the session's home; verified: identities of the verified volumes, by name.
    """

    mounts: tuple[Mount, ...] = ()
    cargo: bool = False
    sccache: str = ""
    verified: Mapping[str, str] = NOTHING


class Plan(NamedTuple):
    """labels: by the name of each volume to make; opened: those that every uid may write to.

    left_out: volumes of the page's names that may hold what a session wrote, from before there were labels.
    """

    shared: Shared
    labels: Mapping[str, Mapping[str, str]] = NOTHING
    opened: tuple[str, ...] = ()
    left_out: tuple[Volume, ...] = ()


def settle(context: Context, session: Session, image: Image, facts: ImageFacts, found: Objects) -> Shared:
    """The session's volumes, ready to be mounted; nothing to do when they are as we left them."""
    found = with_own(context, session, facts, found)
    planned = plan(context, session, facts, found)
    if planned.left_out:
        found = _without_old(context, planned, found)
        planned = plan(context, session, facts, found)
    for name, labels in planned.labels.items():
        context.docker.volume_create(name, labels)
    there = {volume.name: _identity(volume) for volume in found.volumes}
    known = context.store.fact("volumes") or {}
    todo = [name for name in planned.opened if name not in there or known.get(name) != there[name]]
    if todo:
        probe.open_volumes(context, session.id, image, todo)
        now = {v.name: _identity(v) for v in context.docker.inspect(*planned.opened).volumes}
        context.store.keep_fact("volumes", {**known, **now})
    return planned.shared


def plan(context: Context, session: Session, facts: ImageFacts, found: Objects) -> Plan:
    """What to mount and what to make first.

    found: what the engine has of the three volumes, and of those that only some sessions have (`with_own`).
    """
    there = {volume.name: volume for volume in found.volumes}
    mode = context.config.docker.shared_caches
    if mode == "off":
        return Plan(Shared())
    if mode == "verified":
        return _verified(context, session, facts, there)
    volumes = _writable(context, session)
    labels = _labels(session, of_repository=mode == "repository")
    shared = Shared(_mounts(volumes), cargo=True, sccache=paths.CONTAINER_SCCACHE)
    return Plan(shared, {name: labels for name in volumes if name not in there}, tuple(volumes))


def _verified(context: Context, session: Session, facts: ImageFacts, there: Mapping[str, Volume]) -> Plan:
    old = tuple(v for v in there.values() if v.name in spec.SHARED_VOLUMES and VERIFIED_LABEL not in v.labels)
    left_out = {volume.name for volume in old}
    usable = {name: target for name, target in spec.SHARED_VOLUMES.items() if name not in left_out}
    labels: dict[str, Mapping[str, str]] = {
        name: {**_labels(session), VERIFIED_LABEL: names.new_id()} for name in usable if name not in there
    }
    identities = {
        name: (labels[name] if name in labels else there[name].labels)[VERIFIED_LABEL] for name in usable
    }
    mounts = _mounts(usable, read_only=True)
    if not facts.has("sccache"):
        return Plan(Shared(mounts, verified=identities), labels, left_out=old)
    # What a compiler made cannot be verified: it stays with the repository.
    own = own_name(context, session.repo, SCCACHE)
    if own not in there:
        labels[own] = _labels(session, of_repository=True)
    place = Mount(own, paths.CONTAINER_SCCACHE_OWN, kind="volume")
    shared = Shared((*mounts, place), sccache=place.target, verified=identities)
    return Plan(shared, labels, (own,), old)


def _labels(session: Session, *, of_repository: bool = False) -> dict[str, str]:
    labels = {VOLUME_LABEL: session.id}
    return {**labels, REPOSITORY_LABEL: session.repo} if of_repository else labels


def _mounts(volumes: Mapping[str, str], *, read_only: bool = False) -> tuple[Mount, ...]:
    return tuple(Mount(name, target, read_only, "volume") for name, target in volumes.items())


def _writable(context: Context, session: Session) -> dict[str, str]:
    """The volumes of the modes in which sessions write to them, and where each is mounted."""
    if context.config.docker.shared_caches == "open":
        return {f"{name}-open": target for name, target in spec.SHARED_VOLUMES.items()}
    return {own_name(context, session.repo, name): target for name, target in spec.SHARED_VOLUMES.items()}


def own_name(context: Context, repo: str, volume: str) -> str:
    """The repository's own volume beside a shared one. Two hosts may share an engine, and two users a host."""
    import hashlib

    key = "\0".join((os.uname().nodename, str(context.home.root), repo))
    return f"{volume}-{hashlib.sha256(os.fsencode(key)).hexdigest()[:12]}"


def left(context: Context) -> list[str]:
    """Volumes that this home made for repositories which are not there any more, and that no container has."""
    found = []
    for name, repo in context.docker.volume_list(REPOSITORY_LABEL).items():
        ours = any(name == own_name(context, repo, shared) for shared in spec.SHARED_VOLUMES)
        if ours and not os.path.lexists(repo) and not context.docker.volume_users(name):
            found.append(name)
    return sorted(found)


def with_own(context: Context, session: Session, facts: ImageFacts, found: Objects) -> Objects:
    """`found`, and the volumes which only some sessions have and so are asked for here."""
    mode = context.config.docker.shared_caches
    if mode in ("repository", "open"):
        names = list(_writable(context, session))
    elif mode == "verified" and facts.has("sccache"):
        names = [own_name(context, session.repo, SCCACHE)]
    else:
        return found
    return found._replace(volumes=(*found.volumes, *context.docker.inspect(*names).volumes))


def _without_old(context: Context, planned: Plan, found: Objects) -> Objects:
    """Remove volumes that sessions of an earlier clauderon wrote to, to be made anew; say so once where one stays."""
    removed = [volume.name for volume in planned.left_out if _removed(context, volume)]
    staying = {v.name: _identity(v) for v in planned.left_out if v.name not in removed}
    if staying and context.store.fact("old-volumes") != staying:
        context.store.keep_fact("old-volumes", staying)
        context.report.warn(
            f"{', '.join(staying)}: not used, since sessions could write to what is in there and a container "
            "still has it; run: clauderon clean-cache"
        )
    return found._replace(volumes=tuple(v for v in found.volumes if v.name not in removed))


def _removed(context: Context, volume: Volume) -> bool:
    if VOLUME_LABEL not in volume.labels:
        return False  # somebody made it, and may want it
    try:
        context.docker.volume_remove(volume.name)
    except BackendError:
        return False
    return True


def _identity(volume: Volume) -> str:
    """Tells a volume from another of its name: the session that made it, or, of a volume somebody else made, its time.

    The time alone would not do: the engine's answer to CreatedAt is its directory's last change.
    """
    return volume.labels.get(VOLUME_LABEL) or volume.created_at
