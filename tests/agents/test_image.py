"""The questions asked of an image, and what is made of the answers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from clauderon.agents.image import ImageFacts, is_older, parse_image_facts, probe_script, warnings
from clauderon.errors import BackendError

ALPINE = """\
clauderon-probe=1
path=/usr/local/bin:/usr/bin:/bin
program.wget=/usr/bin/wget
bundle=/etc/ssl/certs/ca-certificates.crt
bundle=/etc/ssl/certs/ca-certificates.crt
loader=/lib/ld-musl-aarch64.so.1
machine=aarch64
uid=1000
gid=100
lang=
"""


def test_an_answer_becomes_facts() -> None:
    facts = parse_image_facts(ALPINE)
    assert facts.platform == "linux-arm64-musl"
    assert facts.bundles == ("/etc/ssl/certs/ca-certificates.crt",)
    assert (facts.uid, facts.gid) == (1000, 100)
    assert facts.has("wget") and not facts.has("git")


@pytest.mark.parametrize(
    ("loaders", "libc"),
    [
        (["/lib64/ld-linux-x86-64.so.2"], "glibc"),
        (["/lib/ld-musl-x86_64.so.1"], "musl"),
        (["/lib/ld-musl-x86_64.so.1", "/lib64/ld-linux-x86-64.so.2"], "glibc"),
        ([], "none"),
    ],
)
def test_the_libc_is_told_by_the_loaders(loaders: list[str], libc: str) -> None:
    lines = ["clauderon-probe=1", *(f"loader={loader}" for loader in loaders)]
    facts = parse_image_facts("\n".join(lines))
    assert facts.libc == libc
    assert facts.arch == ("x64" if loaders else "")


@pytest.mark.parametrize("text", ["", "sh: not found\n", "clauderon-probe=2\n"])
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(BackendError):
        parse_image_facts(text)


@hypothesis.given(st.text())
def test_an_image_can_say_what_it_likes(text: str) -> None:
    facts = parse_image_facts(f"clauderon-probe=1\n{text}\nclauderon-probe=1\n")
    assert ImageFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts
    assert all(bundle.startswith("/") for bundle in facts.bundles)


def test_facts_of_an_older_version_are_read() -> None:
    assert ImageFacts.from_dict({"arch": "x64", "gone": 1}) == ImageFacts(arch="x64")


@pytest.mark.parametrize(
    "shell", [["dash"], ["busybox", "sh"], ["bash", "--posix"]], ids=lambda words: words[0]
)
@pytest.mark.parametrize("bare", [False, True], ids=["full", "bare"])
def test_the_questions_need_nothing_but_sh(shell: list[str], bare: bool, tmp_path: Path) -> None:
    found = shutil.which(shell[0])
    if found is None:
        pytest.skip(f"{shell[0]} is not installed")
    path = str(tmp_path) if bare else "/usr/bin:/bin"
    done = subprocess.run(
        [found, *shell[1:]],
        input=probe_script().encode(),
        env={"PATH": path},
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    facts = parse_image_facts(done.stdout.decode())
    assert facts.path == path
    assert facts.libc in ("glibc", "musl")
    if not bare:
        assert facts.arch in ("x64", "arm64")
        assert facts.programs["git"].endswith("/git")


def test_what_is_missing_is_said_only_when_it_is() -> None:
    assert warnings(ImageFacts(programs={"git": "/usr/bin/git", "curl": "/usr/bin/curl"})) == ()
    assert len(warnings(ImageFacts())) == 2


def test_facts_of_an_image_are_asked_anew_when_there_is_another_agent() -> None:
    """Else an image's own opencode was not seen by a clauderon that had looked into the image before it knew opencode."""
    kept = parse_image_facts("clauderon-probe=1\n").to_dict()
    assert not is_older(json.loads(json.dumps(kept)))
    assert is_older({**kept, "asked": kept["asked"][1:]})
