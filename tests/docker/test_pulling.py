"""How far a pull is, from what docker really printed on a terminal and in a pipe."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from clauderon.docker.pulling import Pulled
from tests.standins.terminal import on_a_terminal

TWO = "abfed3bb8941", "55944d38946c"
# Of docker 28.2, with the two layers' names in the order they came.
DRAWN = (
    "1: Pulling from finx\r\n\r\n"
    f"\x1b[1A\x1b[2K\r{TWO[1]}: Already exists \r\x1b[1B\r\n"
    f"\x1b[1A\x1b[2K\r{TWO[0]}: Pulling fs layer \r\x1b[1B"
    f"\x1b[1A\x1b[2K\r{TWO[0]}: Downloading  433.2kB/41.89MB\r\x1b[1B"
    f"\x1b[1A\x1b[2K\r{TWO[0]}: Downloading [======>      ]  19.03MB/41.89MB 3s\r\x1b[1B"
)
REST = (
    f"\x1b[1A\x1b[2K\r{TWO[0]}: Verifying Checksum \r\x1b[1B"
    f"\x1b[1A\x1b[2K\r{TWO[0]}: Extracting  23.86MB/41.89MB\r\x1b[1B"
)
END = f"\x1b[1A\x1b[2K\r{TWO[0]}: Pull complete \r\x1b[1BDigest: sha256:bff1f7\r\n"


def after(*texts: str) -> tuple[float, float | None, str]:
    pulled = Pulled()
    for text in texts:
        pulled.feed(text)
    return pulled.progress


def test_on_a_terminal_bytes_are_counted() -> None:
    assert after(DRAWN) == (19_030_000, 41_890_000, "19.0 of 41.9 MB, 1 of 2 layers")
    assert after(DRAWN, REST) == (41_890_000, 41_890_000, "41.9 of 41.9 MB, 1 of 2 layers")
    assert after(DRAWN, REST, END)[2] == "41.9 of 41.9 MB, 2 of 2 layers"


def test_a_layer_that_waits_makes_the_sum_a_least_one() -> None:
    assert after("aaaaaaaaaaaa: Waiting \r", DRAWN)[2] == "19.0 of at least 41.9 MB, 1 of 3 layers"


def test_in_a_pipe_layers_are_counted() -> None:
    lines = "1: Pulling from x\n", f"{TWO[0]}: Pulling fs layer\n", f"{TWO[1]}: Pulling fs layer\n"
    assert after(lines[0]) == (0, None, "1: Pulling from x")
    assert after(*lines) == (0, 2, "0 of 2 layers")
    assert after(*lines, f"{TWO[0]}: Pull complete\n") == (1, 2, "1 of 2 layers")


@hypothesis.given(st.lists(st.integers(0, len(DRAWN + REST + END))))
def test_where_it_is_cut_says_nothing(cuts: list[int]) -> None:
    whole = DRAWN + REST + END
    edges = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in itertools.pairwise(edges)]
    assert after(*pieces) == after(whole)


@hypothesis.given(
    st.lists(st.text(st.sampled_from("abcdef0123456789: DownloadingPMBkx./\r\n\x1b[K")), max_size=30)
)
def test_nothing_that_docker_prints_is_too_odd(pieces: list[str]) -> None:
    done, total, words = after(*pieces)
    assert done >= 0
    assert total is None or total >= 0
    assert "\x1b[K" not in words


_SCRIPT = """\
import itertools
import os
from types import SimpleNamespace
from clauderon.docker import Docker
from clauderon.config.schema import Docker as Config
from clauderon.output import Output
from clauderon.session.resources import pull
docker = Docker.of(Config(command={command!r}), dict(os.environ))
pull(SimpleNamespace(report=Output(), docker=docker), "x:1", "go on without")
"""
_DOCKER = """\
#!/bin/sh
[ -t 1 ] && echo drawn || echo plain >&2
printf '%s\\n' 'aaaaaaaaaaaa: Downloading  7.5MB/9MB'
sleep 1
"""


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_person_sees_the_bytes(tmp_path: Path, term: str) -> None:
    """Seen to fail with docker's stdout in a pipe, where it says no bytes: the bar went by layers."""
    command = tmp_path / "docker"
    command.write_text(_DOCKER)
    command.chmod(0o755)
    script = _SCRIPT.format(command=str(command))
    seen = on_a_terminal([sys.executable, "-c", script], environ={**os.environ, "TERM": term})
    assert seen.status == 0, seen.shown
    assert ("7.5 of 9.0 MB, 0 of 1 layers" in seen.shown) == (term == "xterm")
