"""`[agents.NAME] path`: what is mounted with the program, what never is, and which images can run it."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from clauderon.agents import binary, own
from clauderon.agents.image import ImageFacts
from clauderon.config.schema import Agent
from clauderon.errors import ClauderonError
from clauderon.paths import Home

CODEX = Agent(name="codex", path="x")
GLIBC = "/lib64/ld-linux-x86-64.so.2"
MUSL = "/lib/ld-musl-x86_64.so.1"


def program(path: Path, text: bytes = b"#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home, below which the test's programs lie."""
    home = tmp_path / "person"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def mounted(file: Path, home: Home, name: str = "codex") -> dict[str, str]:
    """What is mounted where; every mount is read-only."""
    made = own.placed(file, name, home)
    assert all(mount.read_only for mount in made.mounts)
    return {mount.target: mount.source for mount in made.mounts}


def test_the_siblings_of_a_program_come_with_it(person: Path, home: Home) -> None:
    file = program(person / "tools/codex-cli/codex")
    program(file.with_name("helper-of-any-name"))
    assert mounted(file, home) == {"/clauderon/agent": str(file.parent)}
    assert own.placed(file, "codex", home).program == "/clauderon/agent/codex"


def test_a_package_comes_whole_wherever_its_program_lies_in_it(person: Path, home: Home) -> None:
    file = program(person / "tools/0.171/bin/codex")
    (file.parent.parent / "codex-package.json").write_text("{}")
    assert mounted(file, home) == {"/clauderon/agent": str(person / "tools/0.171")}
    assert own.placed(file, "codex", home).program == "/clauderon/agent/bin/codex"


def test_a_link_leads_to_the_package(person: Path, home: Home) -> None:
    file = program(person / "lib/node_modules/@openai/codex/bin/codex.js")
    (file.parent.parent / "package.json").write_text("{}")
    link = person / "bin/codex"
    link.parent.mkdir()
    link.symlink_to(file)
    found = own.find(Agent(name="codex", path=str(link)))
    assert mounted(found, home) == {"/clauderon/agent": str(file.parent.parent)}


def test_a_program_that_we_fetched_comes_with_its_version_and_no_other(home: Home) -> None:
    file = program(home.agents / "codex/0.171.0/linux-x64/bin/codex")
    assert mounted(file, home) == {"/clauderon/agent": str(file.parent)}


def test_of_a_directory_of_many_things_only_what_is_named_after_the_program_comes(
    person: Path, home: Home
) -> None:
    """Seen to mount the whole home with `_is_its_own` always true."""
    file = program(person / "codex")
    sibling = program(person / "codex-code-mode-host")
    program(person / "notes")
    assert mounted(file, home) == {
        "/clauderon/agent/codex": str(file),
        "/clauderon/agent/codex-code-mode-host": str(sibling),
    }


def test_a_link_named_after_the_program_is_not_followed(person: Path, home: Home) -> None:
    file = program(person / "codex")
    (person / "codex-keys").symlink_to("/etc/shadow")
    assert list(mounted(file, home)) == ["/clauderon/agent/codex"]


def test_directories_that_are_not_the_programs_alone_are_never_mounted(person: Path, home: Home) -> None:
    """Seen to mount each of these with `_is_its_own` always true."""
    places = [person, person.parent, person / ".local/bin", person / "bin", person / "Downloads"]
    places += [home.root, home.root.parent, home.secrets, home.agents, home.agents / "claude"]
    hidden, open_to_all = person / "project", person / "open"
    for folder in (*places, hidden, open_to_all):
        program(folder / "codex")
    (hidden / ".env").write_text("KEY=fake")
    open_to_all.chmod(0o1777)
    for folder in (*places, hidden, open_to_all):
        for marker in ("", "package.json"):
            if marker:
                (folder / marker).write_text("{}")
            assert str(folder) not in mounted(folder / "codex", home).values(), folder
    for system in (
        "/",
        "/usr",
        "/usr/bin",
        "/bin",
        "/usr/local/bin",
        "/opt",
        "/tmp",
        "/etc/codex",
        "/snap/bin",
    ):
        assert system not in mounted(Path(system) / "codex", home).values(), system


