"""The checks that need neither the engine nor the proxy: files, variables, git, credentials, disk, locks."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import shlex
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from clauderon.config import lent
from clauderon.config.keys import OTHER_VARIABLES
from clauderon.config.keys import variables as override_variables
from clauderon.config.schema import Config
from clauderon.doctor.check import Check, fail, ok, size_text, warn
from clauderon.errors import ClauderonError
from clauderon.git import version as git_version
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.store import Store

GIB = 1024**3
# An agent's binary is some 400 MB, a small image as much again.
DISK_FAIL_BYTES = 1 * GIB
DISK_WARN_BYTES = 5 * GIB
# The oldest the airlock was tried with.
GIT_OLDEST = (2, 30)
# To measure all sessions together.
SESSIONS_DISK_S = 10.0
# No git command of a person's takes this long with the index locked.
INDEX_LOCK_OLD_S = 600
# Read by this program besides the overrides, or set by it for others.
_OURS = re.compile(r"CLAUDERON_(SESSION_\w+|DEBUG|REQUIRE_LIVE|VENV|PROXY_\w+_FD)\Z")


def state_directory(home: Home) -> Check:
    """Whether the state directory is ours alone."""
    name = "state directory"
    quoted = shlex.quote(str(home.root))
    # The one that is there: the home, or what it will be made in.
    *above, place = _up_to_what_is_there(home.root)
    for path in above:
        if path.is_symlink():
            target = path.resolve()
            found = f"{path} leads to {target}, which is not there (a disk that is not mounted?)"
            return fail(name, found, f"install -d -m 700 {shlex.quote(str(target))}")
    if not place.is_dir():
        return fail(
            name,
            f"{place} is not a directory",
            f"mv {shlex.quote(str(place))} {shlex.quote(f'{place}.before')}",
        )
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        if os.statvfs(place).f_flag & os.ST_RDONLY:
            mount = f'sudo mount -o remount,rw "$(findmnt -no TARGET -T {shlex.quote(str(place))})"'
            return fail(name, f"{place} is on a disk that is read-only", mount)
        if place != home.root:
            made = f'sudo install -d -m 700 -o "$(id -u)" {quoted}'
            return fail(name, f"{home.root} cannot be made in {place}", made)
        return fail(name, f"{home.root} cannot be written", f'sudo chown -R "$(id -u)" {quoted}')
    if place != home.root:
        return ok(name, f"{home.root} is made by the first command that needs it")
    info = home.root.stat()
    if info.st_uid != os.getuid():
        return warn(name, f"{home.root} belongs to uid {info.st_uid}", f'sudo chown -R "$(id -u)" {quoted}')
    for path in (home.root, home.config, home.secrets):
        if path.exists() and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return fail(name, f"{path} can be written by others", f"chmod go-w {shlex.quote(str(path))}")
    if home.secrets.exists() and home.secrets.stat().st_mode & 0o077:
        return fail(
            name, f"{home.secrets} can be read by others", f"chmod 700 {shlex.quote(str(home.secrets))}"
        )
    return ok(name, str(home.root))


def _up_to_what_is_there(place: Path) -> Iterator[Path]:
    for path in (place, *place.parents):
        yield path
        with contextlib.suppress(OSError):
            path.stat()
            return


def variables(settings: Config, environ: Mapping[str, str]) -> Check:
    """Whether every CLAUDERON_ variable is one somebody reads."""
    name = "environment"
    known = {*OTHER_VARIABLES, *(v for v, _key in override_variables(settings.agents))}
    ours = sorted(v for v in environ if v.startswith("CLAUDERON_"))
    strange = [v for v in ours if v not in known and not _OURS.match(v)]
    if strange:
        near = difflib.get_close_matches(strange[0], known, 1)
        found = f"unknown variable {strange[0]}" + (f"; the nearest is {near[0]}" if near else "")
        return warn(name, found, f"unset {strange[0]}")
    return ok(name, ", ".join(ours) if ours else "no CLAUDERON_ variable is set")


def git(environ: Mapping[str, str]) -> Check:
    """Whether git is there and new enough."""
    try:
        text = git_version(environ)
    except ClauderonError as error:
        return fail("git", str(error), "sudo apt-get install git")
    match = re.search(r"(\d+)\.(\d+)", text)
    found = text.strip()
    if match is None or (int(match[1]), int(match[2])) < GIT_OLDEST:
        return warn("git", f"{found}, older than what was tried (2.30)", "sudo apt-get install git")
    return ok("git", found)


def database(home: Home) -> Check:
    """Whether the database can be read."""
    name = "database"
    if not home.database.exists():
        return ok(name, "none yet; the first session makes it")
    try:
        sessions = _sessions(home)
    except ClauderonError as error:
        return fail(name, str(error), error.hint or "clauderon reconcile --rebuild-database")
    unfinished = [s.name for s in sessions if s.state != "running"]
    found = f"{len(sessions)} sessions"
    if unfinished:
        return warn(
            name, f"{found}; under way or left half-way: {', '.join(unfinished)}", "clauderon reconcile"
        )
    return ok(name, found)


def credentials(settings: Config, home: Home, environ: Mapping[str, str]) -> Check:
    """Whether the default agent has one of the credentials it can work with."""
    from clauderon.proxy import service
    from clauderon.proxy.secrets import credentials as table

    name = "credentials"
    rows = {row.name: row for row in table.describe(settings, home, environ, service.held(home))}
    ended = [row for row in rows.values() if row.problem and row.origin.startswith("login of ")]
    for row in rows.values():
        if row.problem and row not in ended:
            return fail(name, f"{row.name}: {row.problem}", "clauderon config credentials")
    agent = settings.agents[settings.general.default_agent]
    set_ones = [f"{row.name} ({row.origin})" for row in rows.values() if row.set]
    found = f"set: {', '.join(set_ones)}" if set_ones else "none is set"
    if agent.credentials and not any(rows[c].set for c in agent.credentials if c in rows):
        first = settings.credentials[agent.credentials[0]]
        mend = f"clauderon secret set {first.name}" if first.file else "clauderon config credentials"
        return warn(name, f"{found}; {agent.name} needs {' or '.join(agent.credentials)}", mend)
    listed = settings.general.credentials
    if agent.credentials and not lent.names(settings.credentials, listed, ()) & set(agent.credentials):
        edit = f"${{EDITOR:-vi}} {shlex.quote(str(home.config))}"
        return warn(name, f"{found}; [general] credentials lends none that {agent.name} can work with", edit)
    if ended:
        return warn(name, f"{found}; {ended[0].name}: {ended[0].problem}", "clauderon config credentials")
    return ok(name, found)


def disk(home: Home) -> Check:
    """Whether the state directory's disk has room."""
    place = home.root
    while not place.exists():
        place = place.parent
    return disk_space("disk", place, "clauderon clean-cache --force")


