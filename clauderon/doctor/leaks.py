"""`doctor --leaks`: looks for every credential in everything that a live session has, and that there is about it.

Plants nothing, changes nothing, prints no secret. What it cannot read it says.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from clauderon import names, proc
from clauderon.doctor.check import Check, fail, ok, warn
from clauderon.doctor.forms import SHORTEST, Form, Search, forms
from clauderon.proxy import service
from clauderon.proxy.secrets import credentials
from clauderon.proxy.secrets import source as secret_source
from clauderon.proxy.secrets.credentials import Secret
from clauderon.record import Session
from clauderon.session.context import Context

PIECE = 1 << 20
# The words and variables of every process, read as root inside. A process that has ended meanwhile is left out.
_PROCESSES = "for p in /proc/[0-9]*; do cat $p/environ $p/cmdline 2>/dev/null; echo; done; exit 0"
_MOST_PLACES = 5


class Known(NamedTuple):
    """What is looked for. forms: of all secrets; searched: their names; missing: name and reason of each other one."""

    forms: list[Form]
    searched: list[str]
    missing: list[tuple[str, str]]


@dataclass
class Found:
    """What came of it: where each credential is, by its name; how much was looked at; what could not be."""

    places: dict[str, list[str]] = field(default_factory=dict)
    looked_at: int = 0
    size: int = 0
    unread: list[str] = field(default_factory=list)


def examine(context: Context, session: Session) -> Iterator[Check]:
    """A check for each credential that is set, then one for what was looked at. Raises BackendError."""
    known = wanted(context)
    for name, why in known.missing:
        yield warn(name, why, "export the variable it comes from, and run this again")
    if not known.searched:
        yield warn(
            "leaks", "no credential is set, so there is nothing to look for", "clauderon config credentials"
        )
        return
    found = Found()
    for place, stream in places(context, session, found):
        search = Search(known.forms)
        for piece in stream:
            found.size += len(piece)
            search.feed(piece)
        found.looked_at += 1
        for credential, kind in search.found:
            found.places.setdefault(credential, []).append(f"{place} ({kind})")
    for name in known.searched:
        at = found.places.get(name, [])
        more = f" and {len(at) - _MOST_PLACES} more" if len(at) > _MOST_PLACES else ""
        if at:
            what = f"found in {len(at)} place(s): {'; '.join(at[:_MOST_PLACES])}{more}"
            yield fail(
                name, what, f"clauderon stop {session.name}; give the credential a new value at its issuer"
            )
        else:
            yield ok(name, "not found")
    size = f"{found.size >> 20} MiB in {found.looked_at} files and answers"
    if found.unread:
        said = "; ".join(found.unread[:_MOST_PLACES])
        yield warn(
            "looked at", f"{size}; could not be read: {said}", f"sudo clauderon doctor --leaks {session.name}"
        )
    else:
        yield ok("looked at", size)


def wanted(context: Context) -> Known:
    """The secrets that this command can find itself, and which it cannot."""
    status = service.status(context.home)
    held = status.held if status is not None else {}
    given, problems = secret_source.collect(context.config, context.home, context.environ)
    secrets = {name: each.secret for name, each in given.items()}
    for credential in context.config.credentials.values():
        located = credentials.locate(credential, context.home, context.environ)
        if located.secret is not None and not located.problem:
            secrets[credential.name] = located.secret
        if located.login is not None and located.login.refresh:
            secrets[f"{credential.name}, refresh token"] = Secret(located.login.refresh)
    missing = [(name, "held by the proxy alone") for name in held if name not in secrets]
    missing += [("leaks", problem) for problem in problems]
    all_forms: list[Form] = []
    searched = []
    for name, secret in sorted(secrets.items()):
        user = context.config.credentials[name].basic_user if name in context.config.credentials else ""
        made = forms(name, secret.reveal(), user)
        if made:
            searched.append(name)
            all_forms += made
        else:
            missing.append((name, f"shorter than {SHORTEST} characters, so it would be found by chance"))
    return Known(all_forms, searched, missing)


def places(context: Context, session: Session, found: Found) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Everything that is looked at, as a name and the pieces of its content."""
    yield from _engine(context, session, found)
    yield from _host(context, session, found)


