"""Places that are protected by what they are, under names that nobody listed. Each was seen to be given without its rule."""

from __future__ import annotations

import os
import pwd
import types
from pathlib import Path

import pytest

from tests.session.given_stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_dots_behind_a_symlink_are_read_as_docker_and_as_the_kernel_do(stage: Stage, tmp_path: Path) -> None:
    """docker takes `..` away by name, the kernel by place. Seen to fail with either of the two left out."""
    (stage.user / "hop").symlink_to(stage.home.root / "worktrees")
    (stage.user / "secrets").mkdir()
    assert stage.volume(f"{stage.user}/hop/../secrets:/x:ro")
    (tmp_path / "far/away").mkdir(parents=True)
    (tmp_path / "far/project").mkdir()
    (stage.user / "skip").symlink_to(tmp_path / "far/away")
    assert stage.volume(f"{stage.user}/skip/../project:/x:ro")


@pytest.mark.parametrize(
    "mark", ["network/files/local-kv.db", "io.containerd.metadata.v1.bolt/meta.db", "overlay-containers/x"]
)
def test_an_engines_files_are_known_wherever_they_are(stage: Stage, tmp_path: Path, mark: str) -> None:
    lying = tmp_path / "srv/data" / mark
    lying.parent.mkdir(parents=True)
    lying.touch()
    (tmp_path / "srv/data/volumes").mkdir()
    for source in ("srv", "srv/data", "srv/data/volumes"):
        assert stage.volume(f"{tmp_path}/{source}:/x:ro"), source


def test_the_socket_of_each_docker_context_is_refused(stage: Stage, tmp_path: Path) -> None:
    meta = stage.user / ".docker/contexts/meta/0123/meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(f'{{"Endpoints":{{"docker":{{"Host":"unix://{tmp_path}/srv/engine.sock"}}}}}}')
    (tmp_path / "srv").mkdir()
    assert stage.volume(f"{tmp_path}/srv:/x:ro")
    stage.environ["DOCKER_CONFIG"] = str(tmp_path / "nowhere")
    assert stage.volume(f"{tmp_path}/srv:/x:ro") == ()


def test_not_all_that_lies_in_a_cache_may_be_read(stage: Stage) -> None:
    """git's credential cache listens in ~/.cache/git, keyrings in ~/.cache/keyring-X; Hugging Face keeps a token."""
    for name in (".cache", ".cache/git/credential", ".cache/huggingface", ".cache/keyring-X", ".cache/gh"):
        assert stage.volume(f"{stage.user}/{name}:/x:ro"), name
    for name in ("pip", "uv/wheels", "go-build", "yarn"):
        assert stage.volume(f"{stage.user}/.cache/{name}:/x:ro") == (), name


def test_somebody_elses_keys_are_not_given_with_what_holds_them(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "homes/they/.ssh").mkdir(parents=True)
    assert stage.volume(f"{tmp_path}/homes:/x:ro") and stage.volume(f"{tmp_path}/homes/they:/x:ro")


def test_no_persons_home_is_given_whether_or_not_it_holds_keys(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sudo` and HOME=... make $HOME another than one's own; a container that is root writes .bashrc or
    .ssh/authorized_keys. Seen to be given while $HOME and /root alone were people's."""
    for name in ("homes/ann/work", "homes/bob", "daemon"):
        (tmp_path / name).mkdir(parents=True)
    people = [
        types.SimpleNamespace(pw_uid=uid, pw_dir=str(tmp_path / place))
        for uid, place in ((1000, "homes/ann"), (501, "homes/bob"), (33, "daemon"), (65534, "daemon"))
    ]
    monkeypatch.setattr(pwd, "getpwall", lambda: people)
    for source in ("homes", "homes/ann", "homes/bob"):
        assert stage.volume(f"{tmp_path}/{source}:/x"), source
    assert stage.volume(f"{tmp_path}/homes/ann/.config:/x:ro")
    for source in ("homes/ann/work", "daemon"):
        assert stage.volume(f"{tmp_path}/{source}:/x") == (), source


def test_the_library_of_a_mac_is_settings_too(stage: Stage) -> None:
    (stage.user / "Library/Caches").mkdir(parents=True)
    assert stage.volume(f"{stage.user}/Library/Caches:/x:ro") == ()
    (stage.user / "Library/Keychains").mkdir()
    assert stage.volume(f"{stage.user}/Library/Caches:/x:ro")


@pytest.mark.parametrize("source", ["/host_mnt", "/host_mnt/Users/me/project", "/mnt/host/c", "/mnt/mac"])
def test_this_machine_is_known_by_what_virtual_machines_call_it(stage: Stage, source: str) -> None:
    assert stage.volume(f"{source}:/x:ro")


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_what_you_cannot_read_a_container_does_not_get(stage: Stage) -> None:
    (stage.user / "data/sub").chmod(0)
    assert stage.volume(f"{stage.user}/data/sub:/x:ro")
