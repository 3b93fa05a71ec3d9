"""Fetching an agent through the person's own `npm` client: whatever registry and login it is configured with.

Nothing of the package is run; its tarball is verified and unpacked here.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import tarfile
import time
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from clauderon import proc
from clauderon.agents.download import FetchError, Progress, Unreachable, disk_full, hash_file
from clauderon.agents.reach import Probe
from clauderon.errors import CommandFailed, CommandTimeout, ToolMissing

VIEW_TIMEOUT_S = 60.0
# What to type where there is none.
NO_NPM = "apt-get install npm   # or: brew install node"
# Nobody reads npm's output while it runs. A list of all files of a large package would fill the pipe, and npm wait for
# ever; with this it prints a name, or what went wrong.
_QUIET = "--loglevel=error"
_POLL_S = 0.2
_LOOK_S = 0.05
_OFFLINE = (
    "ENOTFOUND",
    "ECONNREFUSED",
    "ECONNRESET",
    "EAI_AGAIN",
    "ETIMEDOUT",
    "ENETUNREACH",
    "ERR_SOCKET_TIMEOUT",
)


def dist_tags(package: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The package's tags and their versions. Raises Unreachable."""
    tags = _view(package, "dist-tags", environ)
    return {str(tag): str(version) for tag, version in tags.items()} if isinstance(tags, dict) else {}


def fetch(
    spec: str, strip: str, folder: Path, *, environ: Mapping[str, str], progress: Progress, title: str
) -> None:
    """Fetch `name@version`, check it against the registry's integrity, unpack into `folder` (which exists).

    strip: leading folders that are left away, `*` for any name; files outside of it are not unpacked.
    Raises Unreachable, and FetchError for a wrong checksum or a full disk.
    """
    integrity = _view(spec, "dist.integrity", environ)
    if not isinstance(integrity, str) or not integrity.startswith("sha512-"):
        raise Unreachable(f"fetch {title}", f"the registry has no {spec}, or no sha512 of it")
    work = folder.with_name(f"{folder.name}.npm")
    work.mkdir(exist_ok=True)
    try:
        tarball = _pack(spec, work, environ, progress, title)
        progress(None, None, f"Checking {title}")
        found = f"sha512-{base64.b64encode(hash_file(tarball, 'sha512')).decode('ascii')}"
        if found not in integrity.split():
            raise FetchError(
                f"fetch {title}",
                f"{spec} does not match the checksum of its registry; it was thrown away",
                hint="npm cache verify",
            )
        _unpack(tarball, strip, folder, progress, title)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise disk_full(folder.parent, title) from error
        raise
    finally:
        import shutil

        shutil.rmtree(work, ignore_errors=True)


def install(
    spec: str, folder: Path, platform: str, *, environ: Mapping[str, str], progress: Progress, title: str
) -> None:
    """Install `name@version` and what it depends on below `folder` (it exists): programs in `bin`, the rest in `lib`.

    platform: `linux-x64`, `linux-arm64-musl`, ...; npm takes the builds for it. npm itself checks each package against
    the registry's sha512, and runs no script of any.
    Raises Unreachable, and FetchError for a wrong checksum or a full disk.
    """
    _view(spec, "version", environ)  # says within seconds that there is no network
    work = folder.with_name(f"{folder.name}.npm")
    work.mkdir(exist_ok=True)
    try:
        _run(install_argv(spec, folder, platform, work), work, spec, environ, progress, title)
    finally:
        import shutil

        shutil.rmtree(work, ignore_errors=True)


def _view(spec: str, field: str, environ: Mapping[str, str]) -> Any:
    try:
        answer = _unless_unreachable(spec, view_argv(spec, field), environ)
    except CommandFailed as error:
        raise _failed(spec, error) from error
    except CommandTimeout as error:
        raise Unreachable(
            f"npm view {spec}",
            error.why,
            hint="npm ping",
        ) from error
    except ToolMissing as error:
        raise _no_npm(spec) from error
    return json.loads(answer.stdout or b"null")


def _unless_unreachable(spec: str, argv: list[str], environ: Mapping[str, str]) -> proc.Completed:
    """npm's answer; Unreachable as soon as it is clear that there is no network, which npm does not believe."""
    running = proc.start(argv, env=environ, cwd="/")
    try:
        probe = Probe(spec, environ)
        while running.child.poll() is None and not probe.connected.is_set():
            if probe.gave_up():
                raise Unreachable(f"npm: {spec}", "the registry cannot be reached", hint="npm ping")
            time.sleep(_LOOK_S)
    except BaseException:
        running.stop()
        raise
    return running.result(timeout_s=VIEW_TIMEOUT_S)


