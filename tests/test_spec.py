"""What a person types for images, users and variables, and what Docker is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon import spec
from clauderon.errors import UsageError
from clauderon.mount import Mount
from clauderon.paths import Home
from clauderon.record import Session


@pytest.mark.parametrize(
    "reference",
    [
        "rust:1.85",
        "ubuntu",
        "ghcr.io/anthropics/claude-code:latest",
        "127.0.0.1:5000/team/image:v1",
        "localhost/image",
        "image@sha256:" + "a" * 64,
        "registry.example.com:443/a/b_c/d-e:T.a-g@sha256:" + "0" * 64,
        "sha256:" + "b" * 64,
        "bc08223bf5d5",
    ],
)
def test_image_references_docker_takes_are_taken(reference: str) -> None:
    assert spec.image(reference) == reference


@pytest.mark.parametrize(
    "reference", ["", "-x", "--privileged", "Rust:1", "a b", "a:b:c", "a//b", "a@sha256:1", "$(x)", "a\nb"]
)
def test_image_references_docker_cannot_take_are_refused(reference: str) -> None:
    with pytest.raises(UsageError):
        spec.image(reference)


@pytest.mark.parametrize(
    ("setting", "told"), [("host", "501:20"), ("image", ""), ("1000:1000", "1000:1000"), ("7", "7:7")]
)
def test_user_setting(setting: str, told: str) -> None:
    assert spec.user(setting, uid=501, gid=20) == told


def test_env_takes_values_and_names_from_our_environment() -> None:
    assert spec.environment(["A=b=c", "HOME", "EMPTY="], {"HOME": "/h"}) == {
        "A": "b=c",
        "HOME": "/h",
        "EMPTY": "",
    }


@pytest.mark.parametrize("item", ["=x", "1A=x", "A B=x", "MISSING", "", "A=x\0y", "$(x)=1"])
def test_unusable_env_is_refused(item: str) -> None:
    with pytest.raises(UsageError):
        spec.environment([item], {})


def session(**changes: object) -> Session:
    plain = Session(
        id="0123456789ab", name="fix.bug_1", state="running", step="", port=3101, repo="/r", git_dir="/r/.git",
        branch="clauderon/fix.bug_1", base="c" * 40, agent="claude", image="img", created_at=1.0, updated_at=1.0,
        ip="172.18.0.9", user="501:20",
    )  # fmt: skip
    return plain.changed(**changes)


def container(row: Session, **env: str) -> spec.ContainerSpec:
    return spec.container(
        row,
        Home(Path("/h")),
        network="clauderon",
        gateway="172.18.0.1",
        mounts=[Mount("/w", "/workspace")],
        env=env,
    )


def test_container_has_the_page_s_proxy_variables_in_both_cases() -> None:
    env = container(session()).env
    url = "http://host.docker.internal:3101"
    assert [env[k] for k in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")] == [url] * 4


def test_no_proxy_of_the_users_docker_configuration_leaks_in() -> None:
    env = container(session()).env
    assert [env[k] for k in ("ALL_PROXY", "all_proxy", "FTP_PROXY", "ftp_proxy")] == [""] * 4


def test_the_users_variables_win_over_the_agents_but_not_over_the_proxys() -> None:
    row = session(env={"MODE": "mine", "HTTPS_PROXY": "http://elsewhere"})
    env = container(row, MODE="agent").env
    assert env["MODE"] == "mine"
    assert env["HTTPS_PROXY"] == "http://host.docker.internal:3101"


def test_labels_bring_the_whole_record_back() -> None:
    row = session(env={"A": "b,c=d"}, allow=("a.example",), memory="8589934592b")
    labels = container(row).labels
    assert Session.from_json(labels["clauderon.spec"]) == row
    assert (labels["clauderon.session"], labels["clauderon.id"], labels["clauderon.home"]) == (
        row.name,
        row.id,
        "/h",
    )


def test_hostname_is_a_valid_label_whatever_the_name() -> None:
    assert container(session()).hostname == "fix-bug-1"


def test_a_headless_container_has_no_terminal() -> None:
    assert not container(session(print_mode=True)).tty
    assert container(session()).tty
