"""A program of the person's own, `[agents.NAME] path`: what belongs to it, and whether an image can run it.

Reads the disk, writes nothing. A directory is mounted only where it holds a program and not a person's other things:
what is mounted can be read by the agent.
"""

from __future__ import annotations

import shlex
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from clauderon import paths
from clauderon.agents import registry
from clauderon.agents.image import PROGRAMS, ImageFacts
from clauderon.config.schema import Agent
from clauderon.errors import ClauderonError, UsageError
from clauderon.known.table import AGENTS
from clauderon.mount import Mount
from clauderon.paths import Home

# A directory that has one of these is a package, whose program may lie some levels below.
_PACKAGES = ("package.json", *(k.install.package for k in AGENTS.values() if k.install.package))
_PACKAGE_LEVELS = 3
# Where programs of many kinds lie side by side, and everything else directly below /.
_SYSTEM = frozenset(
    f"{prefix}/{name}"
    for prefix in ("", "/usr", "/usr/local", "/opt", "/opt/homebrew", "/snap", "/var", "/nix")
    for name in ("bin", "sbin", "lib", "lib64", "libexec", "games", "share", "local", "opt", "store", "tmp")
)
_NEVER_BELOW = ("/etc", "/proc", "/sys", "/dev", "/run", "/boot", "/var/run", "/var/lib")
_PERSONAL = (
    "bin",
    ".local",
    ".local/bin",
    ".local/share",
    ".local/lib",
    ".cargo/bin",
    ".config",
    "Downloads",
)
_MOST_SIBLINGS = 32
_HEAD_BYTES = 4096
_MACHINES = {62: "x64", 183: "arm64"}


class Placed(NamedTuple):
    """mounts: read-only, below `paths.CONTAINER_AGENT`; program: where the program is in the container."""

    mounts: tuple[Mount, ...]
    program: str


def find(agent: Agent) -> Path:
    """The program that `path` names, symlinks followed. Raises UsageError if it is no program."""
    what, path = f"[agents.{agent.name}] path", Path(agent.path)
    if not path.is_file():
        why = f"{path} is a directory, not a program" if path.is_dir() else f"{path} is not a file"
        raise UsageError(what, why, hint="clauderon config show")
    file = path.resolve()
    if not file.stat().st_mode & 0o111 and not runtime(file):
        raise UsageError(what, f"{path} is not executable", hint=f"chmod +x {shlex.quote(str(file))}")
    return file


def name_inside(agent: Agent) -> str:
    """What the program has to be called in the container: an agent of one's own says it with `command`."""
    known = registry.builtin(agent)
    return known.program if known else Path(agent.command[0]).name


def runtime(file: Path) -> str:
    """What has to be called with the file to run it; "" for a program."""
    return "node" if file.suffix in (".js", ".mjs", ".cjs") else ""


def placed(file: Path, program: str, home: Home) -> Placed:
    """How a program gets into a container: with its package, with its directory, or with what is named after it.

    program: the name it has to have inside. A file of that name is mounted with its directory; where that is not the
    program's alone, or the file has another name, the file comes alone, with the `<program>-*` beside it.
    """
    for folder in _folders(file, program):
        if _is_its_own(folder, home):
            inside = f"{paths.CONTAINER_AGENT}/{file.relative_to(folder).as_posix()}"
            return Placed((Mount(str(folder), paths.CONTAINER_AGENT, read_only=True),), inside)
    target = f"{paths.CONTAINER_AGENT}/{program}"
    mounts = [Mount(str(file), target, read_only=True)]
    for sibling in _named_after(file, program):
        mounts.append(Mount(str(sibling), f"{paths.CONTAINER_AGENT}/{sibling.name}", read_only=True))
    return Placed(tuple(mounts), target)


def _folders(file: Path, program: str) -> Iterator[Path]:
    for folder in file.parents[:_PACKAGE_LEVELS]:
        if any((folder / name).is_file() for name in _PACKAGES):
            yield folder
            break
    if file.name == program:
        yield file.parent


