"""What docker prints, read. The originals are recorded in the transcripts; here are the odd shapes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.docker import parse


def line(**fields: object) -> str:
    return json.dumps(
        {"ID": "c1", "Names": "clauderon-x", "Status": "Up 2 seconds", "Image": "img", **fields}
    )


def test_container_list_of_nothing_is_empty() -> None:
    assert parse.parse_container_list("") == []


@pytest.mark.parametrize(
    ("fields", "state", "exit_status"),
    [
        ({"State": "running"}, "running", None),
        ({"State": "exited", "Status": "Exited (137) 3 minutes ago"}, "exited", 137),
        ({"Status": "Exited (0) 3 days ago"}, "exited", 0),
        ({"Status": "Up 5 minutes (Paused)"}, "paused", None),
        ({"Status": "Created"}, "created", None),
    ],
)
def test_container_state_with_and_without_the_state_field(
    fields: dict[str, str], state: str, exit_status: int | None
) -> None:
    found = parse.parse_container_list(line(**fields))[0]
    assert (found.state, found.exit_status) == (state, exit_status)


def test_a_label_the_container_has_not_is_not_there() -> None:
    said = {"clauderon.id": "abc", "clauderon.session": "x,y=z", "clauderon.home": "", "clauderon.probe": ""}
    found = parse.parse_container_list(line(Labels=said))[0]
    assert found.labels == {"clauderon.id": "abc", "clauderon.session": "x,y=z"}


def test_mixed_inspect_tells_objects_apart() -> None:
    found = parse.parse_inspect(
        "\n".join(
            json.dumps(item)
            for item in (
                {"Id": "sha256:1", "RootFS": {}, "Architecture": "amd64", "Config": {"Env": None}},
                {
                    "Name": "n",
                    "Id": "2",
                    "IPAM": {"Config": [{"Subnet": "fd00::/64"}, {"Subnet": "10.0.0.0/24"}]},
                },
                {"Name": "v", "Mountpoint": "/m", "CreatedAt": "t", "Labels": None},
                {"Name": "/container", "State": {}},
            )
        )
    )
    assert [i.id for i in found.images] == ["sha256:1"]
    assert [n.subnet for n in found.networks] == ["10.0.0.0/24"]
    assert [v.name for v in found.volumes] == ["v"]


def test_what_containers_use_in_bytes_and_percent() -> None:
    """docker counts in 1024, podman in 1000; of a container that has just ended docker says `--`."""
    lines = [
        '{"id":"a","cpu":"105.31%","memory":"1.5GiB / 2GiB"}',
        '{"id":"b","cpu":"0.00%","memory":"512kB / 2GB"}',
        '{"id":"c","cpu":"--","memory":"-- / --"}',
        '{"id":"d","cpu":"0.00%","memory":"0B / 0B"}',
    ]
    assert parse.parse_stats("\n".join(lines)) == {
        "a": (105.31, 3 << 29),
        "b": (0.0, 512_000),
        "d": (0.0, 0),
    }


PARSERS = [each for name, each in vars(parse).items() if name.startswith("parse_")]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["ID", "Id", "Names", "Name", "State", "Labels", "Config", "Status", "Volumes", "IPAM"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=8,
)


@given(st.text() | st.lists(JUNK.map(json.dumps), max_size=3).map("\n".join))
def test_a_docker_that_says_anything_else_is_no_bug_of_ours(text: str) -> None:
    """Seen as "clauderon: bug: JSONDecodeError" at every command, where a stand-in for docker printed what it liked."""
    for parser in PARSERS:
        try:
            parser(text)
        except parse.Unreadable as error:
            assert error.hint and error.why


def test_nesting_without_end_is_none_either() -> None:
    for parser in PARSERS:
        with pytest.raises(parse.Unreadable):
            parser("[" * 50_000)