def disk_space(name: str, place: Path, mend: str) -> Check:
    """Whether the disk of `place` has room: it fails below DISK_FAIL_BYTES, warns below DISK_WARN_BYTES."""
    free = shutil.disk_usage(place).free
    found = f"{size_text(free)} free on the disk of {place}"
    if free < DISK_FAIL_BYTES:
        return fail(name, found, mend)
    return warn(name, found, mend) if free < DISK_WARN_BYTES else ok(name, found)


def sessions_disk(home: Home) -> Check:
    """Sessions whose directories are larger than they may be, measured now."""
    from clauderon.session import disk as usage_of

    name = "sessions' disk"
    try:
        sessions = _sessions(home) if home.database.exists() else []
    except ClauderonError:
        return warn(name, "not looked at, since the database cannot be read")
    end = time.monotonic() + SESSIONS_DISK_S
    over = []
    for session in sessions:
        usage = usage_of.measure(home, session, most_s=max(0.1, end - time.monotonic()))
        if usage.is_over(session.disk):
            over.append(f"{session.name} has {usage.text(session.disk)}")
    if over:
        return warn(name, "; ".join(over), "clauderon delete NAME   # its work is kept; or clear up in it")
    return ok(name, "no session is over its limit")


def locks(home: Home) -> Check:
    """Index locks that a killed git left in the users' repositories: they stop every commit there.

    clauderon's own locks are the kernel's and end with the process that holds them; their files mean nothing.
    """
    name = "locks"
    try:
        sessions = _sessions(home) if home.database.exists() else []
    except ClauderonError:
        return warn(name, "not looked at, since the database cannot be read")
    places = {Path(s.git_dir) for s in sessions} | {
        Path(s.git_dir) / "worktrees" / home.worktree(s.name).name for s in sessions
    }
    for place in sorted(places):
        lock = place / "index.lock"
        try:
            age_s = time.time() - lock.lstat().st_mtime
        except OSError:
            continue
        if age_s > INDEX_LOCK_OLD_S:
            found = f"{lock} was left {int(age_s // 60)} minutes ago by a git that was killed"
            return warn(name, found, f"rm {shlex.quote(str(lock))}")
    return ok(name, "none left over")


def _sessions(home: Home) -> list[Session]:
    with Store.open(home) as store:
        return store.all()
