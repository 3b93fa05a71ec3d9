"""What a Cargo.lock names by hash: crates by the SHA-256 of their archive, git dependencies by their commit.

Pure. The lock is a person's commit, or a hostile repository's: whatever is not plainly what cargo writes is left out.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# What cargo takes as a name and as a version; both become names of files.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}\Z")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]{1,100})?\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[\x21-\x7e]{1,2000}\Z")
_LINE = re.compile(r'(name|version|source|checksum) = "([^"\\]*)"\s*\Z')
# `"checksum foo 1.0.0 (registry+https://...)" = "<sha256>"`, in the [metadata] of locks before 2020.
_OLD_CHECKSUM = re.compile(r'"checksum (\S+) (\S+) \(([^()"]*)\)" = "([0-9a-f]{64})"\s*\Z')
MAX_PACKAGES = 20_000


class Crate(NamedTuple):
    """source: as in the lock, `registry+https://...` or `sparse+https://...`; sha256: of the .crate file, in hex."""

    name: str
    version: str
    source: str
    sha256: str

    @property
    def file(self) -> str:
        """The crate's file name in cargo's cache."""
        return f"{self.name}-{self.version}.crate"


class GitDependency(NamedTuple):
    """url: without `git+`, query and fragment; commit: 40 hex digits."""

    url: str
    commit: str


class Named(NamedTuple):
    """Everything a lock names by hash, each once."""

    crates: tuple[Crate, ...] = ()
    git: tuple[GitDependency, ...] = ()


def parse(text: str) -> Named:
    """The packages of a Cargo.lock, in any of its versions; never raises."""
    crates: dict[Crate, None] = {}
    git: dict[GitDependency, None] = {}
    found: dict[str, str] = {}
    for line in (*text.splitlines(), "[[package]]"):
        if line.startswith("["):
            _take(found, crates, git)
            found = {}
        elif match := _LINE.match(line):
            found.setdefault(match[1], match[2])
        elif match := _OLD_CHECKSUM.match(line):
            _take(
                dict(zip(("name", "version", "source", "checksum"), match.groups(), strict=True)), crates, git
            )
        if len(crates) + len(git) >= MAX_PACKAGES:
            break
    return Named(tuple(crates), tuple(git))


def _take(found: dict[str, str], crates: dict[Crate, None], git: dict[GitDependency, None]) -> None:
    source, name, version = found.get("source", ""), found.get("name", ""), found.get("version", "")
    kind, _, url = source.partition("+")
    if kind == "git":
        url, _, commit = url.partition("#")
        url = url.partition("?")[0]
        if _URL.match(url) and _COMMIT.match(commit):
            git[GitDependency(url, commit)] = None
    elif kind in ("registry", "sparse") and _URL.match(url):
        crate = Crate(name, version, source, found.get("checksum", ""))
        if _NAME.match(name) and _VERSION.match(version) and _SHA256.match(crate.sha256):
            crates[crate] = None


def merged(locks: list[Named]) -> Named:
    """Several locks of one repository as one. A file that two of them give different content is in none."""
    sums: dict[tuple[str, str], set[str]] = {}
    for lock in locks:
        for crate in lock.crates:
            sums.setdefault((crate.source, crate.file), set()).add(crate.sha256)
    crates = {c: None for lock in locks for c in lock.crates if len(sums[c.source, c.file]) == 1}
    git = {g: None for lock in locks for g in lock.git}
    return Named(tuple(crates)[:MAX_PACKAGES], tuple(git)[:MAX_PACKAGES])
