"""The words of `docker run` taken apart exactly as docker takes them apart, so that nothing hides in a spelling. Pure.

Docker's command line is spf13/pflag with options before the image alone: `--name value`, `--name=value`, clusters of
short options (`-it`), a value glued to its letter (`-v/:/host`, `-v=/:/host`), and a first word without a dash that
ends the options. Where an option ends depends on whether it takes a value, so that is written down here. What this
module does not know, it says it does not know; it never guesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# Options that are switches: a value comes only after `=`.
_SWITCHES = (
    "detach disable-content-trust help init interactive no-healthcheck oom-kill-disable privileged publish-all quiet "
    "read-only rm sig-proxy tty use-api-socket"
)
SWITCHES = frozenset(_SWITCHES.split())
_WITH_VALUE = (
    "add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile "
    "cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems "
    "detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops dns "
    "dns-opt dns-option dns-search domainname entrypoint env env-file expose gpus group-add health-cmd health-interval "
    "health-retries health-start-interval health-start-period health-timeout hostname io-maxbandwidth io-maxiops ip "
    "ip6 ipc isolation kernel-memory label label-file link link-local-ip log-driver log-opt mac-address memory "
    "memory-reservation memory-swap memory-swappiness mount name net net-alias network network-alias oom-score-adj "
    "pid pids-limit platform publish pull restart runtime security-opt shm-size stop-signal stop-timeout storage-opt "
    "sysctl tmpfs ulimit user userns uts volume volume-driver volumes-from workdir"
)
WITH_VALUE = frozenset(_WITH_VALUE.split())
SHORT = {
    "a": "attach", "c": "cpu-shares", "d": "detach", "e": "env", "h": "hostname", "i": "interactive", "l": "label",
    "m": "memory", "P": "publish-all", "p": "publish", "q": "quiet", "t": "tty", "u": "user", "v": "volume",
    "w": "workdir",
}  # fmt: skip
# strconv.ParseBool
_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


class Option(NamedTuple):
    """One option as docker understands it. word: where it stood. value: of a switch `true` or `false`."""

    name: str
    value: str
    word: str


class Parsed(NamedTuple):
    """unread: why docker, or we, cannot say where the options end; empty if all were read."""

    options: tuple[Option, ...]
    unread: str = ""


def parse(words: Sequence[str]) -> Parsed:
    """The options in `words`, which must hold nothing else: the image comes after them.

    What cannot be read for certain ends the reading: words behind it may be anything.
    """
    found: list[Option] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if len(word) < 2 or word[0] != "-":
            return Parsed(tuple(found), f"{word!a} is not an option, so docker would read it as the image")
        if word == "--":
            return Parsed(tuple(found), "'--' ends the options, so what follows is the image")
        why = _long(word, rest, found) if word.startswith("--") else _short(word, rest, found)
        if why:
            return Parsed(tuple(found), why)
    return Parsed(tuple(found))


def _long(word: str, rest: list[str], found: list[Option]) -> str:
    name, equals, value = word[2:].partition("=")
    if name in SWITCHES:
        return _switch(name, value if equals else "true", word, found)
    if name not in WITH_VALUE:
        return f"{word!a} is no option of `docker run` that is known here"
    return _valued(name, value if equals else None, word, rest, found)


def _short(word: str, rest: list[str], found: list[Option]) -> str:
    letters = word[1:]
    while letters:
        name = SHORT.get(letters[0], "")
        if not name:
            return f"{word!a} has an option that is not known here: -{letters[0]!a}"
        # pflag looks for the `=` before it asks whether the option is a switch.
        given = letters[2:] if len(letters) > 2 and letters[1] == "=" else None
        if name in SWITCHES:
            why = _switch(name, "true" if given is None else given, word, found)
            if why or given is not None:
                return why
            letters = letters[1:]
            continue
        return _valued(name, given or letters[1:] or None, word, rest, found)
    return ""


def _switch(name: str, value: str, word: str, found: list[Option]) -> str:
    if value not in _TRUE and value not in _FALSE:
        return f"{word!a} is neither true nor false"
    found.append(Option(name, "true" if value in _TRUE else "false", word))
    return ""


def _valued(name: str, value: str | None, word: str, rest: list[str], found: list[Option]) -> str:
    if value is None:
        if not rest:
            return f"{word!a} needs a value"
        value = rest.pop(0)
    found.append(Option(name, value, word))
    return ""


class MountValue(NamedTuple):
    """What `--mount` says. kind: bind, volume, tmpfs ...; extras: the other fields, by docker's name in lower case."""

    kind: str
    source: str
    target: str
    read_only: bool
    extras: tuple[tuple[str, str], ...]


_SOURCES, _TARGETS = ("source", "src"), ("target", "dst", "destination")


def parse_mount(value: str) -> MountValue | None:
    """The value of `--mount`; None for one that could be read in two ways (quotes, lines, spaces round a name).

    As docker: the last of several wins, a name's letters are of either case.
    """
    if any(character in value for character in '"\r\n'):
        return None
    kind, source, target, read_only = "volume", "", "", False
    extras = []
    for field in value.split(","):
        name, equals, said = field.partition("=")
        name = name.lower()
        if not name or name != name.strip():
            return None
        if name == "type":
            kind = said.lower()
        elif name in _SOURCES:
            source = said
        elif name in _TARGETS:
            target = said
        elif name in ("readonly", "ro"):
            if equals and said not in _TRUE and said not in _FALSE:
                return None
            read_only = not equals or said in _TRUE
        else:
            extras.append((name, said))
    return MountValue(kind, source, target, read_only, tuple(extras))
