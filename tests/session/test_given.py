"""What `--volume` and `--mount` may give of this machine, and where it may be put."""

from __future__ import annotations

import pytest

from tests.session.given_stage import Stage


@pytest.mark.parametrize(
    "source",
    [
        *("/", "//", "/.", "/..", "/etc", "/etc/", "/etc/../etc", "/etc/ssh", "/proc", "/proc/1/root", "/sys", "/dev"),
        *("/dev/kvm", "/boot", "/run", "/var/run", "/var/run/docker.sock", "/run/containerd", "/var", "/var/lib/docker"),
        *("{me}", "{me}/", "{me}/..", "{me}/../me", "{me}/.clauderon", "{me}/.clauderon/worktrees/other", "{me}/.ssh"),
        *("{me}/.config", "{me}/.bashrc", "{me}/.aws/credentials", "{me}/.nobody-knows-this", "{me}/project"),
        *("{me}/project/.git", "{me}/project/.git/hooks", "{me}/project/src/../.git", "{me}/data/../.ssh"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["", ":ro"])
def test_a_source_that_gives_a_protected_place_is_refused(stage: Stage, source: str, mode: str) -> None:
    assert stage.volume(f"{source.format(me=stage.user)}:/x{mode}")


@pytest.mark.parametrize(
    ("item"),
    [
        *(
            "{me}/data:/data",
            "{me}/data/sub:/data:ro",
            "{me}/project/src:/src",
            "plain:/data",
            "memory:/data",
            "sized:/data",
            "/data",
        ),
        *(
            "{me}/.cache/pip:/pip:ro",
            "{me}/.cargo/registry:/r:ro",
            "/usr/share:/share:ro",
            "{me}/data:/data:z",
        ),
        *(
            "{me}/not-yet:/data",
            "unheard-of:/data",
            "{me}/data:/clauderon/home/.cache",
            "{me}/data:/opt/data",
        ),
    ],
)
def test_what_gives_nothing_protected_is_let_through(stage: Stage, item: str) -> None:
    assert stage.volume(item.format(me=stage.user)) == ()


@pytest.mark.parametrize(
    "item",
    [
        *(
            "/usr/local:/x",
            "{me}/bin:/x",
            "{me}/.cache/pip:/x",
            "{me}/.cargo/registry:/x",
            "{me}/data:/x:rshared",
        ),
        *(
            "{me}/data:/x:slave",
            "{me}/data:/x:U",
            "{me}/data:/x:dev",
            "clauderon-cargo-git:/x",
            "disguised:/x",
        ),
        *(
            "disguised:/x:ro",
            "bound:/x:ro",
            "nfs:/x",
            "{me}/data:/etc",
            "{me}/data:/etc/clauderon",
            "{me}/data:/clauderon/session",
        ),
        *(
            "{me}/data:/workspace/.git",
            "{me}/data:/workspace",
            "{me}/data:/workspace/x/../.git",
            "{me}/data:/proc/1",
        ),
        *(
            "{me}/data:/clauderon",
            "{me}/data:/",
            "/clauderon/git",
            "/etc/ssl/certs",
            "{me}/data:/etc/resolv.conf",
        ),
        *(".:/x", "./data:/x", "a/b:/x", "~:/x", "~/.ssh:/x", "$HOME/.ssh:/x"),
    ],
)
def test_a_mount_that_undoes_something_is_refused(stage: Stage, item: str) -> None:
    assert stage.volume(item.format(me=stage.user))


def test_a_symlink_is_what_it_leads_to(stage: Stage) -> None:
    (stage.user / "link").symlink_to("/etc")
    (stage.user / "data/link").symlink_to(stage.home.root)
    (stage.user / "away").symlink_to(stage.user / "data/link")
    assert stage.volume(f"{stage.user}/link:/x")
    assert stage.volume(f"{stage.user}/link/ssh:/x:ro")
    assert stage.volume(f"{stage.user}/away/worktrees:/x")
    assert stage.volume(f"{stage.user}/data/sub/../link:/x")
    (stage.user / "fine").symlink_to(stage.user / "data/sub")
    assert stage.volume(f"{stage.user}/fine:/x") == ()
    (stage.user / "settings").symlink_to(stage.user / ".nobody-knows-this")
    assert stage.volume(f"{stage.user}/settings:/x:ro")


def test_what_a_container_can_turn_into_a_symlink_is_refused(stage: Stage) -> None:
    """Session a writes data; b mounts data/sub; a puts a symlink to / there; the next start of b follows it."""
    stage.store.add(
        stage.session(id="a" * 12, name="a", port=0, volumes=(f"{stage.user}/data:/data",)), range(1, 9)
    )
    assert stage.volume(f"{stage.user}/data/sub:/x:ro")
    assert stage.volume(f"{stage.user}/data:/x") == ()


def test_and_the_other_way_round(stage: Stage) -> None:
    below = (f"{stage.user}/data/sub:/data:ro",)
    stage.store.add(stage.session(id="a" * 12, name="a", port=0, volumes=below), range(1, 9))
    assert stage.volume(f"{stage.user}/data:/x")
    assert stage.volume(f"{stage.user}/data:/x:ro") == ()
