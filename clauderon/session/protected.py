"""Places on this machine that a container must not be given, and whether a path leads to one. Reads, changes nothing.

Paths are compared both ways, for what holds a place gives it as well as what is in it: by name with symlinks
resolved, by inode (a file system that knows no case), and by the mount table (a bind mount is another name, and what is
mounted below a path comes along). No rule is about a spelling.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from clauderon.session import contents


class Place(NamedTuple):
    """Somewhere that is protected. what: in words. read: whether reading it is harmless."""

    path: str
    what: str
    read: bool = False


_SYSTEM = (
    *(Place(p, "what the kernel shows") for p in ("/proc", "/sys", "/dev")),
    Place("/etc", "the system's configuration"),
    Place("/boot", "what this machine boots"),
    *(Place(p, "services' sockets") for p in ("/run", "/var/run", "/tmp/.X11-unix")),
    *(Place(p, "the engine's own files") for p in ("/var/lib/docker", "/var/lib/containerd", "/var/lib/containers")),
    *(Place(p, "all of this machine, for an engine in a VM") for p in ("/host_mnt", "/mnt/host", "/mnt/mac")),
    *(
        Place(p, "programs of this machine", read=True)
        for p in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix", "/snap", "/System", "/Library")
    ),
    *(Place(p, "the system's state", read=True) for p in ("/var/lib", "/var/cache", "/var/log")),
    *(Place(p, "the system's state") for p in ("/var/spool", "/var/backups", "/var/mail")),
)  # fmt: skip
# Below the home directory everything whose name begins with a dot is a setting or a credential, but for these.
# Not all of .cache: git's credential cache listens there, keyrings do, and Hugging Face keeps its token there.
_IN_CACHE = (
    "Cypress bazel bazelisk bun ccache composer conan coursier deno electron go-build mise ms-playwright node node-gyp "
    "nuget pip pnpm pre-commit puppeteer pypoetry/cache sccache uv yarn zig"
)
_CACHES = (
    *(f".cache/{name}" for name in _IN_CACHE.split()),
    ".cargo/registry", ".cargo/git", ".rustup", ".gradle/caches", ".gradle/wrapper", ".m2/repository",
    ".npm", ".nuget/packages", ".ivy2/cache", ".pnpm-store", ".local/share/pnpm", ".bun/install/cache",
)  # fmt: skip
_PRIVATE = frozenset(
    (".ssh", ".gnupg", ".aws", ".kube", ".docker", ".clauderon", ".password-store", ".claude")
)
# People's user ids, on macOS too; the last ones are `nobody` and what an engine maps to.
_LEAST_UID, _NOBODY = 500, 65534
# Variables that name a socket, or a file with a credential in it.
_NAMING = (
    "SSH_AUTH_SOCK", "GPG_AGENT_INFO", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "XAUTHORITY", "KRB5CCNAME",
    "KUBECONFIG", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_HOST", "CONTAINER_HOST", "CONTAINERD_ADDRESS", "NETRC",
    "GNUPGHOME", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_CONFIG", "AZURE_CONFIG_DIR", "GH_CONFIG_DIR", "CARGO_HOME", "NPM_CONFIG_USERCONFIG", "CLAUDE_CONFIG_DIR",
    "CODEX_HOME", "PASSWORD_STORE_DIR", "TMUX", "STY", "NVIM", "VSCODE_IPC_HOOK_CLI", "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
)  # fmt: skip


def places(state: Path, git_dirs: Iterable[Path], environ: Mapping[str, str]) -> list[Place]:
    """Every protected place. state: our own directory; git_dirs: those of the session's repository."""
    found = [Place(str(state), "clauderon's own state")]
    found += [Place(str(path), "the repository's .git") for path in git_dirs]
    for name in _NAMING:
        # `unix:///run/x.sock`, `unix:path=/run/x,guid=1`, `/run/x:0:1`, `FILE:/tmp/krb5cc_0`
        for path in re.findall(r"(?<![\w.])/[^\s:,;]*", environ.get(name, "").replace("://", ":")):
            if path != "/":
                found.append(Place(path, f"what ${name} names"))
    found += [Place(f"{home}/.ssh", "somebody's credentials and settings") for home in _homes(environ)]
    own = environ.get("HOME", "")
    if own.startswith("/") and own != "/" and Path(own, "Library/Keychains").is_dir():  # macOS
        found.append(Place(f"{own}/Library", "your credentials and settings"))
    found += [Place(path, "an engine's socket") for path in _sockets(environ)]
    found += _SYSTEM
    for directory in environ.get("PATH", "").split(":"):
        if directory.startswith("/"):
            found.append(Place(directory, "programs that $PATH finds", read=True))
    return found


