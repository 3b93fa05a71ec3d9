"""An image whose author knows how clauderon keeps its things: its labels, and what it has at our places."""

from __future__ import annotations

import io
import subprocess
import tarfile

import pytest

from clauderon.record import Session
from clauderon.spec import SHARED_VOLUMES
from clauderon.store import Store
from tests.standins.engine import BUSYBOX, Engine

pytestmark = pytest.mark.live
ID = "0123456789ab"


def image(engine: Engine, *labels: str, directories: tuple[str, ...] = ()) -> str:
    """A BUSYBOX with labels, and with directories that their owner alone may look into, a file in each."""
    name = f"clauderon-test-hostile:{engine.prefix}"
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for directory in directories:
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o700
            tar.addfile(entry)
            tar.addfile(tarfile.TarInfo(f"{directory}/planted"))
    container = engine.docker("create", BUSYBOX, "sh")
    argv = ("docker", "cp", "-", f"{container}:/")
    subprocess.run(argv, input=made.getvalue(), env=engine.environ, check=True, capture_output=True)
    changes = [word for label in labels for word in ("--change", f"LABEL {label}")]
    engine.docker("commit", *changes, container, name)
    engine.docker("rm", container)
    engine.undo(lambda: engine.docker("rmi", "--force", name, check=False))
    return name


def record(engine: Engine) -> str:
    """What an agent would like to be: somebody whose container has all of the host."""
    session = Session(
        id=ID, name="evil", state="running", step="", port=0, repo=str(engine.root), git_dir="", branch="evil",
        base="0" * 40, agent="scripted", image=BUSYBOX, created_at=1.0, updated_at=1.0, volumes=("/:/host",),
    )  # fmt: skip
    return session.to_json().replace('"', '\\"')


def test_a_container_with_its_images_labels_is_no_session(engine: Engine) -> None:
    """`list` showed it, `reconcile` adopted it with the record that the image's author wrote, and it got a port.

    Seen to fail with the image not asked.
    """
    engine.scripted(image=BUSYBOX)
    home = engine.home.root
    name = image(
        engine, f"clauderon.home={home}", f"clauderon.id={ID}", "clauderon.session=evil",
        f'clauderon.spec="{record(engine)}"',
    )  # fmt: skip
    for container in (f"clauderon-{engine.prefix}-x", "clauderon-evil"):
        engine.docker("run", "--detach", "--name", container, name, "sh", "-c", "sleep 600")
        try:
            assert engine.cli.ok("list", "--json").json["data"] == []
            said = engine.cli.ok("reconcile")
            assert "adopted" not in said.text
            assert (
                f"container {container}: it is no session: its labels are its image's ({name})" in said.error
            )
            assert engine.cli("start", "evil").status == 3
            assert engine.docker("inspect", "--format", "{{.State.Running}}", container) == "true"
        finally:
            engine.docker("rm", "--force", container)


def test_a_sessions_delete_takes_no_container_that_its_agent_marked(engine: Engine) -> None:
    """The agent knows its id, and writes the Dockerfile that a person builds. Seen to go with the session."""
    engine.scripted(image=BUSYBOX)
    engine.repo()
    engine.create("s")
    with Store.open(engine.home) as store:
        session = store.get(engine.name("s"))
    assert session is not None
    name = image(engine, f"clauderon.home={engine.home.root}", f"clauderon.id={session.id}")
    container = f"clauderon-{engine.prefix}-mine"
    engine.docker("run", "--detach", "--name", container, name, "sh", "-c", "sleep 600")
    try:
        assert [row["state"] for row in engine.cli.ok("list", "--json").json["data"]] == ["running"]
        engine.cli.ok("delete", engine.name("s"), "--force")
        assert engine.docker("inspect", "--format", "{{.State.Running}}", container) == "true"
    finally:
        engine.docker("rm", "--force", container)


def test_an_image_that_calls_its_containers_helpers_does_not_end_its_sessions(engine: Engine) -> None:
    """`reconcile` removed the session's container, as one that a killed command left.

    Seen to fail with neither the container's name nor the image asked about.
    """
    name = image(engine, "clauderon.probe=0123456789ab")
    engine.scripted(image=name)
    engine.repo()
    engine.create("s")
    engine.cli.ok("reconcile")
    assert engine.inspect("s")["State"]["Running"] is True


def test_nothing_of_an_image_gets_into_the_shared_volumes(engine: Engine) -> None:
    """Docker fills an empty volume with what the image has at its place, owner and mode too, read-only or not.

    The volumes are the whole engine's, so this session has others in their place.

    Seen without `volume-nocopy`: the files were there, and no other uid could read the volume any more.
    """
    renamed = {name: f"{name}-{engine.prefix}" for name in SHARED_VOLUMES}
    name = image(engine, directories=tuple(place.removeprefix("/") for place in SHARED_VOLUMES.values()))
    engine.repo()
    shim = engine.root / "docker"
    changes = "".join(f'words=("${{words[@]//source={a},/source={b},}}")\n' for a, b in renamed.items())
    shim.write_text(f'#!/bin/bash\nwords=("$@")\n{changes}exec docker "${{words[@]}}"\n')
    shim.chmod(0o755)
    engine.scripted(image=name, docker=f'command = "{shim}"')
    engine.create("s")
    try:
        for volume in renamed.values():
            mount = f"type=volume,source={volume},target=/v,volume-nocopy"
            look = engine.docker("run", "--rm", "--mount", mount, BUSYBOX, "sh", "-c", "stat -c %a /v; ls /v")
            assert look == "755"
    finally:
        engine.cli.ok("delete", engine.name("s"), "--force")
        engine.docker("volume", "rm", *renamed.values())


def test_the_volumes_of_a_repository_that_is_gone_go_too(engine: Engine) -> None:
    """Each repository has its own, and nothing removed them with it."""
    engine.scripted(image=BUSYBOX, docker='shared_caches = "repository"')
    engine.repo()
    engine.create("s")
    names = {mount.get("Name", "") for mount in engine.inspect("s")["Mounts"]}
    made = {name for name in names if name.startswith("clauderon-")}  # the overlay's has none of its own
    (engine.root / "repo").rename(engine.root / "elsewhere")
    assert "volume" not in engine.cli.ok("reconcile").text
    (engine.root / "elsewhere").rename(engine.root / "repo")
    engine.cli.ok("delete", engine.name("s"), "--force")
    assert "volume" not in engine.cli.ok("reconcile").text
    (engine.root / "repo").rename(engine.root / "elsewhere")
    said = engine.cli.ok("reconcile").text
    assert made and all(name in said for name in made)
    assert not made & set(engine.docker("volume", "ls", "-q").split())
