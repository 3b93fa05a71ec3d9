"""From a session that ended into the shared volumes: only what the commit it began from names by hash.

The files are read on the host as what they are, anything; what is right is copied from our memory by `docker cp` into
a container that never runs. Nothing of the session's is run, unpacked or followed.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator

from clauderon.caching import crates, ledger, wanted
from clauderon.caching.lockfile import Named
from clauderon.errors import ClauderonError
from clauderon.session import probe
from clauderon.session.context import Context, caches_lock
from clauderon.session.slow import slow
from clauderon.store import Session

REGISTRY = "clauderon-cargo-registry"
# What one copy holds in memory, what one session may add, and what we put into a volume at most.
BATCH_BYTES = 64 << 20
SESSION_BYTES = 2 << 30
VOLUME_BYTES = 16 << 30


def promote(context: Context, session: Session) -> None:
    """Hand on what the session fetched. Of a container that has ended; a failure is said, and loses nothing else."""
    if context.config.docker.shared_caches != "verified":
        return
    named = wanted.recall(context.home, session.id)
    if not named.crates:
        return
    try:
        with slow(context.report, f"Sharing what {session.name} fetched"), caches_lock(context):
            _promote(context, session, named)
    except (ClauderonError, OSError) as error:
        context.report.warn(f"nothing of {session.name} was added to the shared caches: {error}")


def _promote(context: Context, session: Session, named: Named) -> None:
    volume = _verified(context, REGISTRY)
    if volume is None:
        return
    room = min(SESSION_BYTES, VOLUME_BYTES - ledger.read(context.home).size(volume))
    known = ledger.read(context.home).of(volume)
    missing = [crate for crate in named.crates if crate.sha256 not in known]
    home = context.home.session_home(session.id)
    for batch in _batches(crates.fetched(home, missing), room):
        folder = ledger.new_folder()
        files = {f"{sha256}.crate": content for sha256, content in batch.items()}
        probe.fill_volume(context, session, REGISTRY, archive(folder, files))
        ledger.add(context.home, volume, folder, {sha256: len(content) for sha256, content in batch.items()})


def _verified(context: Context, name: str) -> str | None:
    """The identity of the volume if it is one that no session has written to."""
    from clauderon.session.volumes import VERIFIED_LABEL

    found = context.docker.inspect(name).volumes
    return next((v.labels[VERIFIED_LABEL] for v in found if VERIFIED_LABEL in v.labels), None)


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
    """A tar of a directory of files, of root's, that everybody may read."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        top = tarfile.TarInfo(folder)
        top.type, top.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(top)
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