def _homes(environ: Mapping[str, str]) -> set[str]:
    """The home directories of people here: a container that writes in one runs code as its owner. $HOME may be another
    than one's own, and no home needs to hold keys yet."""
    own = environ.get("HOME", "")
    found = {"/root", resolved(own) if own.startswith("/") else "/"}
    for person in pwd.getpwall():
        if person.pw_uid in (0, os.getuid()) or _LEAST_UID <= person.pw_uid < _NOBODY:
            found.add(resolved(person.pw_dir) if person.pw_dir.startswith("/") else "/")
    return found - {"/"}


def _sockets(environ: Mapping[str, str]) -> list[str]:
    """The sockets that `docker context` knows, the one in use or not."""
    directory = environ.get("DOCKER_CONFIG") or f"{environ.get('HOME') or '/root'}/.docker"
    found: list[str] = []
    with suppress(OSError):
        for meta in Path(directory, "contexts/meta").glob("*/meta.json"):
            with suppress(OSError):
                found += re.findall(r'"unix://(/[^"]+)"', meta.read_text("utf-8", "replace"))
    return found


def why_not(source: str, *, read_only: bool, among: Sequence[Place], environ: Mapping[str, str]) -> str:
    """Why a container must not be given `source`, an absolute path; empty if it may."""
    mounts = _mount_table()
    try:
        forms = _forms(source)
    except OSError as error:
        return f"where it leads cannot be seen: {(error.strerror or str(error)).lower()}"
    for form in forms:
        for place in among:
            if place.read and read_only:
                continue
            relation = _relation(form, place, mounts)
            if relation:
                return f"{relation} {place.path}, {place.what}"
        why = _below_home(form, read_only, environ, mounts) or _by_its_kind(form) or _by_its_name(form)
        why = why or contents.why_not(form, read_only)
        if why:
            return why
    return ""


def resolved(path: str) -> str:
    """`path` with its symlinks followed, as far as we are let."""
    try:
        return _one_slash(os.path.realpath(path))
    except OSError:  # `readlink` of /proc/1/root
        return _one_slash(os.path.normpath(path))


def _one_slash(path: str) -> str:
    """POSIX, and so `os.path`, lets two slashes at the beginning be."""
    return "/" + path.lstrip("/")


def _forms(source: str) -> list[str]:
    """The absolute paths it may mean: docker takes `..` away by name, the kernel by place; and both for an engine
    that is elsewhere, where our own symlinks say nothing."""
    cleaned = os.path.normpath("/" + source.lstrip("/"))
    found = [_one_slash(os.path.realpath(path)) for path in (cleaned, source)]
    if not os.path.lexists(cleaned):
        found.append(cleaned)
    return list(dict.fromkeys(found))


