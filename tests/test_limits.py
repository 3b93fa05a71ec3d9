"""What a person types for limits of CPU and memory, and what Docker is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import limits
from clauderon.errors import UsageError


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
        (".5", "0.5"),
        ("4.", "4"),
        ("100000", "100000"),
        # docker --cpus takes billionths: "value is too precise"
        ("0.3333333333333", "0.333333333"),
        ("0.123456789", "0.123456789"),
        ("1.0000000000001", "1"),
        ("333.3333333333m", "0.333333333"),
    ],
)
def test_cpu_limit_is_told_as_docker_takes_it(typed: str, told: str) -> None:
    assert limits.cpus(typed) == told


@pytest.mark.parametrize(
    "typed",
    [
        *("0", "-1", "0m", "four", "nan", "inf", "1e9", "1e2", "0.001", "1,5", "0x4", "100001"),
        *("1_0", "1_000m", "٨", "8m8", ".", ".m", "m", "9" * 400),
    ],
)
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
        ("6.0000000000000000000001m", 6 << 20),
        ("1048576t", 1 << 60),
    ],
)
def test_memory_limit_is_told_in_bytes(typed: str, size: int) -> None:
    assert limits.memory(typed) == f"{size}b"


@pytest.mark.parametrize(
    "typed",
    [
        *("8", "-1g", "0", "5m", "8x", "g", "1e3g", "8 g b", "one"),
        # More than the engine's signed 64 bits, and digits that are not docker's.
        *(
            "99999999t",
            "9223372036854775807",
            "1048577t",
            "9" * 400 + "g",
            "1_0g",
            "٨g",
            "8\u212a",
            "8ii",
            "8ib0",
        ),
    ],
)
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
