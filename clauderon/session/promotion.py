"""From a session that ended into the shared volumes: only what the commit it began from names by hash.

The files are read on the host as what they are, anything; what is right is copied from our memory by `docker cp` into
a container that never runs. Nothing of the session's is run, unpacked or followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from clauderon.caching import wanted
from clauderon.errors import ClauderonError
from clauderon.record import Session
from clauderon.session import probe, volumes
from clauderon.session.context import Context, caches_lock
from clauderon.session.slow import slow

# What one copy holds in memory, what one session may add, and what we put into a volume at most.
BATCH_BYTES = 64 << 20
SESSION_BYTES = 2 << 30
VOLUME_BYTES = 16 << 30


def promote(context: Context, session: Session) -> None:
    """Hand on what the session fetched. Of a container that has ended; a failure is said, and loses nothing else."""
    if (
        context.config.docker.shared_caches != "verified"
        or not wanted.path_of(context.home, session.id).exists()
    ):
        return
    try:
        with slow(context.report, f"Sharing what {session.name} fetched"), caches_lock(context):
            _promote(context, session)
    except (ClauderonError, OSError) as error:
        context.report.warn(f"nothing of {session.name} was added to the shared caches: {error}")


def _promote(context: Context, session: Session) -> None:
    # Here and below: imports that only a session with a Cargo.lock pays for.
    from clauderon.caching import crates, gitdeps, ledger

    named = wanted.recall(context.home, session.id)
    verified = _verified(context)
    home = context.home.session_home(session.id)
    known = ledger.read(context.home)
    volume = verified.get(volumes.REGISTRY)
    if volume is not None:
        missing = [crate for crate in named.crates if crate.sha256 not in known.of(volume)]
        for batch in _batches(crates.fetched(home, missing), _room(known.size(volume))):
            files = {f"{sha256}.crate": content for sha256, content in batch.items()}
            folder = _filled(context, session, volumes.REGISTRY, files)
            sizes = {sha256: len(content) for sha256, content in batch.items()}
            ledger.add(context.home, volume, folder, sizes)
    volume = verified.get(volumes.GIT)
    if volume is not None:
        room = _room(known.size(volume))
        wanted_git = [each for each in named.git if each.commit not in known.of(volume)]
        for commit, files in gitdeps.fetched(home, context.home.caches, wanted_git, context.environ):
            size = sum(len(content) for content in files.values())
            room -= size
            if room < 0:
                break
            ledger.add(context.home, volume, _filled(context, session, volumes.GIT, files), {commit: size})


def _room(used: int) -> int:
    return min(SESSION_BYTES, VOLUME_BYTES - used)


def _filled(context: Context, session: Session, volume: str, files: dict[str, bytes]) -> str:
    """Write files into a directory of the volume that nobody knows of yet; returns its name."""
    from clauderon.caching import ledger

    folder = ledger.new_folder()
    probe.fill_volume(context, session, volume, archive(folder, files))
    return folder


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


def archive(folder: str, files: dict[str, bytes]) -> bytes:
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
