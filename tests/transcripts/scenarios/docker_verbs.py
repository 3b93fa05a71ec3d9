"""Every verb of `clauderon.docker`, each asked for what is there and for what is not."""

from __future__ import annotations

import io
import tarfile

import pytest

from clauderon.config.schema import Docker as DockerConfig
from clauderon.docker import Docker, failures
from clauderon.errors import BackendError, CommandFailed, Conflict
from clauderon.mount import Mount
from clauderon.spec import ContainerSpec
from tests.transcripts.scenario import IMAGE, Scene, scenario


def docker(scene: Scene) -> Docker:
    return Docker.of(DockerConfig(), scene.environ)


def spec(name: str = "clauderon-one", **changes: object) -> ContainerSpec:
    values: dict[str, object] = {
        "name": name,
        "image": IMAGE,
        "hostname": "one",
        "workdir": "/",
        "command": ("sh", "-c", "trap '' TERM; exec sleep 1000"),
        "labels": {"clauderon.session": "one", "clauderon.id": "0123456789ab"},
        "user": "1000:1000",
        "pids": 64,
        "cpus": "0.5",
        "memory": "64m",
    }
    return ContainerSpec(**{**values, **changes})  # type: ignore[arg-type]


@scenario()
def docker_container_life(scene: Scene) -> None:
    tool = docker(scene)
    found = tool.container_run(spec())
    assert len(found) == 64
    (listed,) = tool.container_list({"clauderon.session": "one"})
    assert (listed.id, listed.name, listed.state) == (found, "clauderon-one", "running"), listed
    detail = tool.container_inspect("clauderon-one")
    assert detail is not None and detail.id == found and detail.running
    assert tool.container_stop("clauderon-one", 0)
    detail = tool.container_inspect("clauderon-one")
    assert detail is not None and not detail.running and detail.exit_status == 137
    tool.container_start("clauderon-one")
    tool.container_rename("clauderon-one", "clauderon-two")
    assert tool.container_remove("clauderon-two")
    assert tool.container_list({"clauderon.session": "one"}) == []


@scenario()
def docker_container_absent(scene: Scene) -> None:
    tool = docker(scene)
    assert tool.container_list({"clauderon.session": "none"}) == []
    assert tool.container_inspect("clauderon-none") is None
    tool.container_remove("clauderon-none")
    assert not tool.container_stop("clauderon-none", 1)
    with pytest.raises(CommandFailed) as failure:
        tool.container_start("clauderon-none")
    assert failures.is_missing(failure.value)
    with pytest.raises(BackendError):
        tool.container_rename("clauderon-none", "clauderon-two")


@scenario()
def docker_container_exit_status(scene: Scene) -> None:
    tool = docker(scene)
    tool.container_run(spec(command=("sh", "-c", "exit 7")))
    assert tool.container_wait("clauderon-one") == 7
    (listed,) = tool.container_list({"clauderon.session": "one"})
    assert listed.exit_status == 7


@scenario()
def docker_name_conflict(scene: Scene) -> None:
    scene.prepare("create", "--name", "clauderon-one", IMAGE)
    with pytest.raises(CommandFailed) as failure:
        docker(scene).container_run(spec())
    explained = failures.explain(failure.value, "start one")
    assert isinstance(explained, Conflict)
    assert "clauderon-one" in explained.why


@scenario()
def docker_port_conflict(scene: Scene) -> None:
    scene.prepare("run", "-d", "--publish", "127.0.0.1:28080:80", IMAGE, "sleep", "1000")
    with pytest.raises(CommandFailed) as failure:
        docker(scene).container_run(spec(publish=("127.0.0.1:28080:80",)))
    explained = failures.explain(failure.value, "start one")
    assert isinstance(explained, Conflict)
    assert explained.why == "a published port is in use"


@scenario()
def docker_more_cpus_than_there_are(scene: Scene) -> None:
    with pytest.raises(CommandFailed) as failure:
        docker(scene).container_run(spec(cpus="4096"))
    assert failures.most_cpus(failure.value) is not None


@scenario()
def docker_network_life(scene: Scene) -> None:
    tool = docker(scene)
    tool.network_create("clauderon", subnet="", internal=False, labels={"clauderon.network": "1"})
    picked = tool.inspect("clauderon").networks[0]
    assert tool.network_remove("clauderon")
    tool.network_create("clauderon", subnet=picked.subnet, internal=True, labels={"clauderon.network": "1"})
    network = tool.inspect("clauderon").networks[0]
    assert network.subnet == picked.subnet
    with pytest.raises(BackendError):
        tool.network_create("clauderon", subnet="", internal=False, labels={})
    assert tool.network_remove("clauderon")
    assert not tool.network_remove("clauderon")
    assert tool.inspect("clauderon").networks == ()


