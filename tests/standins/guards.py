"""What keeps a test inside its own directory: environment, PATH, real home, network.

An audit hook cannot be taken away again, so one is installed for the process and switched on for each test.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import pwd
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

_OPENING = frozenset(
    {"open", "sqlite3.connect", "os.mkdir", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.rmdir"}
)
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
_MARK = "unexpected-call"

_STUB = f"""#!/bin/sh
printf '%s\\n' "docker $*" >>"${{0%/*}}/{_MARK}"
echo 'docker: this test is not marked live and has no transcript' >&2
exit 97
"""


class TouchedTheRealWorld(BaseException):
    """Not an Exception, so that no `except Exception` of the code under test hides it."""


class _Guard:
    active = False
    live = False
    real_home = ""


def real_home(environ: Mapping[str, str]) -> Path:
    """The person's own state directory, which no test may open."""
    configured = environ.get("CLAUDERON_HOME")
    return Path(configured) if configured else Path(pwd.getpwuid(os.getuid()).pw_dir) / ".clauderon"


def install(*, real_home: Path) -> None:
    """Install the hook; it does nothing until `active`."""
    _Guard.real_home = str(real_home)
    sys.addaudithook(_audit)


@contextlib.contextmanager
def active(*, live: bool) -> Iterator[None]:
    """Switch the hook on. live: other addresses than loopback may be connected to."""
    _Guard.active, _Guard.live = True, live
    try:
        yield
    finally:
        _Guard.active = False


def environment(home: Path, bin_dir: Path, *, live: bool) -> dict[str, str]:
    """The whole environment of a test: nothing of the person's, no credential, no GIT_* or DOCKER_*.

    home:    the test's $HOME. bin_dir: made here; its `docker` fails and leaves a mark.
    """
    path = f"{Path(sys.executable).parent}:{_SYSTEM_PATH}"
    if not live:
        bin_dir.mkdir()
        stub = bin_dir / "docker"
        stub.write_text(_STUB)
        stub.chmod(stub.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        path = f"{bin_dir}:{path}"
    return {
        "PATH": path,
        "HOME": str(home),
        "CLAUDERON_HOME": str(home / ".clauderon"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "USER": "tester",
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def check_marks(bin_dir: Path) -> None:
    """Fail the test if anything called the guarded `docker`, even if the failure was swallowed."""
    mark = bin_dir / _MARK
    if mark.exists():
        pytest.fail(f"a test that is not live called:\n{mark.read_text()}")


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if not _Guard.active:
        return
    if event in _OPENING:
        path = arguments[0] if arguments else None
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(_Guard.real_home):
            raise TouchedTheRealWorld(f"{event} of {path}: a test may not touch the real state directory")
    elif event == "socket.connect" and not _Guard.live:
        _check_address(arguments[1])


def _check_address(address: object) -> None:
    """Raise unless `address` (as `socket.connect` takes it) is a unix socket or loopback."""
    if not isinstance(address, tuple) or not address or not isinstance(address[0], str):
        return
    host = address[0]
    with contextlib.suppress(ValueError):
        parsed = ipaddress.ip_address(host)
        if parsed.is_loopback or parsed.is_unspecified:
            return
    if host != "localhost":
        raise TouchedTheRealWorld(f"connect to {host}: a test that is not live may use loopback only")