def _relation(source: str, place: Place, mounts: Sequence[_Mounted]) -> str:
    forms = {place.path, resolved(place.path)}
    for path in forms:
        if path == source:
            return "it is"
        if _is_below(path, source):
            return "it holds"
        if _is_below(source, path):
            return "it is in"
    where = {_coordinate(path, mounts) for path in forms}
    if place not in _SYSTEM:  # below /run the whole machine may be mounted (`/run/host` in a toolbox)
        where |= set(_mounted_below(forms, mounts))
    for here in {_coordinate(source, mounts), *_mounted_below({source}, mounts)}:
        for device, path in where:
            if device and here[0] == device:
                if here[1] == path or _is_below(path, here[1]):
                    return "under another name it holds"
                if _is_below(here[1], path):
                    return "under another name it is in"
    ours, theirs = _inodes(source), _inodes(resolved(place.path))
    if ours and theirs and os.path.lexists(place.path):
        if ours[0] in theirs:
            return "it holds"
        if os.path.lexists(source) and theirs[0] in ours:
            return "it is in"
    return ""


def _is_below(path: str, above: str) -> bool:
    return path != above and path.startswith(above.rstrip("/") + "/")


def _inodes(path: str) -> list[tuple[int, int]]:
    """Of a path and all above it, those that exist, the path's own first; empty if it does not exist."""
    found = []
    while True:
        try:
            seen = Path(path).stat()
        except OSError:
            return []
        found.append((seen.st_dev, seen.st_ino))
        if path == "/":
            return found
        path = str(Path(path).parent)


class _Mounted(NamedTuple):
    device: str
    root: str
    point: str


def _mount_table() -> list[_Mounted]:
    """Linux's mounts, the last mounted first; nothing elsewhere."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        fields = line.split(" ")
        root, point = (re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[i]) for i in (3, 4))
        found.append(_Mounted(fields[2], root, point))
    return found[::-1]


def _coordinate(path: str, mounts: Sequence[_Mounted]) -> tuple[str, str]:
    """(file system, path in it), the same whatever the path is called; ("", "") where that is not known."""
    best = None
    for mounted in mounts:
        if (path == mounted.point or _is_below(path, mounted.point)) and (
            best is None or len(mounted.point) > len(best.point)
        ):
            best = mounted
    if best is None:
        return "", ""
    return best.device, _one_slash(os.path.normpath(f"{best.root}/{os.path.relpath(path, best.point)}"))


def _mounted_below(paths: Iterable[str], mounts: Sequence[_Mounted]) -> list[tuple[str, str]]:
    return [(m.device, m.root) for m in mounts for path in paths if _is_below(m.point, path)]


def _below_home(source: str, read_only: bool, environ: Mapping[str, str], mounts: Sequence[_Mounted]) -> str:
    """Dot files are settings or credentials: what reads them has the one, what writes them runs code of its own."""
    for own in _homes(environ):
        inside = _inside(source, own)
        here, there = _coordinate(source, mounts), _coordinate(own, mounts)
        if here[0] == there[0]:
            inside = inside or _inside(here[1], there[1])
        if not inside.startswith("."):
            continue
        if not any(inside == cache or inside.startswith(cache.rstrip("/") + "/") for cache in _CACHES):
            return f"{source} is among the settings and credentials of {own}"
        if not read_only:
            return f"{source} is a cache that builds on this machine use (`:ro` is fine)"
    return ""


def _inside(path: str, above: str) -> str:
    return path[len(above.rstrip("/")) + 1 :] if above and _is_below(path, above) else ""


def _by_its_kind(source: str) -> str:
    with suppress(OSError):
        mode = Path(source).stat().st_mode
        if stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode):
            return f"{source} is a door to a program of this machine"
        if stat.S_ISREG(mode) and Path(source).stat().st_nlink > 1:
            return f"{source} is a file that has another name too, and that may be anywhere"
        if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
            return f"{source} is a device"
        if not os.access(source, os.R_OK):
            return f"{source} cannot be read by you, and could be by a container"
    return ""


def _by_its_name(source: str) -> str:
    """Whosever home directory it is in."""
    found = sorted(_PRIVATE.intersection(source.split("/")))
    return f"{source} is in somebody's {found[0]}" if found else ""
