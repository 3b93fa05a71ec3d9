"""What a person types for limits, images, users and variables, and what Docker is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import limits, spec
from clauderon.errors import UsageError
from clauderon.mount import Mount
from clauderon.paths import Home
from clauderon.store import Session


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("4", "4"),
        ("0.5", "0.5"),
        ("500m", "0.5"),
        ("1500m", "1.5"),
        ("", ""),
        ("2.50", "2.5"),
        (" 4 ", "4"),
        ("10", "10"),
    ],
)
def test_cpu_limit_is_told_as_docker_takes_it(typed: str, told: str) -> None:
    assert limits.cpus(typed) == told


@pytest.mark.parametrize("typed", ["0", "-1", "0m", "four", "nan", "inf", "1e9", "0.001", "1,5", "0x4"])
def test_unusable_cpu_limit_is_refused_with_the_flag_named(typed: str) -> None:
    with pytest.raises(UsageError) as refused:
        limits.cpus(typed)
    assert refused.value.what == f"--cpu-limit {typed}"
    assert refused.value.hint


@pytest.mark.parametrize(
    ("typed", "size"),
    [
        ("8g", 8 << 30),
        ("8G", 8 << 30),
        ("8Gi", 8 << 30),
        ("8GiB", 8 << 30),
        ("8GB", 8 << 30),
        ("512m", 512 << 20),
        ("1.5g", 3 << 29),
        ("8388608", 8 << 20),
        ("8388608b", 8 << 20),
        ("6m", 6 << 20),
    ],
)
def test_memory_limit_is_told_in_bytes(typed: str, size: int) -> None:
    assert limits.memory(typed) == f"{size}b"


@pytest.mark.parametrize("typed", ["8", "-1g", "0", "5m", "8x", "g", "1e3g", "8 g b", "one"])
def test_unusable_memory_limit_is_refused(typed: str) -> None:
    with pytest.raises(UsageError) as refused:
        limits.memory(typed)
    assert refused.value.what == f"--memory-limit {typed}"


def test_memory_limit_without_a_unit_says_that_the_unit_is_missing() -> None:
    with pytest.raises(UsageError) as refused:
        limits.memory("8")
    assert "a unit is missing" in refused.value.why
    assert refused.value.hint == "clauderon create --memory-limit 8g ..."


def test_an_empty_limit_is_no_limit() -> None:
    assert (limits.cpus(""), limits.memory("")) == ("", "")


@given(st.integers(6, 1 << 20), st.sampled_from(["m", "g", "t", "k"]))
def test_memory_limit_reads_back_as_it_was_typed(number: int, unit: str) -> None:
    typed = f"{number}{unit}"
    try:
        told = limits.memory(typed)
    except UsageError:
        assert unit == "k" and number < 6 * 1024
    else:
        assert limits.memory(limits.memory_text(told)) == told


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


def test_container_mounts_the_shared_volumes() -> None:
    volumes = {m.source for m in container(session()).mounts if m.kind == "volume"}
    assert volumes == {"clauderon-cargo-registry", "clauderon-cargo-git", "clauderon-sccache"}


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
