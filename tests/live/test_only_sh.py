"""An image of /bin/sh alone: every program the start script runs beside its agent has to be a question first."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.engine import Engine

pytestmark = pytest.mark.live


def sh_alone() -> bytes:
    """A root file system of dash and the libraries it is linked to. (Debian's busybox has its applets in itself.)"""
    dash = shutil.which("dash") or ""
    linked = subprocess.run(["ldd", dash], capture_output=True, text=True, check=True).stdout.split()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        tar.add(dash, "bin/sh")
        for library in (word for word in linked if word.startswith("/")):
            tar.add(library, library.lstrip("/"))
    return archive.getvalue()


@pytest.fixture
def alone(engine: Engine) -> Iterator[Engine]:
    if shutil.which("dash") is None:
        pytest.skip("dash is not installed")
    tag = f"clauderon-test:{engine.prefix}-sh"
    subprocess.run(
        ["docker", "import", "-", tag], input=sh_alone(), env=engine.environ, check=True, capture_output=True
    )
    engine.undo(lambda: engine.docker("rmi", "-f", tag, check=False))
    engine.configure(
        '[general]\ndefault_agent = "scripted"\n[agents.scripted]\n'
        'command = ["sh", "-c", \'while read -r line; do :; done\']\n'
        'print_command = ["sh", "{prompt_file}"]\n',
        image=tag,
    )
    engine.repo()
    yield engine
    engine.clean()


def said(engine: Engine, word: str) -> str:
    """Everything the container wrote, on a terminal or not, but our word about git and dash's about a signal."""
    done = subprocess.run(
        ["docker", "logs", engine.container(word)],
        env=engine.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
    ).stdout  # fmt: skip
    lines = done.replace("\r", "").splitlines(keepends=True)
    return "".join(
        line for line in lines if not line.startswith(("clauderon: this image has no git", "Terminated"))
    )


def test_a_session_lives_where_there_is_only_sh(alone: Engine) -> None:
    name = alone.name("s")
    alone.create("s")
    for _ in range(2):
        answer = alone.cli(
            "exec", name, "--", "sh", "-c", "read -r word </workspace/src/hello.txt; echo $word"
        )
        assert (answer.status, answer.text, answer.error) == (0, "hello\n", "")
        alone.cli.ok("stop", name)
        alone.cli.ok("start", name)
    assert said(alone, "s") == ""


def test_print_passes_the_output_and_the_status_where_there_is_only_sh(alone: Engine) -> None:
    answer = alone.cli(
        "create", "--repo", "repo", "--name", alone.name("p"), "--print", "--prompt", "echo out; exit 3"
    )
    assert (answer.status, answer.text) == (3, "out\n"), answer
    assert "not found" not in answer.error
    # It did not succeed, so a start tries again; the old status is gone until the new one is known.
    alone.cli.ok("start", alone.name("p"))
    assert alone.cli("wait", alone.name("p")).status == 3
    assert said(alone, "p") == "out\nout\n"


def test_the_status_of_the_last_run_is_not_that_of_the_next(alone: Engine) -> None:
    name = alone.name("w")
    alone.create("w")
    alone.cli.ok("stop", name)
    identity = alone.cli.ok("status", name, "--json").json["data"]["id"]
    status = alone.home.session_home(identity) / ".clauderon" / "status"
    assert status.read_text().strip() == "143"
    alone.cli.ok("start", name)
    wait_until_begun(alone, "w")
    assert not status.exists() or status.read_text().strip() == ""


def wait_until_begun(engine: Engine, word: str) -> None:
    home = Path(
        next(m["Source"] for m in engine.inspect(word)["Mounts"] if m["Destination"] == "/clauderon/home")
    )
    activity = home / ".clauderon" / "activity"
    for _ in range(100):
        if activity.read_text().strip() != "done":
            return
        subprocess.run(["sleep", "0.05"], check=True)
    raise AssertionError("the agent did not begin")