def _is_its_own(folder: Path, home: Home) -> bool:
    """Whether a directory holds a program, and nothing that an agent should not read."""
    text, root, person = str(folder), home.root.resolve(), Path.home().resolve()
    if len(folder.parts) < 3 or text in _SYSTEM:
        return False
    if any(text == top or text.startswith(f"{top}/") for top in _NEVER_BELOW):
        return False
    if folder in (person, *person.parents) or folder in {person / name for name in _PERSONAL}:
        return False
    if folder in (root, *root.parents):
        return False
    agents = home.agents.resolve()
    if folder.is_relative_to(agents):
        return len(folder.relative_to(agents).parts) >= 3
    if folder.is_relative_to(root):
        return False
    try:
        # Anybody's, like /tmp.
        if folder.stat().st_mode & (stat.S_ISVTX | stat.S_IWOTH):
            return False
        names = [path.name for path in folder.iterdir()]
        # A checkout, a project with an .env, somebody's home: a program's directory hides nothing.
        return not any(name.startswith(".") for name in names)
    except OSError:
        return False


def _named_after(file: Path, program: str) -> list[Path]:
    try:
        found = sorted(p for p in file.parent.iterdir() if p.name.startswith(f"{program}-") and p != file)
    except OSError:
        return []
    # A link is not followed: it would lead to what was not named.
    return [path for path in found if path.is_file() and not path.is_symlink()][:_MOST_SIBLINGS]


def check(agent: Agent, file: Path, facts: ImageFacts, *, key: str = "path") -> None:
    """Refuse a program that the image cannot run, which would end with 127 a moment after its start.

    key: which key of the agent's named it.
    Raises ClauderonError. What cannot be known (a loader from a volume, an unknown interpreter) is let through.
    """
    what = f"[agents.{agent.name}] {key}"
    with file.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if head.startswith(b"#!") or runtime(file):
        needed = runtime(file) or Path(_interpreter(head)).name
        if needed in PROGRAMS and not facts.has(needed):
            hint = "clauderon create --image node:22 ..." if needed == "node" else "clauderon config show"
            raise ClauderonError(what, f"{file} runs on {needed}, and the image has none", hint=hint)
        return
    if (arch := machine(head)) and facts.arch and arch != facts.arch:
        why = f"{file} is made for {arch}, and the image is for {facts.arch}"
        raise ClauderonError(what, why, hint="clauderon config show")
    loader = elf_loader(head)
    name = loader.rpartition("/")[2] if loader.startswith("/lib") else ""
    wants = "musl" if name.startswith("ld-musl") else "glibc" if name.startswith("ld-linux") else ""
    # An image that was looked into by an earlier version has no loaders to tell.
    unknown = not facts.loaders and facts.libc != "none"
    if not wants or wants == facts.libc or loader in facts.loaders or unknown:
        return
    has = "neither glibc nor musl" if facts.libc == "none" else facts.libc
    image = "alpine" if wants == "musl" else "debian:stable"
    raise ClauderonError(
        what, f"{file} needs {wants}, and the image has {has}", hint=f"clauderon create --image {image} ..."
    )


def _interpreter(head: bytes) -> str:
    """The program that a script's first line names; behind `env`, the one that is looked for."""
    words = head[2:].split(b"\n", 1)[0].decode("utf-8", "replace").split()
    if words and words[0].endswith("/env"):
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return words[0] if words else ""


def machine(head: bytes) -> str:
    """`x64` or `arm64`, what an ELF file is made for; "" for another file and another machine."""
    return _MACHINES.get(_elf_number(head, 18, "H"), "")


def elf_loader(head: bytes) -> str:
    """The dynamic loader that a 64-bit ELF file asks for (its PT_INTERP); "" for a static one and another file."""
    table, size, count = (_elf_number(head, at, kind) for at, kind in ((32, "Q"), (54, "H"), (56, "H")))
    for index in range(min(count, 64)):
        at = table + index * size
        if _elf_number(head, at, "I") == 3:
            start, length = _elf_number(head, at + 8, "Q"), _elf_number(head, at + 32, "Q")
            return head[start : start + length].rstrip(b"\0").decode("ascii", "replace")
    return ""


def _elf_number(head: bytes, at: int, kind: str) -> int:
    """A little-endian number of a 64-bit ELF file; 0 where there is none."""
    if not head.startswith(b"\x7fELF\x02\x01") or at + struct.calcsize(f"<{kind}") > len(head):
        return 0
    return int(struct.unpack_from(f"<{kind}", head, at)[0])