def _engine(context: Context, session: Session, found: Found) -> Iterator[tuple[str, Iterable[bytes]]]:
    docker = context.docker
    container = names.container(session.name)
    detail = docker.container_inspect(container)
    if detail is None:
        found.unread.append("the container, which is not there")
        return

    def said(place: str, *words: str) -> tuple[str, Iterable[bytes]]:
        return place, _poured(proc.Pour(docker.argv(*words), env=docker.env, merged=True), place, found)

    yield said("docker inspect", "inspect", container)
    yield said("docker image inspect", "image", "inspect", detail.image_id)
    yield said("docker history", "history", "--no-trunc", detail.image_id)
    yield said("the container's log", "logs", container)
    if detail.running:
        yield said("the container's processes", "exec", "--user", "0", container, "sh", "-c", _PROCESSES)
    export = proc.Pour(docker.argv("export", container), env=docker.env)
    yield from _archive("container", _poured(export, "the container's files", found), found)
    for volume, target in docker.container_volumes(container):
        copy = proc.Pour(docker.argv("cp", f"{container}:{target}", "-"), env=docker.env)
        yield from _archive(f"volume {volume}", _poured(copy, f"volume {volume}", found), found)


def _poured(pour: proc.Pour, place: str, found: Found) -> Iterator[bytes]:
    yield from pour
    if pour.status != 0:
        found.unread.append(f"{place} (status {pour.status})")


class _Reader:
    """A stream of pieces as a file that can only be read on, for `tarfile`."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _archive(name: str, pieces: Iterator[bytes], found: Found) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Each regular file of a tar that comes as a stream, and what a link says."""
    try:
        with tarfile.open(fileobj=_Reader(pieces), mode="r|", bufsize=PIECE) as archive:  # type: ignore[call-overload]
            for member in archive:
                place = f"{name}:/{_printable(member.name)}"
                if member.linkname:
                    yield place, [member.linkname.encode("utf-8", "surrogateescape")]
                content = archive.extractfile(member) if member.isreg() else None
                if content is not None:
                    yield place, _pieces(content)
    except tarfile.TarError as error:
        found.unread.append(f"{name}: {error}")


def _printable(text: str) -> str:
    """A path that a container chose, fit to be printed."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(PIECE):
        yield piece


def _host(context: Context, session: Session, found: Found) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The session's own directories, our shared files, and the words of every process of this machine."""
    home = context.home
    own = [
        home.worktree(session.name), home.git_dirs / session.id, home.homes / session.id, home.sessions / session.id,
        home.upload_dir(session.id), home.root / "airlock" / session.id, home.logs,
    ]  # fmt: skip
    for top in own:
        yield from _tree(top, found)
    for entry in sorted(home.root.iterdir()):
        if entry.is_file() and not entry.is_symlink():
            yield from _file(entry, found)
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes()
        except OSError:
            continue
        yield f"process {process.parent.name} of this machine", [words]


def _tree(top: Path, found: Found) -> Iterator[tuple[str, Iterable[bytes]]]:
    for directory, _, entries in os.walk(top, onerror=lambda error: found.unread.append(str(error))):
        for entry in entries:
            yield from _file(Path(directory) / entry, found)


def _file(path: Path, found: Found) -> Iterator[tuple[str, Iterable[bytes]]]:
    """A regular file, opened as itself; a link is what it says."""
    place = _printable(str(path))
    try:
        if path.is_symlink():
            yield place, [os.fsencode(path.readlink())]
            return
        if not path.is_file():
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        found.unread.append(f"{place}: {error.strerror}")
        return
    with open(descriptor, "rb") as stream:
        yield place, _pieces(stream)
