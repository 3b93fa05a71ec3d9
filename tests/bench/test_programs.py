"""The upstream and the load generator, run against each other with no proxy between."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import proxy
from bench.machine import Unavailable
from bench.peers import Direct, Stage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("cc") and Path("/usr/include/openssl/ssl.h").exists()),
        reason="no cc or no libssl-dev",
    ),
]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with proxy.stage(1) as made:
        yield made


@pytest.mark.parametrize(
    ("arguments", "field", "domain"),
    [
        (["rate", "4", "0.1", "/bytes/1024"], "per_s", proxy.HOST),
        (["rate", "4", "0.1", "/whole/1024"], "per_s", proxy.HOST),
        (["latency", "20", "/bytes/0"], "median_us", proxy.HOST),
        (["cold", "2", "0.1"], "per_s", proxy.HOST),
        (["hosts", "2", "10", "new"], "per_s", proxy.DOMAIN),
        (["handshakes", "2", "10", "new"], "per_s", proxy.DOMAIN),
        (["down", "3000000"], "mb_per_s", proxy.HOST),
        (["packed", "3000000"], "mb_per_s", proxy.HOST),
        (["up", "3000001"], "mb_per_s", proxy.HOST),
        (["chunked", "3000001"], "mb_per_s", proxy.HOST),
        (["events", "5", "5", "2"], "median_us", proxy.HOST),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_each_measurement_gives_its_figure(
    stage: Stage, arguments: list[str], field: str, domain: str
) -> None:
    assert proxy.load(stage, Direct(), domain, arguments)[field] > 0


def test_a_name_the_certificate_does_not_have_is_refused(stage: Stage) -> None:
    with pytest.raises(Unavailable, match="hostname mismatch"):
        proxy.load(stage, Direct(), "elsewhere.test", ["latency", "1", "/bytes/1"])


def test_an_answer_other_than_200_is_a_failure(stage: Stage) -> None:
    with pytest.raises(Unavailable, match="connection lost"):
        proxy.load(stage, Direct(), proxy.HOST, ["latency", "1", "/nowhere"])


def test_no_two_runs_use_the_same_new_names() -> None:
    prefixes = {proxy.prefix(k, n, a) for k in ("hosts", "handshakes") for n in range(3) for a in range(3)}
    assert len(prefixes) == 18