@scenario()
def docker_addresses(scene: Scene) -> None:
    """The container's address is ours to choose, and docker's to refuse."""
    tool = docker(scene)
    tool.network_create("clauderon", subnet="198.18.77.0/24", internal=False, labels={})
    tool.container_run(spec(network="clauderon", ip="198.18.77.9"))
    detail = tool.container_inspect("clauderon-one")
    assert detail is not None and detail.ip == "198.18.77.9"
    with pytest.raises(CommandFailed) as taken:
        tool.container_run(spec("clauderon-two", network="clauderon", ip="198.18.77.9"))
    assert failures.address_taken(taken.value)
    with pytest.raises(CommandFailed) as outside:
        tool.container_run(spec("clauderon-three", network="clauderon", ip="198.18.78.9"))
    assert failures.network_changed(outside.value)
    with pytest.raises(CommandFailed) as gone:
        tool.container_run(spec("clauderon-four", network="clauderon-gone", ip="198.18.77.10"))
    assert failures.network_changed(gone.value)


@scenario()
def docker_volume_life(scene: Scene) -> None:
    tool = docker(scene)
    tool.volume_create("clauderon-sccache", {"clauderon.volume": "1"})
    (volume,) = tool.inspect("clauderon-sccache").volumes
    assert volume.name == "clauderon-sccache"
    mount = Mount("clauderon-sccache", "/cache", kind="volume")
    container = tool.container_create(spec(mounts=(mount,)))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("cache")
        entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(entry)
    tool.copy_into(container, "/", archive.getvalue())
    with pytest.raises(BackendError):
        tool.volume_remove("clauderon-sccache")
    size, users = tool.disk_usage()["clauderon-sccache"]
    assert (size, users) == ("0B", 1)
    tool.container_remove(container)
    assert tool.volume_remove("clauderon-sccache")
    assert not tool.volume_remove("clauderon-sccache")


@scenario()
def docker_image_facts(scene: Scene) -> None:
    tool = docker(scene)
    image = tool.image_inspect(IMAGE)
    assert image is not None and image.id.startswith("sha256:")
    assert tool.image_inspect("clauderon-test:none") is None
    found = tool.inspect(IMAGE, "clauderon-none")
    assert [one.id for one in found.images] == [image.id]
    assert (found.networks, found.volumes) == ((), ())


@scenario()
def docker_inspect_where_a_container_has_the_name(scene: Scene) -> None:
    """docker shows the container alone; asked kind by kind it shows the rest."""
    scene.prepare("create", "--name", "clauderon-sccache", IMAGE)
    tool = docker(scene)
    tool.volume_create("clauderon-sccache", {"clauderon.volume": "1"})
    found = tool.inspect(IMAGE, "clauderon-sccache", "clauderon-none")
    assert len(found.images) == 1
    assert [volume.name for volume in found.volumes] == ["clauderon-sccache"]
    assert found.networks == ()


@scenario()
def docker_foreground(scene: Scene) -> None:
    """stdout ours or captured; the status is the answer's, and no error of ours."""
    tool = docker(scene)
    tool.container_run(spec(command=("sh", "-c", "read -r line; echo got $line; exit 7"), tty=False))
    answer = tool.foreground("attach", "--sig-proxy=false", "clauderon-one", stdin=b"it\n", capture=True)
    assert (answer.status, answer.stdout) == (7, b"got it\n")
    assert tool.foreground("logs", "clauderon-one", capture=True).stdout == b"got it\n"
    assert tool.foreground("logs", "clauderon-none", capture=True).status == 1


@scenario()
def docker_versions(scene: Scene) -> None:
    client, server = docker(scene).version()
    assert client and server


@scenario()
def docker_pull_refused(scene: Scene) -> None:
    """No registry listens there."""
    with pytest.raises(BackendError) as failure:
        docker(scene).image_pull(
            "127.0.0.1:9/nothing:1", on_progress=lambda *_: None, offline="go on without", drawn=False
        )
    assert failure.value.why == "the registry cannot be reached, or the pull broke off"
    assert failure.value.hint == "go on without"


@scenario(engine="down")
def docker_engine_down(scene: Scene) -> None:
    tool = docker(scene)
    for act in (
        lambda: tool.container_list({"clauderon.session": "one"}),
        lambda: tool.container_inspect("clauderon-one"),
        lambda: tool.container_remove("clauderon-one"),
        lambda: tool.image_inspect(IMAGE),
        lambda: tool.inspect("clauderon"),
        tool.version,
    ):
        with pytest.raises(BackendError) as failure:
            act()
        assert failure.value.why == "the Docker engine cannot be reached"
        assert failure.value.hint == "docker info"


@scenario(engine="denied")
def docker_permission_denied(scene: Scene) -> None:
    tool = docker(scene)
    for act in (lambda: tool.container_list({}), lambda: tool.image_inspect(IMAGE), tool.version):
        with pytest.raises(BackendError) as failure:
            act()
        assert failure.value.why == "permission denied at the Docker socket"
        assert (failure.value.hint or "").startswith("sudo usermod -aG docker $USER")
