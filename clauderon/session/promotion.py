"""From a session that ended into the shared volumes: only what the commit it began from names by hash.

The files are read on the host as what they are, anything; what is right is copied from our memory by `docker cp` into
a container that never runs. Nothing of the session's is run, unpacked or followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from clauderon import airlock
from clauderon.caching import wanted
from clauderon.record import Session
from clauderon.session import probe, volumes
from clauderon.session.context import Context, caches_lock
from clauderon.session.delayed_progress import slow

if TYPE_CHECKING:
    from clauderon.caching import ledger
    from clauderon.caching.lockfile import Named

# What one copy holds in memory, what one session may add, and what we put into a volume at most.
BATCH_BYTES = 64 << 20
SESSION_BYTES = 2 << 30
VOLUME_BYTES = 16 << 30
# Crates, or commits, in a volume: each `create` of a session with a Cargo.lock reads the record of them.
VOLUME_CONTENTS = 100_000


def promote(context: Context, session: Session) -> None:
    """Hand on what the session fetched. Of a container that has ended; a failure is said, and loses nothing else.

    Any failure: a session must not be able to keep itself from being stopped or deleted by what it has in its home.
    """
    if (
        context.config.docker.shared_caches != "verified"
        or not wanted.path_of(context.home, session.id).exists()
    ):
        return
    try:
        with slow(context.report, f"Sharing what {session.name} fetched"):
            named = wanted.recall(context.home, session.id)
            verified = _verified(context)
            if volumes.REGISTRY in verified:
                _crates(context, session, named, verified[volumes.REGISTRY])
            if volumes.GIT in verified:
                _git(context, session, named, verified[volumes.GIT])
    except Exception as error:  # noqa: BLE001 - as said above
        context.report.warn(f"nothing more of {session.name} was added to the shared caches: {error}")


def _crates(context: Context, session: Session, named: Named, volume: str) -> None:
    # Here and below: imports that only a session with a Cargo.lock pays for.
    from clauderon.caching import crates, ledger

    known = ledger.read(context.home)
    missing = [crate for crate in named.crates if crate.sha256 not in known.of(volume)]
    home = context.home.session_home(session.id)
    for batch in _batches(crates.fetched(home, missing), _room(context, known, volume, missing)):
        contents = {sha256: {f"{sha256}.crate": content} for sha256, content in batch.items()}
        _keep(context, session, volumes.REGISTRY, volume, contents)


def _git(context: Context, session: Session, named: Named, volume: str) -> None:
    from clauderon.caching import gitdeps, ledger

    known = ledger.read(context.home)
    missing = [each for each in named.git if each.commit not in known.of(volume)]
    room = _room(context, known, volume, missing)
    if not missing or room <= 0:
        return
    scratch = wanted.scratch_of(context.home, session.id)
    airlock.remove_tree(scratch)  # of a command that was killed
    scratch.mkdir(mode=0o700)
    try:
        home = context.home.session_home(session.id)
        for found in gitdeps.fetched(home, scratch, missing, context.environ):
            if not found.files:
                wanted.give_up(context.home, session.id, found.dependency)
                continue
            room -= sum(len(content) for content in found.files.values())
            if room < 0:
                break
            _keep(context, session, volumes.GIT, volume, {found.dependency.commit: found.files})
    finally:
        airlock.remove_tree(scratch)


def _room(context: Context, known: ledger.Ledger, volume: str, missing: Sequence[object]) -> int:
    """Bytes that the session may add; says so when a volume is full and something is missing in it."""
    left = VOLUME_BYTES - known.size(volume) if len(known.of(volume)) < VOLUME_CONTENTS else 0
    if left <= 0 and missing:
        context.report.note("The shared caches are full. To begin anew: clauderon clean-cache")
    return min(SESSION_BYTES, left)


def _keep(
    context: Context, session: Session, name: str, volume: str, contents: Mapping[str, Mapping[str, bytes]]
) -> None:
    """Write what the volume still lacks into a directory of it that nobody knows of yet, and record that.

    name, volume: the volume's, and its identity. contents: files of each content, by their paths. Only this is under
    the lock: what a session puts in its own way holds up the end of nobody else's.
    """
    from clauderon.caching import ledger

    with caches_lock(context):
        known = ledger.read(context.home).of(volume)
        new = {content: files for content, files in contents.items() if content not in known}
        # docker would make a volume that `clean-cache` has removed meanwhile, and nobody would trust that one.
        if not new or _verified(context).get(name) != volume:
            return
        folder = ledger.new_folder()
        together = {path: data for files in new.values() for path, data in files.items()}
        probe.fill_volume(context, session, name, archive(folder, together))
        sizes = {content: sum(map(len, files.values())) for content, files in new.items()}
        ledger.add(context.home, volume, folder, sizes)


def _verified(context: Context) -> dict[str, str]:
    """The identities of the volumes that no session has written to, by their names."""
    found = context.docker.inspect(volumes.REGISTRY, volumes.GIT).volumes
    return {v.name: v.labels[volumes.VERIFIED_LABEL] for v in found if volumes.VERIFIED_LABEL in v.labels}


def _batches(found: Iterable[tuple[str, bytes]], room: int) -> Iterator[dict[str, bytes]]:
    batch: dict[str, bytes] = {}
    held = 0
    for sha256, content in found:
        room -= len(content)
        if room < 0:
            break
        batch[sha256] = content
        held += len(content)
        if held >= BATCH_BYTES:
            yield batch
            batch, held = {}, 0
    if batch:
        yield batch


def archive(folder: str, files: Mapping[str, bytes]) -> bytes:
    """A tar of a directory of files, of root's, that everybody may read. files: by their paths in it."""
    import io
    import tarfile

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        parents = {str(parent) for name in files for parent in PurePosixPath(folder, name).parents}
        for directory in sorted(parents - {"."}):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
