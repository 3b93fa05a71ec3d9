"""Limits of CPU, memory and money, from what people write to what Docker and the proxy take. Pure."""

from __future__ import annotations

import re

from clauderon.errors import UsageError

# Docker refuses less memory than this ("Minimum memory limit allowed is 6MB").
_MIN_MEMORY_BYTES = 6 * 1024 * 1024
# An exbibyte: the engine counts bytes in 63 bits, by way of a float.
_MAX_MEMORY_BYTES = 1 << 60
# ASCII: docker knows no other digits, and Python's numbers know underscores too.
_MEMORY = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[a-z]*)\Z", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
NANO = 1_000_000_000  # billionths of a dollar, in which money is counted
_CPUS = re.compile(r"(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)(?P<milli>m?)\Z")
_MIN_CPUS = "0.01"
_MAX_CPUS = 100_000
# "value is too precise", says docker of a tenth decimal place.
_CPU_STEP = "0.000000001"


def cpus(text: str, *, what: str = "--cpu-limit") -> str:
    """A CPU limit as `docker --cpus` takes it, "" for none. `500m` is half a CPU. Raises UsageError."""
    text = text.strip()
    if not text:
        return ""
    from decimal import Decimal  # 2 ms of every `create`, and few have limits

    hint = "clauderon create --cpu-limit 1.5 ..."
    negative = text.startswith("-")
    match = _CPUS.match(text.removeprefix("-"))
    if match is None:
        raise UsageError(f"{what} {text}", "not a number of CPUs", hint=hint)
    number = Decimal(match["number"]) / (1000 if match["milli"] else 1)
    if negative or number < Decimal(_MIN_CPUS):
        why = "must be at least 0.01 CPUs (leave it out, or empty in the configuration, for no limit)"
        raise UsageError(f"{what} {text}", why, hint=hint)
    if number > _MAX_CPUS:
        raise UsageError(f"{what} {text}", "more CPUs than any machine has", hint=hint)
    return f"{number.quantize(Decimal(_CPU_STEP)).normalize():f}"


def memory(text: str, *, what: str = "--memory-limit") -> str:
    """A memory limit in bytes as `docker --memory` takes it, "" for none.

    Takes what Docker takes (`8g`, `512m`) and what other tools taught people to write (`8Gi`, `8GiB`, `1.5GB`).
    Raises UsageError.
    """
    text = text.strip()
    if not text:
        return ""
    from decimal import Decimal

    hint = "clauderon create --memory-limit 8g ..."
    match = _MEMORY.match(text)
    unit = match["unit"].lower() if match else ""
    if len(unit) > 1:
        unit = unit.removesuffix("b").removesuffix("i")
    if match is None or unit not in _UNITS:
        raise UsageError(f"{what} {text}", "not an amount of memory", hint=hint)
    size = int(Decimal(match["number"]) * _UNITS[unit])
    if size < _MIN_MEMORY_BYTES:
        why = f"{size} bytes is less than the 6 MiB Docker needs"
        if not match["unit"]:
            why += "; a unit is missing"
        raise UsageError(
            f"{what} {text}", why, hint=f"clauderon create --memory-limit {match['number']}g ..."
        )
    if size > _MAX_MEMORY_BYTES:
        raise UsageError(f"{what} {text}", "more memory than any machine has", hint=hint)
    return f"{size}b"


def size_bytes(text: str) -> int | None:
    """Bytes in `16g`, `512m`, `8GiB`, `0`; None for what is no such amount, the empty text among them."""
    match = _MEMORY.match(text.strip())
    unit = match["unit"].lower() if match else ""
    if len(unit) > 1:
        unit = unit.removesuffix("b").removesuffix("i")
    if match is None or unit not in _UNITS:
        return None
    from decimal import Decimal

    found = int(Decimal(match["number"]) * _UNITS[unit])
    return found if found <= _MAX_MEMORY_BYTES else None


def checked(value: object) -> str:
    """A configured amount of bytes, or empty; the text is kept. Raises ValueError."""
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise ValueError('expected an amount of bytes, as "16g"')
    if value != "" and size_bytes(str(value)) is None:
        raise ValueError(f'{value!r} is not an amount of bytes; write it as "16g"')
    return str(value)


def memory_text(limit: str) -> str:
    """A limit as `memory` returns it, in the largest unit that divides it, for a person to read."""
    size = int(limit.removesuffix("b") or 0)
    for unit in ("t", "g", "m", "k"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return limit


def dollars(text: str) -> int | None:
    """Billionths of a dollar in `5`, `2.50` or `$2.50`; None for what is no such amount, for nothing among them."""
    match = re.fullmatch(r"\$?([0-9]{1,9})(?:\.([0-9]{1,9}))?", text.strip(), re.ASCII)
    if match is None:
        return None
    return int(match[1]) * NANO + int((match[2] or "").ljust(9, "0")) or None


def checked_dollars(value: object) -> str:
    """A configured amount in US dollars, or empty, as text. Raises ValueError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or (value != "" and dollars(value) is None):
        raise ValueError(f'{value!r} is not an amount in US dollars; write it as "2.50"')
    return value.removeprefix("$")


def dollars_text(nano: int) -> str:
    """As an amount is kept: `7.5`, without a sign and as short as it can be."""
    whole, rest = divmod(nano, NANO)
    return f"{whole}.{rest:09d}".rstrip("0").removesuffix(".")


def dollars_shown(nano: int) -> str:
    """For a person: `$5.02`; what is less than a cent has four digits."""
    return f"${nano / NANO:.2f}" if nano >= NANO // 100 or not nano else f"${nano / NANO:.4f}"
