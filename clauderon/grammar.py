"""How each kind of value is written, once for flags and configuration: hosts, destinations, images, variables, times.

A parser takes a raw value and returns the usual form; it raises ValueError with the reason in lower case and names
neither flag nor key. Pure; no file is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

LAST_PORT = 65535
# Strings: compiled when first used, since most commands read few of them.
VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
# What `docker run --env` takes beside that.
CONTAINER_VARIABLE = r"[A-Za-z_][A-Za-z0-9_.-]*"
USER = r"[0-9]+(:[0-9]+)?"
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = rf"{_LABEL}(\.{_LABEL})*"
_NUMBER = r"[0-9]+|0x[0-9a-f]*"
# distribution/reference: [domain[:port]/]path[:tag][@digest]
_REFERENCE = (
    r"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)
_IMAGE_ID = r"(?:sha256:)?[0-9a-f]{12,64}"
_DURATION = r"([0-9]+(?:\.[0-9]+)?)([smhd]?)"
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def type_name(value: object) -> str:
    """What config.toml calls the type of this value, with its article."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    names[dict] = "a table"
    return names.get(type(value), "a date or time")


def text(value: object) -> str:
    """Any string of one piece, the empty one included."""
    if not isinstance(value, str):
        raise ValueError(f"expected a string, found {type_name(value)}")
    if "\0" in value:
        raise ValueError("a NUL character cannot be passed on")
    return value


def filled(value: object) -> str:
    """A string that is not empty."""
    if not text(value):
        raise ValueError("it is empty")
    return text(value)


def image_problem(reference: str) -> str | None:
    """Why Docker could not take this as an image, in lower case; None if it could."""
    if not reference:
        return "it is empty"
    if re.fullmatch(_REFERENCE, reference) or re.fullmatch(_IMAGE_ID, reference):
        return None
    if reference.startswith("-"):
        return "an image reference cannot begin with '-'"
    if re.fullmatch(_REFERENCE, reference.lower()):
        return "a repository name must be in lower case"
    return "not an image reference"


def seconds(value: str) -> float | None:
    """`90`, `90s`, `15m`, `2h`, `1d`, more than none; None for what is no such time."""
    match = re.fullmatch(_DURATION, value)
    return float(match[1]) * _SECONDS[match[2]] or None if match else None


def seconds_text(value: float) -> str:
    """A time as one would type it: the largest unit that has a whole number of it (`90s`, `15m`, `2h`)."""
    unit = next((u for u in ("d", "h", "m") if value and value % _SECONDS[u] == 0), "s")
    return f"{value / _SECONDS[unit]:.15g}{unit}"


def host(name: str) -> str:
    """A host name or address in its usual form: lower case, no dot at the end."""
    bare = name[:-1] if name.endswith(".") else name
    if not bare.isascii():
        raise ValueError(f"{name!r} is not ASCII; write the name as it is in the DNS (xn--...)")
    if re.fullmatch(_HOST, bare) and len(bare) <= 253:
        if re.fullmatch(_NUMBER, bare.rpartition(".")[2].lower()):
            _refuse_unusual(bare)
        return bare.lower()
    if ":" in bare and "%" not in bare:
        import ipaddress

        try:
            return str(ipaddress.IPv6Address(bare[1:-1] if bare[0] + bare[-1] == "[]" else bare))
        except ValueError:
            pass
    raise ValueError(f"{name!r} is not a host name; omit the scheme, the port and the path")


def _refuse_unusual(text: str) -> None:
    """What ends in a number is an address to a resolver; the proxy takes only the usual notation (`proxy.hosts`)."""
    import ipaddress

    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        raise ValueError(f"{text!r} is an unusual notation of an address; write it as a.b.c.d") from None


# What is replaced in the commands of an agent of one's own.
PLACEHOLDERS = ("prompt_file", "conversation")
# `${name}` is the shell's own.
_PLACEHOLDER = r"\{\{([a-z_]+)\}\}|(?<!\$)\{([a-z_]+)\}"


def fill(word: str, values: Mapping[str, str]) -> str:
    """`word` with each `{name}` replaced by its value, and `{{name}}` by `{name}`.

    Raises ValueError for a name that has no value: it would reach the program as it is.
    """

    def replaced(found: re.Match[str]) -> str:
        literal, name = found[1], str(found[2])
        if literal:
            return f"{{{literal}}}"
        if name not in values:
            known = " and ".join(f"{{{known}}}" for known in values)
            raise ValueError(
                f"{{{name}}} is not replaced, only {known} are; {{{{{name}}}}} is {{{name}}} itself"
            )
        return values[name]

    return re.sub(_PLACEHOLDER, replaced, word)


def host_pattern(value: object) -> str:
    """A host, or `*.example.com` for every name below it, or `*`."""
    pattern = filled(value)
    if pattern == "*":
        return pattern
    if not pattern.startswith("*."):
        return host(pattern)
    below = host(pattern[2:])
    if ":" in below or re.fullmatch(_NUMBER, below.rpartition(".")[2]):
        raise ValueError(f"{pattern!r}: there are no names below an address")
    return f"*.{below}"


def destination(value: object) -> str:
    """A `host_pattern` with `:port` or without; an IPv6 address that has one is in brackets."""
    name, colon, number = filled(value).rpartition(":")
    if not colon or not number.isascii() or not number.isdigit() or (":" in name and name[-1] != "]"):
        return host_pattern(value)
    pattern = host_pattern(name)
    if not 1 <= int(number) <= LAST_PORT:
        raise ValueError(f"{number} is no port")
    return f"[{pattern}]:{int(number)}" if ":" in pattern else f"{pattern}:{int(number)}"


def counted(number: int, noun: str) -> str:
    """`1 commit`, `2 commits`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
