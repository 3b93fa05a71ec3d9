"""What the struck commands start from that change no session's work, and what must be true afterwards."""

from __future__ import annotations

import shutil
import tomllib

from tests.crash.promises import absent, kept, must, present
from tests.crash.world import World
from tests.standins.engine import BUSYBOX
from tests.standins.repository import git

IMAGE = "clauderon-crash:latest"


def with_stand_in_build(world: World) -> None:
    """`docker build` builds of the small image alone, since there is no registry: the calls are the same."""
    place = world.engine.root / "bin"
    if not place.exists():
        place.mkdir()
        real = shutil.which("docker", path=world.engine.environ["PATH"])
        place.joinpath("docker").write_text(
            f'#!/bin/sh\nfor last; do :; done\n[ "$1" != build ] || echo FROM {BUSYBOX} >"$last/Dockerfile"\n'
            f'exec {real} "$@"\n'
        )
        place.joinpath("docker").chmod(0o755)
        world.engine.environ["PATH"] = f"{place}:{world.engine.environ['PATH']}"


def with_volumes(world: World) -> None:
    if len(world.volumes()) < 3:
        world.engine.create("k")
        absent(world)


def cleaned(world: World) -> None:
    said = world.cli("clean-cache", "--force")
    must(said.status == 0, f"the same command fails afterwards: {said!r}")
    must(world.volumes() == [], "volumes are left")


def built(world: World) -> None:
    """config.toml is the old one or the new one; then it is set back, and the image is removed."""
    config = world.engine.home.config
    said = tomllib.loads(config.read_text())
    must("scripted" in said["agents"], "config.toml lost a table")
    image = said["docker"]["default_image"]
    must(image in (BUSYBOX, IMAGE), f"config.toml names the image {image}")
    if image == IMAGE:
        must(world.engine.docker("image", "ls", "-q", IMAGE), "config.toml names an image that is not there")
    world.engine.scripted(image=BUSYBOX)
    world.engine.docker("image", "rm", "-f", IMAGE, check=False)


def half_way(world: World) -> None:
    """The session, and another one that was killed when its container had been made."""
    present(world)
    argv = ("create", "--repo", "repo", "--prompt", "true", "--name", world.name("half"))
    world.strike(argv, "docker run", "after")


def reconciled(world: World) -> None:
    said = world.cli("reconcile")
    must(said.status == 0, f"reconcile fails afterwards: {said!r}")
    for session in world.sessions():
        if session.name != world.name():
            must(session.state == "running" and session.step == "", f"{session.name} stays half-way")
            world.engine.cli.ok("delete", session.name, "--force")
    for branch in git("for-each-ref", "--format=%(refname:short)", f"refs/heads/clauderon/{world.name('half')}",
                      cwd=world.repo).split():  # fmt: skip
        git("branch", "-qD", branch, cwd=world.repo)
    kept(world)


def without_proxy(world: World) -> None:
    present(world)
    world.engine.cli.ok("proxy", "stop")


def without_config(world: World) -> None:
    world.engine.cli.ok("proxy", "stop")
    world.engine.home.config.unlink(missing_ok=True)


def configured(world: World) -> None:
    config = world.engine.home.config
    said = config.read_text() if config.exists() else None
    config.unlink(missing_ok=True)
    again = world.cli("config", "init")
    must(again.status == 0, f"the same command fails afterwards: {again!r}")
    must(said in (None, config.read_text()), f"half a config.toml: {said!r}")
    world.engine.scripted(image=BUSYBOX)
