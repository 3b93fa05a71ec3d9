"""What a session may be given, and what only after `--unsafe`. For each rule of `unsafe`, `given` and `protected` that
was switched off by itself, at least one of these was seen to fail; what only a mount shows is in
test_unsafe_mounts_live.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import runoptions
from clauderon.config.schema import Agent
from clauderon.errors import UsageError
from clauderon.session import unsafe
from tests.session.given_stage import Stage


def test_a_home_reached_by_another_name_is_the_same(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(stage.user)
    stage.environ["HOME"] = str(tmp_path / "alias")
    assert stage.volume(f"{stage.user}/.ssh:/x") and stage.volume(f"{tmp_path}/alias/.aws:/x:ro")


def test_the_home_of_root_is_like_any_other(stage: Stage) -> None:
    for environ in ({"HOME": "/root"}, stage.environ):
        stage.environ = {**environ}
        assert stage.volume("/root:/x:ro") and stage.volume("/root/.aws:/x:ro")
        assert stage.volume("/root/data-of-nobody:/x") == ()


def test_another_state_directory_is_known_by_what_is_in_it(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "srv/other/worktrees").mkdir(parents=True)
    (tmp_path / "srv/other/proxy-ca-key.pem").touch()
    for source in ("srv", "srv/other", "srv/other/worktrees"):
        assert stage.volume(f"{tmp_path}/{source}:/x:ro"), source


def test_somebody_elses_credentials_and_a_file_of_two_names_are_refused(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "they/.ssh").mkdir(parents=True)
    (tmp_path / "they/.ssh/id").touch()
    (stage.user / "data/key").hardlink_to(tmp_path / "they/.ssh/id")
    assert stage.volume(f"{tmp_path}/they/.ssh:/x:ro") and stage.volume(f"{stage.user}/data/key:/x:ro")


def test_a_socket_and_what_holds_one_that_is_named_are_refused(stage: Stage) -> None:
    (stage.user / "s").mkdir()
    with socket.socket(socket.AF_UNIX) as door:
        os.chdir(stage.user)
        door.bind("s/agent")
        assert stage.volume(f"{stage.user}/s/agent:/x")
        assert stage.volume(f"{stage.user}/s:/x") == ()
        stage.environ["SSH_AUTH_SOCK"] = f"{stage.user}/s/agent"
        assert stage.volume(f"{stage.user}/s:/x:ro")
        stage.environ["SSH_AUTH_SOCK"] = ""
        stage.environ["DOCKER_HOST"] = f"unix://{stage.user}/s/agent"
        assert stage.volume(f"{stage.user}/s:/x:ro")


def test_a_repository_is_read_but_not_written(stage: Stage) -> None:
    other = stage.user / "work/deep/other"
    (other / ".git").mkdir(parents=True)
    assert stage.volume(f"{stage.user}/work:/x") and stage.volume(f"{other}:/x")
    assert stage.volume(f"{other}:/x:ro") == ()
    bare = stage.user / "bare"
    for made in ("objects", "refs", "hooks"):
        (bare / made).mkdir(parents=True)
    (bare / "HEAD").touch()
    assert stage.volume(f"{bare}:/x") and stage.volume(f"{bare}/hooks:/x")


def test_what_became_unsafe_since_is_refused_at_the_next_start(stage: Stage) -> None:
    row = stage.session(volumes=(f"{stage.user}/data/sub:/x",))
    unsafe.check_again(stage.context(), row)
    (stage.user / "data/sub").rmdir()
    (stage.user / "data/sub").symlink_to("/")
    with pytest.raises(UsageError, match="holds"):
        unsafe.check_again(stage.context(), row)


OPTIONS = [
    ["--privileged"], ["--privileged=1"], ["--pid", "host"], ["--pid=host"], ["--network=host"], ["--net", "host"],
    ["--network", "container:other"], ["--ipc=host"], ["--uts=host"], ["--userns=host"], ["--cgroupns=host"],
    ["--cgroup-parent=/"], ["--device", "/dev/kvm"], ["--device=/dev/mem"], ["--device-cgroup-rule=a *:* rwm"],
    ["--gpus", "all"], ["--cap-add", "ALL"], ["--cap-add=SYS_ADMIN"], ["--security-opt", "seccomp=unconfined"],
    ["--security-opt=apparmor=unconfined"], ["--security-opt=label=disable"], ["--security-opt=systempaths=unconfined"],
    ["--security-opt=no-new-privileges=false"], ["--runtime=other"], ["--group-add", "docker"], ["-u0"], ["--user=0"],
    ["--entrypoint=x"], ["--env-file=/etc/environment"], ["--label-file=x"], ["--label", "clauderon.id=other"],
    ["-lclauderon.home=/x"], ["--name=other"], ["--rm"], ["-v/:/host"], ["-v=/:/host"], ["-itv/:/host"],
    ["-v", "/:/host"], ["--volume=/etc:/x:ro"], ["--mount", "type=bind,source=/,target=/x"],
    ["--mount=type=bind,src=/etc,dst=/x,ro"], ["--mount=TYPE=bind,source=/srv,source=/,target=/x"],
    ["--mount=type=bind,source=/srv,target=/x,bind-propagation=rslave"],
    ["--mount=type=volume,source=v,target=/x,volume-opt=type=none,volume-opt=device=/,volume-opt=o=bind"],
    ["--mount=type=volume,source=v,target=/x,volume-driver=other"], ["--mount=type=image,source=i,target=/x"],
    ['--mount=type=bind,"source=/",target=/x'], ["--mount=type=tmpfs,target=/etc/clauderon"], ["--tmpfs=/workspace/.git"],
    ["--tmpfs", "/clauderon/session"], ["--volumes-from=other"], ["--volume-driver=local"], ["--cidfile=/x"],
    ["--sysctl=net.ipv4.ip_forward=1"], ["--add-host=host.docker.internal:198.51.100.1"], ["--link=other"],
    ["--ip=198.51.100.2"], ["--oom-score-adj=-1000"], ["--log-opt", "path=/etc/cron.d/x"], ["--log-driver=fluentd"],
    ["--use-api-socket"], ["--detach=false"], ["-d=0"], ["--storage-opt", "overlay2.x=1"], ["image"], ["--"],
    ["--later-option"], ["-Z"], ["--annotation", "a=b"], ["--volume"], ["--pull=always"], ["--publish=3030:80"],
    ["-p", "published=8080,target=80,published=3100"], ["-p", "published=127.0.0.1:3100,target=80"],
    ["-p", "target=3100:80,published=127.0.0.1"], ["-p", "[::1]:3100:80/tcp"], ["-p", "published=host,target=80"],
    ["-p", "127.0.0.1:3100-3105:80-85"], ["--restart=always"], ["--add-host", "x host.docker.internal:198.51.100.1"],
    ["--add-host=HOST.docker.internal.=198.51.100.1"], ["--add-host", "x\n198.51.100.1 host.docker.internal:::1"],
]  # fmt: skip


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_an_option_that_undoes_something_is_refused(stage: Stage, words: list[str]) -> None:
    assert stage.reasons(*words)


@pytest.mark.parametrize(
    "words",
    [
        ["--cpus", "2"], ["-m", "1g"], ["--shm-size=1g"], ["--ulimit", "nofile=1024"], ["--tmpfs", "/tmp"],
        ["--tmpfs=/dev/shm:size=1g"], ["--cap-drop=ALL"], ["--security-opt=no-new-privileges"], ["--init=false"],
        ["--privileged=false"], ["--label", "team=a"], ["-eA=b"], ["--dns", "198.51.100.1"], ["--read-only"], [],
        ["--add-host", "db:198.51.100.1"], ["-p", "127.0.0.1:8080:80"], ["-p", "published=8080,target=80"],
        ["-p", "80"], ["-p", "127.0.0.1::80/udp"], ["--log-opt", "max-size=1m"], ["--ipc=private"],
        ["--mount", "type=tmpfs,target=/scratch"], ["--mount=type=volume,source=plain,target=/x"], ["--runtime=runsc"],
        ["--hostname", "h"], ["--restart=no"], ["--storage-opt", "size=10G"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_harmless_option_is_let_through(stage: Stage, words: list[str]) -> None:
    assert stage.reasons(*words) == ()


def test_dns_is_a_way_out_of_a_proxied_network_alone(stage: Stage) -> None:
    assert stage.reasons("--dns", "198.51.100.1", network="proxied")


@given(
    st.lists(
        st.sampled_from(["-i", "-t", "-it", "--init", "-m", "64m", "-eA=b", "--label", "a=b"]), max_size=4
    )
)
def test_nothing_safe_before_it_hides_an_unsafe_one(
    tmp_path_factory: pytest.TempPathFactory, before: list[str]
) -> None:
    """Where docker would still see the option, so do we; else the words could not be read, which is refused as well."""
    stage = Stage(tmp_path_factory.mktemp("stage"))
    told = runoptions.parse([*before, "--privileged"])
    swallowed = not told.unread and told.options[-1].name != "privileged"
    assert bool(stage.reasons(*before, "--privileged")) != swallowed or swallowed


def test_a_credential_is_not_given_as_a_variable(stage: Stage) -> None:
    stage.environ["GH_TOKEN"] = "ghp_obviously_fake_0123"
    assert stage.reasons(env={"MY_TOKEN": "ghp_obviously_fake_0123"})
    assert stage.reasons("-e", "GH_TOKEN") and stage.reasons("-eX=token ghp_obviously_fake_0123")
    (stage.home.secrets / "openai_api_key").write_text("sk-obviously-fake-0123\n")
    assert stage.reasons(env={"KEY": "sk-obviously-fake-0123"})
    assert stage.reasons(env={"GH_TOKEN": "another", "DEBUG": "1"}) == ()
    own = Agent("own", command=("x",), env={"TOKEN": "sk-obviously-fake-0123"})
    context = stage.context()
    context = context._replace(config=context.config._replace(agents={"own": own}))
    assert unsafe.reasons(context, stage.session(agent="own"))
    assert unsafe.reasons(context, stage.session(agent="claude")) == ()


def test_it_has_to_be_said_aloud_and_where_it_is_written(stage: Stage) -> None:
    flag, file = stage.session(volumes=("/:/host",)), stage.session(extra_args=("--privileged",))
    with pytest.raises(UsageError) as refused:
        unsafe.refuse(stage.context(), flag, aloud=False)
    assert refused.value.what == "--volume '/:/host'" and "--unsafe" in str(refused.value.hint)
    with pytest.raises(UsageError, match="extra_args"):
        unsafe.refuse(stage.context(), file, aloud=False)
    with pytest.raises(UsageError):
        unsafe.refuse(stage.context(unsafe_file=True), flag, aloud=False)
    assert unsafe.refuse(stage.context(unsafe_file=True), file, aloud=False)
    assert unsafe.refuse(stage.context(), flag, aloud=True)
    assert unsafe.refuse(stage.context(unsafe_file=True), stage.session(), aloud=True) == ()
