"""The words docker is told."""

from __future__ import annotations

import csv
import io
import itertools

from hypothesis import given
from hypothesis import strategies as st

from clauderon.docker import argv
from clauderon.mount import Mount
from clauderon.spec import ContainerSpec

PATHS = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).map(lambda text: "/" + text)


def test_an_overlay_is_a_nameless_volume_that_says_whose_it_is() -> None:
    mount = Mount("lowerdir=/a:/b,upperdir=/c", "/objects", kind="overlay", owner=("/ho,me", "0123"))
    (row,) = csv.reader([argv.mount_value(mount)])
    assert row == [
        *("type=volume", "target=/objects", "volume-nocopy", "volume-driver=local"),
        *("volume-label=clauderon.home=/ho,me", "volume-label=clauderon.lent=0123"),
        *("volume-opt=type=overlay", "volume-opt=device=overlay", "volume-opt=o=lowerdir=/a:/b,upperdir=/c"),
    ]


@given(PATHS, PATHS, st.booleans())
def test_a_mount_survives_dockers_csv_whatever_the_path(source: str, target: str, read_only: bool) -> None:
    value = argv.mount_value(Mount(source, target, read_only=read_only))
    fields = next(csv.reader(io.StringIO(value, newline="")))
    assert fields == [
        "type=bind", f"source={source}", f"target={target}", *(["readonly"] if read_only else []),
    ]  # fmt: skip


def words(**changes: object) -> list[str]:
    spec = ContainerSpec(name="clauderon-x", image="img", command=("sh", "/start"), **changes)  # type: ignore[arg-type]
    return argv.container_run_argv(spec)


def test_a_signal_that_ends_docker_run_is_not_handed_on_to_the_agent() -> None:
    """Seen without it: of 14 containers whose `docker run -d` was interrupted while they began, 12 ended with 130 or 143;
    an interrupted `refresh` on a slow engine left the session ended (`tests/live/test_refresh.py`)."""
    assert "--sig-proxy=false" in words()


def pairs(argv_words: list[str]) -> list[tuple[str, str]]:
    return list(itertools.pairwise(argv_words))


def test_a_container_is_confined() -> None:
    found = pairs(words(pids=4096))
    assert ("--cap-drop", "ALL") in found
    assert ("--security-opt", "no-new-privileges") in found
    assert ("--pids-limit", "4096") in found
    assert "--init" in words()


def test_no_limit_means_no_flag() -> None:
    assert not {"--cpus", "--memory", "--pids-limit"} & set(words())


def test_the_log_is_bounded_unless_its_driver_is_chosen_elsewhere() -> None:
    """Seen to fail without `_log_argv`: `yes` in a container wrote 525 MB in 10 s into the engine's directory."""
    found = pairs(words(log_max_mib=64))
    assert ("--log-driver", "json-file") in found
    assert ("--log-opt", "max-size=16384k") in found and ("--log-opt", "max-file=4") in found
    assert "--log-driver" not in words(log_max_mib=0)
    assert "--log-opt" not in words(log_max_mib=64, extra_args=("--log-driver=journald",))


def test_what_a_program_may_open_write_and_dump_is_passed() -> None:
    found = pairs(words(ulimits={"nofile": 16384, "core": 0}, disk=1 << 30))
    assert ("--ulimit", "nofile=16384:16384") in found and ("--ulimit", "core=0:0") in found
    assert ("--storage-opt", "size=1073741824") in found


def test_limits_are_passed() -> None:
    found = pairs(words(cpus="4", memory="8589934592b"))
    assert ("--cpus", "4") in found and ("--memory", "8589934592b") in found


def test_the_image_comes_after_every_option_and_the_command_after_the_image() -> None:
    told = words(extra_args=("--gpus", "all"), env={"A": "b"})
    assert told[-4:] == ["--gpus", "all", "img", "/start"]
    assert ("--entrypoint", "sh") in pairs(told)


def test_a_run_never_pulls_by_itself() -> None:
    assert ("--pull", "never") in pairs(words())
