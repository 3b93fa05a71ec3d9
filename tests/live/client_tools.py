"""Clients that are no part of an image: tool chains of this machine, and packages that npm fetches."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.standins.engine import live_environment

# Before the guards of a test change it.
REAL = dict(os.environ)


def host_tools() -> dict[str, str]:
    """Big tool chains of this machine that run in any Debian as they are."""
    found = {}
    for home in sorted(Path("/usr/lib/jvm").glob("*")):
        # Debian's own JDK reaches into /etc; one that stands alone can be mounted.
        security = home / "conf/security/java.security"
        if (home / "bin/java").exists() and security.exists() and not security.is_symlink():
            found["/opt/java"] = str(home.resolve())
    if shutil.which("rustc"):
        sysroot = subprocess.run(
            ["rustc", "--print", "sysroot"], capture_output=True, text=True, check=False, env=REAL
        )
        if sysroot.returncode == 0:
            found["/opt/rust"] = sysroot.stdout.strip()
    return found


def npm_package(tools: Path, package: str, file: str) -> str:
    name = package.partition("@")[0]
    target = tools / name
    if not target.exists():
        target.mkdir()
        environ = {**REAL, **live_environment(REAL)}
        argv = ["npm", "pack", "--silent", "--pack-destination", str(target), package]
        if shutil.which("npm", path=environ["PATH"]) is None:
            pytest.skip("no npm on this machine")
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False, cwd=tools)
        if done.returncode != 0:
            pytest.skip(f"{package} cannot be fetched: {done.stderr[-300:]}")
        (archive,) = target.glob("*.tgz")
        shutil.unpack_archive(archive, target)
    return f"/tools/{name}/package/{file}"