def view_argv(spec: str, field: str) -> list[str]:
    """`npm view` for one field of a package at the registry, answered in JSON."""
    return ["npm", "view", proc.operand(spec), proc.operand(field), "--json"]


def pack_argv(spec: str, work: Path, cache: Path) -> list[str]:
    """Fetch the package's tarball into `work`, running none of its scripts."""
    places = ("--pack-destination", str(work), "--cache", str(cache))
    return ["npm", "pack", proc.operand(spec), _QUIET, "--ignore-scripts", *places]


def install_argv(spec: str, folder: Path, platform: str, cache: Path) -> list[str]:
    """Install the package below `folder`, running none of its scripts, and fetching nothing but packages."""
    system, cpu, libc = (*platform.split("-"), "glibc")[:3]
    places = ("--global", "--prefix", str(folder), "--cache", str(cache))
    build = (f"--os={system}", f"--cpu={cpu}", f"--libc={libc}")
    quiet = ("--ignore-scripts", "--allow-git=none", "--no-audit", "--no-fund", _QUIET)
    return ["npm", "install", proc.operand(spec), *places, *build, *quiet]


def _pack(spec: str, work: Path, environ: Mapping[str, str], progress: Progress, title: str) -> Path:
    """`npm pack` into `work`."""
    cache = work / "cache"
    _run(pack_argv(spec, work, cache), cache, spec, environ, progress, title)
    tarballs = list(work.glob("*.tgz"))
    if len(tarballs) != 1:
        raise FetchError(f"npm pack {spec}", f"left {len(tarballs)} tarballs instead of one")
    return tarballs[0]


def _run(
    argv: list[str], cache: Path, spec: str, environ: Mapping[str, str], progress: Progress, title: str
) -> None:
    """npm, reporting the growth of its cache: npm itself prints nothing while it downloads."""
    try:
        running = proc.start(argv, env=environ, cwd=cache.parent)
    except ToolMissing as error:
        raise _no_npm(spec) from error
    try:
        while running.child.poll() is None:
            progress(_growth(cache), None, f"Fetching {title} with npm")
            time.sleep(_POLL_S)
        running.result()
    except CommandFailed as error:
        raise _failed(spec, error) from error
    except BaseException:
        running.stop()
        raise


def _growth(cache: Path) -> int:
    """How many bytes npm has on disk; files come and go while we look."""
    total = 0
    for path in cache.glob("_cacache/*/**/*"):
        try:
            total = max(total, path.stat().st_size)
        except OSError:
            continue
    return total


def _unpack(tarball: Path, strip: str, folder: Path, progress: Progress, title: str) -> None:
    """Regular files below `strip` only: an agent has no links, and nothing may land outside of `folder`."""
    depth = strip.count("/") + 1
    total = tarball.stat().st_size
    with tarball.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|gz") as archive:
        for member in archive:
            parts = member.name.split("/")
            inside = parts[depth:]
            if not member.isfile() or not inside or not fnmatchcase("/".join(parts[:depth]), strip):
                continue
            if any(part in ("", ".", "..") for part in inside):
                raise FetchError(f"unpack {title}", f"the package has a file named {member.name!a}")
            target = folder.joinpath(*inside)
            target.parent.mkdir(parents=True, exist_ok=True)
            source = archive.extractfile(member)
            assert source is not None  # a regular file
            with source, target.open("wb") as out:
                while chunk := source.read(1 << 20):
                    out.write(chunk)
                    progress(raw.tell(), total, f"Unpacking {title}")
                os.fsync(out.fileno())
            target.chmod(0o755 if member.mode & 0o111 else 0o644)


def _failed(spec: str, error: CommandFailed) -> FetchError:
    what = f"npm: {spec}"
    if any(word in error.detail for word in _OFFLINE):
        return Unreachable(
            what,
            "the registry cannot be reached",
            hint="npm ping",
            detail=error.detail,
        )
    if "E404" in error.detail or "ETARGET" in error.detail:
        return FetchError(
            what,
            "the registry has no such package or version",
            hint="clauderon config show",
            detail=error.detail,
        )
    if "ENOSPC" in error.detail:
        return FetchError(what, "the disk is full", hint="clauderon clean-cache", detail=error.detail)
    return Unreachable(
        what,
        error.why,
        hint="npm ping",
        detail=error.detail,
    )


def _no_npm(spec: str) -> FetchError:
    return Unreachable(
        f"fetch {spec}",
        "there is no npm on PATH to fetch it with",
        hint=NO_NPM,
    )