def test_a_file_of_another_name_is_found_by_the_programs(person: Path, home: Home) -> None:
    file = program(person / "share/claude/versions/2.1.330")
    assert mounted(file, home, "claude") == {"/clauderon/agent/claude": str(file)}


def test_an_agent_of_ones_own_has_its_path_too(person: Path, home: Home) -> None:
    file = program(person / "tools/mine/my-agent")
    agent = Agent(name="mine", command=("my-agent", "--chat"), path=str(file))
    assert binary.needed(agent, ImageFacts())
    assert binary.cached(home, agent, ImageFacts()) == file
    assert mounted(file, home, own.name_inside(agent)) == {"/clauderon/agent": str(file.parent)}
    assert not binary.needed(agent._replace(path=""), ImageFacts())


# Whether the image can run it -------------------------------------------------------------------------------


def elf(loader: str, machine: int = 62) -> bytes:
    """The head of an ELF file with one program header."""
    head = bytearray(200)
    head[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<H", head, 18, machine)
    struct.pack_into("<Q", head, 32, 64)
    struct.pack_into("<HH", head, 54, 56, 1 if loader else 0)
    struct.pack_into("<I", head, 64, 3)
    struct.pack_into("<Q", head, 72, 120)
    struct.pack_into("<Q", head, 96, len(loader) + 1)
    return bytes(head[:120]) + loader.encode() + b"\0"


BOTH = ImageFacts(arch="x64", libc="glibc", loaders=(GLIBC, MUSL))
GLIBC_ONLY = ImageFacts(arch="x64", libc="glibc", loaders=(GLIBC,))
MUSL_ONLY = ImageFacts(arch="x64", libc="musl", loaders=(MUSL,))
NEITHER = ImageFacts(arch="x64", libc="none")


@pytest.mark.parametrize(
    ("head", "facts", "why"),
    [
        (elf(GLIBC), NEITHER, "needs glibc, and the image has neither"),
        (elf(MUSL), NEITHER, "needs musl, and the image has neither"),
        (elf(GLIBC), MUSL_ONLY, "needs glibc, and the image has musl"),
        (elf(MUSL), GLIBC_ONLY, "needs musl, and the image has glibc"),
        (elf("", 183), NEITHER, "made for arm64, and the image is for x64"),
        (b"#!/usr/bin/env node\n", GLIBC_ONLY, "runs on node, and the image has none"),
        (b"#!/usr/bin/env -S node --flag\n", GLIBC_ONLY, "runs on node"),
        (b"#!/bin/bash -e\n", NEITHER, "runs on bash"),
    ],
)
def test_a_program_that_the_image_cannot_run_is_refused(
    tmp_path: Path, head: bytes, facts: ImageFacts, why: str
) -> None:
    """Each of these was a session that died with 127 after a create that said 0."""
    with pytest.raises(ClauderonError, match=why) as caught:
        own.check(CODEX, program(tmp_path / "codex", head), facts)
    assert caught.value.what == "[agents.codex] path"


@pytest.mark.parametrize(
    ("head", "facts"),
    [
        (elf(GLIBC), GLIBC_ONLY),
        (elf(MUSL), BOTH),
        (elf(""), NEITHER),
        (elf("/nix/store/x/ld-linux-x86-64.so.2"), NEITHER),
        (elf(MUSL), ImageFacts(libc="glibc")),  # looked into by an earlier version
        (b"#!/bin/sh\n", NEITHER),
        (b"#!/opt/my/interpreter\n", NEITHER),
        (b"#!\n", NEITHER),
        (b"", NEITHER),
        (elf(GLIBC)[:70], NEITHER),
    ],
)
def test_what_may_run_is_let_through(tmp_path: Path, head: bytes, facts: ImageFacts) -> None:
    own.check(CODEX, program(tmp_path / "codex", head), facts)


def test_a_real_programs_loader_is_read() -> None:
    found = shutil.which("ls")
    assert found is not None
    head = Path(found).read_bytes()[:4096]
    said = subprocess.run(["readelf", "-l", found], capture_output=True, text=True, check=False).stdout
    assert own.elf_loader(head).startswith("/lib")
    assert not said or own.elf_loader(head) in said
