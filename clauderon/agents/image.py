"""What must be known about an image before an agent runs in it, found once per image id.

The question is a shell script that needs nothing but `sh`; the answer is parsed here. Runs nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from clauderon.errors import BackendError
from clauderon.known.table import AGENTS

Libc = Literal["glibc", "musl", "none"]

PROGRAMS = (
    *(known.program for known in AGENTS.values()),
    "node",
    "git",
    "bash",
    "zsh",
    "curl",
    "wget",
    "sccache",
    "cargo",
    "java",
)
# Every place where a distribution keeps the bundle of roots that its tools read.
CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
)
_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}

# Builtins of a POSIX shell only, so that an image with nothing but `sh` answers too.
_PROBE = """\
say() { printf '%s=%s\\n' "$1" "$2"; }
say clauderon-probe 1
say path "$PATH"
for program in @programs@; do
    found=$(command -v "$program" 2>/dev/null) && say "program.$program" "$found"
done
for bundle in @bundles@; do
    if [ -f "$bundle" ]; then
        # The target of a symlink is what a mount must cover; without readlink the name itself has to do.
        real=$(readlink -f "$bundle" 2>/dev/null) || real=$bundle
        say bundle "${real:-$bundle}"
    fi
done
for loader in /lib/ld-musl-*.so.1 /lib/ld-linux*.so* /lib64/ld-linux*.so* /lib/*-linux-gnu*/libc.so.6; do
    [ -e "$loader" ] && say loader "$loader"
done
say machine "$(uname -m 2>/dev/null)"
say uid "$(id -u 2>/dev/null)"
say gid "$(id -g 2>/dev/null)"
for table in passwd group; do
    [ -r "/etc/$table" ] || continue
    while IFS= read -r line || [ -n "$line" ]; do say "$table" "$line"; done <"/etc/$table"
done
say lang "${LC_ALL:-${LC_CTYPE:-$LANG}}"
:
"""

_LISTS = ("bundles", "loaders", "passwd", "group")
# A table that is longer is no image's own.
_TABLE_CHARACTERS = 64 * 1024


class ImageFacts(NamedTuple):
    """What is inside an image.

    arch:     `x64`, `arm64`, or "" when the image could not say.
    libc:     `none` for an image without a dynamic loader (static busybox).
    programs: name to path, of those that were found.
    bundles:  the CA bundles that exist, symlinks followed, absolute paths.
    path:     the image's own PATH; lang: its locale, "" for none.
    uid, gid: who the image runs as by default; None if it has no `id`.
    loaders:  the dynamic loaders that exist, by the names that programs ask for.
    passwd, group: the lines of the image's two tables, none without the file; None where they are too long to keep.
    """

    arch: str = ""
    libc: Libc = "glibc"
    programs: Mapping[str, str] = MappingProxyType({})
    bundles: tuple[str, ...] = ()
    path: str = ""
    lang: str = ""
    uid: int | None = None
    gid: int | None = None
    loaders: tuple[str, ...] = ()
    passwd: tuple[str, ...] | None = None
    group: tuple[str, ...] | None = None

    def has(self, program: str) -> bool:
        """Whether the image has `program` on its PATH."""
        return program in self.programs

    @property
    def platform(self) -> str:
        """`linux-x64`, `linux-arm64-musl`, ...; the host's own architecture where the image could not say."""
        arch = self.arch
        if not arch:
            import platform

            arch = _ARCHITECTURES.get(platform.machine().lower(), "x64")
        return f"linux-{arch}" + ("-musl" if self.libc == "musl" else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON; `from_dict` reads them back."""
        lists = {key: list(getattr(self, key) or ()) for key in _LISTS if getattr(self, key) is not None}
        return {**self._asdict(), "programs": dict(self.programs), "asked": list(PROGRAMS), **lists}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ImageFacts:
        """Read `to_dict` of this or an older version; unknown keys are left out."""
        kept = {key: value for key, value in values.items() if key in cls._fields}
        lists = {key: tuple(kept[key]) for key in _LISTS if kept.get(key) is not None}
        return cls(**{**kept, **lists})


def is_older(values: Mapping[str, Any]) -> bool:
    """Whether these kept facts are of a version that asked the image less."""
    return "passwd" not in values or values.get("asked") != list(PROGRAMS)


def probe_script() -> str:
    """The script to run once in a throwaway container of the image, with `sh`; its stdout is for the parser."""
    return _PROBE.replace("@programs@", " ".join(PROGRAMS)).replace("@bundles@", " ".join(CA_BUNDLES))


def parse_image_facts(text: str) -> ImageFacts:
    """The probe's answer as facts. Raises BackendError when it is not an answer of the probe."""
    pairs = [
        (key, value) for key, is_pair, value in (line.partition("=") for line in text.splitlines()) if is_pair
    ]
    single = dict(pairs)
    if single.get("clauderon-probe") != "1":
        raise BackendError("look into the image", "its shell did not run the questions", detail=text[-2000:])
    loaders = [value for key, value in pairs if key == "loader"]
    # An image may carry both (musl-tools on Debian); what its own `sh` was built for is then glibc.
    libc: Libc = "none"
    if any("ld-musl" in loader for loader in loaders):
        libc = "musl"
    if any("ld-linux" in loader or "libc.so.6" in loader for loader in loaders):
        libc = "glibc"
    machine = single.get("machine", "") or _machine_of(loaders)
    return ImageFacts(
        arch=_ARCHITECTURES.get(machine, ""),
        libc=libc,
        programs={key.removeprefix("program."): value for key, value in pairs if key.startswith("program.")},
        bundles=tuple(
            dict.fromkeys(value for key, value in pairs if key == "bundle" and value.startswith("/"))
        ),
        path=single.get("path", ""),
        lang=single.get("lang", ""),
        uid=_number(single.get("uid", "")),
        gid=_number(single.get("gid", "")),
        loaders=tuple(loaders),
        passwd=_table(pairs, "passwd"),
        group=_table(pairs, "group"),
    )


def _table(pairs: list[tuple[str, str]], name: str) -> tuple[str, ...] | None:
    lines = tuple(value for key, value in pairs if key == name)
    return lines if sum(map(len, lines)) <= _TABLE_CHARACTERS else None


def _machine_of(loaders: list[str]) -> str:
    """The machine in a loader's name: /lib64/ld-linux-x86-64.so.2, /lib/ld-musl-aarch64.so.1."""
    names = [loader.replace("x86-64", "x86_64") for loader in loaders]
    return next((machine for machine in _ARCHITECTURES for name in names if machine in name), "")


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def warnings(facts: ImageFacts) -> tuple[str, ...]:
    """What a person should know before working with this image, one sentence each."""
    found = []
    if not facts.has("git"):
        found.append("the image has no git: the agent can change files there, but not commit them")
    if not facts.has("curl") and not facts.has("wget"):
        found.append("the image has neither curl nor wget: the agent cannot download tools there")
    return tuple(found)
