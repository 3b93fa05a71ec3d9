"""The upstream and the load generator, run against each other with no proxy between."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import proxy
from bench.machine import ROOT, Unavailable, free_ports
from bench.peers import Direct, Relay, Stage

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


@pytest.mark.parametrize(
    "arguments",
    [["rate", "4", "0.1", "/bytes/1024"], ["cold", "2", "0.1"], ["down", "3000000"], ["up", "3000001"],
     ["chunked", "3000001"], ["events", "5", "5", "2"]],
    ids=lambda value: value[0],
)  # fmt: skip
def test_the_relay_passes_each_measurement(stage: Stage, arguments: list[str]) -> None:
    relay = Relay()
    relay.set_up()
    relay.start(stage, free_ports(1)[0])
    try:
        assert all(figure > 0 for figure in proxy.load(stage, relay, proxy.HOST, arguments).values())
    finally:
        relay.stop()


def test_the_relay_refuses_an_upstream_that_it_cannot_verify(stage: Stage) -> None:
    relay = Relay()
    relay.set_up()
    relay.start(replace(stage, upstream_ca=stage.ca_cert), free_ports(1)[0])
    try:
        with pytest.raises(Unavailable):
            proxy.load(stage, relay, proxy.HOST, ["latency", "1", "/bytes/1"])
    finally:
        relay.stop()


CHUNKS = r"""
#include "tunnel.h"
int main(int argc, char **argv) {
    struct tunnel *t = calloc(1, sizeof *t);
    for (int i = 1; i < argc; i++) {
        size_t size = strlen(argv[i]);
        memcpy(t->in + t->in_length, argv[i], size);
        printf("%d", take(t, size));
    }
    return ask_for_tunnel != NULL && tunnel_open == NULL;
}
"""


@pytest.fixture(scope="module")
def chunks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("chunks")
    (directory / "chunks.c").write_text(CHUNKS)
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-w", f"-I{ROOT / 'bench'}"]
    program = directory / "chunks"
    subprocess.run(["cc", *flags, "-o", program, directory / "chunks.c", "-lssl", "-lcrypto"], check=True)
    return program


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_chunked_answer_is_whole_at_its_last_byte_wherever_it_is_cut(
    data: st.DataObject, chunks: Path
) -> None:
    sizes = data.draw(st.lists(st.integers(1, 40), max_size=4))
    body = "".join(f"{size:x}\r\n{'7' * size}\r\n" for size in sizes)
    answer = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}0\r\n\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(answer) - 1), max_size=8)))
    parts = [answer[a:b] for a, b in zip([0, *cuts], [*cuts, len(answer)], strict=True)]
    said = subprocess.run([chunks, *parts], capture_output=True, text=True, check=True).stdout
    assert said == "0" * (len(parts) - 1) + "1"
