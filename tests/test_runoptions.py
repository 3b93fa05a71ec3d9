"""Where docker's options end: held against the real command line, spelling by spelling."""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clauderon import runoptions
from clauderon.runoptions import Option, parse


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--volume", "/:/host"], "volume", "/:/host"),
        (["--volume=/:/host"], "volume", "/:/host"),
        (["-v", "/:/host"], "volume", "/:/host"),
        (["-v/:/host"], "volume", "/:/host"),
        (["-v=/:/host"], "volume", "/:/host"),
        (["-itv/:/host"], "volume", "/:/host"),
        (["-itPv", "/:/host"], "volume", "/:/host"),
        (["-v", "--privileged"], "volume", "--privileged"),
        (["-v="], "volume", "="),
        (["--privileged"], "privileged", "true"),
        (["--privileged=1"], "privileged", "true"),
        (["--privileged=F"], "privileged", "false"),
        (["-it=false"], "tty", "false"),
    ],
)
def test_an_option_is_found_in_every_spelling(words: list[str], name: str, value: str) -> None:
    parsed = parse(words)
    assert not parsed.unread
    assert Option(name, value, parsed.options[-1].word) == parsed.options[-1]


@pytest.mark.parametrize(
    "words",
    [["image"], ["-"], [""], ["--"], ["--init", "image", "--x"], ["--later-option"], ["-Z"], ["-itZ"], ["--volume"],
     ["--privileged=yes"], ["--="], ["---x"], ["-iv"]],
)  # fmt: skip
def test_what_cannot_be_read_is_said(words: list[str]) -> None:
    assert parse(words).unread


def test_the_value_of_mount_is_read_as_docker_reads_it() -> None:
    read = runoptions.parse_mount(
        "TYPE=Bind,src=/a,source=/b,dst=/x,target=/y,readonly=0,bind-propagation=rshared"
    )
    assert read == ("bind", "/b", "/y", False, (("bind-propagation", "rshared"),))
    assert runoptions.parse_mount('type=bind,"source=/,a",target=/x') is None
    assert runoptions.parse_mount("type=bind, source=/,target=/x") is None


class _Engine(http.server.BaseHTTPRequestHandler):
    """Takes a `container create`, keeps what it was asked for, and refuses it."""

    asked: ClassVar[list[Any]] = []

    def do_GET(self) -> None:
        self._answer(200, b"OK")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        type(self).asked.append(json.loads(body))
        self._answer(500, b'{"message": "refused"}')

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture(scope="module")
def listening() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_port}"
        server.shutdown()


def asked(host: str, words: list[str]) -> Any:
    """What the docker on PATH asks an engine for; None if it refuses the words."""
    _Engine.asked.clear()
    environ = {**os.environ, "DOCKER_HOST": host}
    argv = ["docker", "run", "-d", "--pull", "never", *words, "image-here", "COMMAND"]
    subprocess.run(argv, env=environ, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return _Engine.asked[-1] if _Engine.asked else None


_FRAGMENTS = (
    "-v", "-v/a:/b", "-v=/a:/b", "-iv", "-itv/c:/d", "-i", "-t", "-it", "-it=false", "-i=true", "-i=0", "-P", "-Pi",
    "--volume", "--volume=/e:/f", "--privileged", "--privileged=true", "--privileged=false", "--privileged=T", "--init",
    "--cap-add", "--cap-add=ALL", "--pid", "--pid=host", "--label", "-l", "-la=b", "-lit", "-e", "-eA=b", "-e=A=b",
    "--env", "-h", "-hx", "-u0", "-u", "--user=0", "-w/x", "-m", "-m64m", "-c", "-c5", "-p80", "-p", "--network",
    "--network=host", "--tmpfs", "--tmpfs=/x", "--mount", "--mount=type=bind,source=/,target=/x", "/a:/b", "host",
    "A=b", "64m", "80", "-", "--", "", "=", "--rm", "--rm=0", "-q", "--no-such", "-Z", "--cgroupns", "--net=host",
)  # fmt: skip


@pytest.mark.live
@settings(max_examples=60)
@given(st.lists(st.sampled_from(_FRAGMENTS), max_size=5))
@example(["-itv/c:/d", "-v", "--privileged"])
@example(["-lit", "-e", "-v/a:/b"])
def test_the_real_docker_ends_the_options_where_we_do(listening: str, words: list[str]) -> None:
    """Whatever we can read to its end docker reads to the same end, with the same volumes and rights.

    Seen to fail with the switches and the options that take a value exchanged, and with a glued value not looked for.
    """
    parsed = parse(words)
    if parsed.unread:
        return
    wanted = asked(listening, words)
    if wanted is None:
        return  # a value that docker refuses
    assert wanted["Image"] == "image-here" and wanted["Cmd"] == ["COMMAND"]
    host = wanted["HostConfig"]
    volumes = {option.value for option in parsed.options if option.name == "volume"}
    assert set(host["Binds"] or ()) == {v for v in volumes if ":" in v}
    privileged = [option.value for option in parsed.options if option.name == "privileged"]
    assert host["Privileged"] == (privileged[-1:] == ["true"])
    pids = [option.value for option in parsed.options if option.name == "pid"]
    assert host["PidMode"] == (pids[-1] if pids else "")


@pytest.mark.live
def test_the_real_docker_asks_the_engine_at_all(listening: str) -> None:
    """A name of an image that it refuses by itself would leave the test above with nothing to compare."""
    assert asked(listening, ["-itv/c:/d"])["HostConfig"]["Binds"] == ["/c:/d"]


@pytest.mark.live
def test_every_option_of_the_real_docker_takes_a_value_where_we_say_so() -> None:
    """An option that docker gains is unsafe until it is looked at; this says which ones to look at."""
    help_text = subprocess.run(["docker", "run", "--help"], capture_output=True, text=True, check=True).stdout
    options = re.findall(r"^\s+(?:-(\w), )?\s*--([a-z0-9-]+)(?: (\S+))? {2,}", help_text, re.MULTILINE)
    assert len(options) > 90
    for short, name, kind in options:
        known = runoptions.WITH_VALUE if kind else runoptions.SWITCHES
        other = runoptions.SWITCHES if kind else runoptions.WITH_VALUE
        assert name not in other, name
        if name in known and short:
            assert runoptions.SHORT[short] == name


def test_the_lists_do_not_overlap() -> None:
    assert not runoptions.SWITCHES & runoptions.WITH_VALUE
    assert set(runoptions.SHORT.values()) <= runoptions.SWITCHES | runoptions.WITH_VALUE
