"""What a person types for volumes and published ports; docker's own syntax, refused where docker would refuse it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon import extras
from clauderon.errors import UsageError

HERE = Path("/home/me/project")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("cache:/cache", "cache:/cache"),
        ("/srv/data:/data:ro", "/srv/data:/data:ro"),
        ("/srv/data:/data:ro,z", "/srv/data:/data:ro,z"),
        ("cache:/cache:nocopy", "cache:/cache:nocopy"),
        ("/anonymous", "/anonymous"),
        ("/with space, comma:/data", "/with space, comma:/data"),
        ("/srv:/clauderon/home/.cache", "/srv:/clauderon/home/.cache"),
        # As newer docker clients do themselves.
        ("./data:/data", "/home/me/project/data:/data"),
        ("..:/up:ro", "/home/me:/up:ro"),
    ],
)
def test_a_volume_docker_takes_is_taken(typed: str, told: str) -> None:
    assert extras.volumes([typed], HERE) == (told,)


@pytest.mark.parametrize(
    "typed",
    [
        *("", ":", ":/x", "a:", "aa::/b", "/a:/b:ro:ro", "aa:b", "cache", "x/y:/z", "a:/b", "a$:/b", "-x:/y"),
        *("aa:/b:foo", "aa:/b:ro,foo", "aa:/", "aa:/workspace", "aa://workspace/", "aa:/clauderon/home", "~/x:/x"),
    ],
)  # fmt: skip
def test_a_volume_docker_would_refuse_is_refused_with_the_flag_named(typed: str) -> None:
    with pytest.raises(UsageError) as refused:
        extras.volumes(["cache:/cache", typed], HERE)
    assert refused.value.what == f"--volume {typed!a}" and refused.value.hint


@pytest.mark.parametrize(
    "typed",
    [
        *("80", "8080:80", "127.0.0.1:8080:80", "127.0.0.1::80", "127.0.0.1:0:80", "[::1]:80:80", "::80", "80/udp"),
        *("53:53/UDP", "8000-8009:8000-8009", "8000-8009:80", "80-89", "target=80", "published=8080,target=80"),
        *("target=53,published=53,protocol=udp,mode=host", "65535", "0"),
    ],
)  # fmt: skip
def test_a_port_docker_publishes_is_taken(typed: str) -> None:
    assert extras.publish([typed]) == (typed,)


@pytest.mark.parametrize(
    "typed",
    [
        *("", "x", "80:x", "x:80", "70000", "80-79", "80-82:90-91", "80/foo", "80/", "1.2.3:80:80", "localhost:80:80"),
        *("80:80:80:80", "80:", "-80", "8_0", "٨", "published=80", "target=80,name=x", "80 ", "999999"),
    ],
)  # fmt: skip
def test_a_port_docker_would_refuse_is_refused_with_the_flag_named(typed: str) -> None:
    with pytest.raises(UsageError) as refused:
        extras.publish(["80", typed])
    assert refused.value.what == f"--publish {typed!a}" and refused.value.hint
