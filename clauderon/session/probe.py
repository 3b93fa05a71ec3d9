"""Throwaway containers that look into an image or open the shared volumes, and never outlive their command.

Each is named after the session it is made for, so that it can be found and removed however the command ends: also
by `reconcile`, which leaves those of a command still at work alone.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clauderon import spec
from clauderon.agents import image
from clauderon.agents.image import ImageFacts, parse_image_facts, probe_script, warnings
from clauderon.docker.argv import mount_value
from clauderon.docker.parse import Image
from clauderon.errors import BackendError
from clauderon.mount import Mount
from clauderon.proc import operand
from clauderon.record import Session
from clauderon.session import touching
from clauderon.session.context import Context, is_alive


def name_of(session_id: str) -> str:
    """The name of the container that looks into a session's image."""
    return f"clauderon-probe-{session_id}"


@contextmanager
def _throwaway(context: Context, session_id: str) -> Iterator[tuple[str, list[str]]]:
    """(name, words for `docker run` or `create`) of a container that is removed at the end."""
    name = name_of(session_id)
    words = ["--name", name, "--pull", "never", "--network", "none"]
    words += ["--label", f"clauderon.home={context.home.root}", "--label", f"{spec.LABEL_PROBE}={session_id}"]
    # The next command removes it, should this one be killed.
    context.store.keep_fact(f"{spec.HELPER_FACT}{session_id}", {"name": name, "pid": os.getpid()})
    try:
        yield name, words
    finally:
        context.docker.container_remove(name)
        context.store.keep_fact(f"{spec.HELPER_FACT}{session_id}", None)


def sweep(context: Context) -> None:
    """Remove the containers that killed commands left; nothing but a look at the database when there are none."""
    for fact, left in context.store.facts(spec.HELPER_FACT).items():
        if not is_alive(left["pid"]):
            context.docker.container_remove(left["name"])
            context.store.keep_fact(fact, None)


def image_facts(context: Context, session_id: str, image_id: str, *, quiet: bool = False) -> ImageFacts:
    """What is inside an image, looked up once per content id; unless `quiet`, what it lacks is said then."""
    known = context.store.image_facts(image_id)
    unasked = touching.is_unasked(context)
    if known is not None and not image.is_older(known) and not unasked:
        return ImageFacts.from_dict(known)
    answer = None
    if unasked:
        # In the same container: the two questions cost as much as one.
        with touching.asking(context, session_id) as overlay, suppress(BackendError):
            answer = _looked(context, session_id, image_id, overlay)
    answer = answer or _looked(context, session_id, image_id, [])
    facts = parse_image_facts(answer)
    if unasked:
        touching.heard(context, answer)
    context.store.keep_image_facts(image_id, facts.to_dict())
    for lack in () if quiet else warnings(facts):
        context.report.warn(lack)
    return facts


def _looked(context: Context, session_id: str, image_id: str, overlay: list[str]) -> str:
    with _throwaway(context, session_id) as (_, words):
        answer = context.docker.run(
            "run", "-i", *words, *overlay, "--cap-drop", "ALL", "--entrypoint", "sh", image_id,
            what=f"look into image {image_id[:19]}",
            stdin=(probe_script() + (touching.QUESTION if overlay else "")).encode(),
        )  # fmt: skip
    return answer.text


def empty(context: Context, session: Session, directory: Path) -> None:
    """Remove everything in a directory of ours as root, who made some of it."""
    script = 'rm -rf "$1"/* "$1"/.[!.]*'
    mount = mount_value(Mount(str(directory), "/clauderon-leftovers"))
    with _throwaway(context, session.id) as (_, words):
        context.docker.run(
            *("run", *words, "--user", "0:0", "--mount", mount, "--entrypoint", "sh", operand(session.image)),
            *("-c", script, "sh", "/clauderon-leftovers"),
            what=f"remove {directory}",
        )


def open_volumes(context: Context, session_id: str, image: Image, volumes: Collection[str]) -> None:
    """Make the volumes' top directories writable to every uid (1777, like /tmp).

    A fresh volume belongs to root, and sessions run under any uid. Docker unpacks archives into containers that
    never ran, so this needs no program from the image at all.
    """
    import io
    import tarfile

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in volumes:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(entry)
    _unpack(context, session_id, image.id, volumes, "/clauderon-volumes", archive.getvalue())


def fill_volume(context: Context, session: Session, volume: str, archive: bytes) -> None:
    """Unpack a tar archive of ours into a volume, in the same way."""
    _unpack(context, session.id, session.image, (volume,), f"/clauderon-volumes/{volume}", archive)


def _unpack(
    context: Context, session_id: str, image: str, volumes: Collection[str], directory: str, archive: bytes
) -> None:
    mounts: list[str] = []
    for name in volumes:
        mounts += ["--mount", f"type=volume,source={name},target=/clauderon-volumes/{name},volume-nocopy"]
    with _throwaway(context, session_id) as (container, words):
        context.docker.run("create", *words, *mounts, image, "sh", what="open the shared volumes")
        context.docker.copy_into(container, directory, archive)
