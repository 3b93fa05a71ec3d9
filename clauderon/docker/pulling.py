"""How far a pull is, read from what docker prints of it: layers in a pipe, bytes as well on a terminal. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE = re.compile(r"^([0-9a-f]{6,}): (\S.*)$")
_BYTES = re.compile(r"([0-9.]+) ?([kMGT]?)B/([0-9.]+) ?([kMGT]?)B")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_HERE = ("Already exists", "Pull complete")
_FETCHED = ("Verifying Checksum", "Download complete", "Extracting", *_HERE)
# A line is short. Longer text without a newline is no line and is dropped.
_MOST = 4096


class _Layer(NamedTuple):
    """In bytes; total is 0 where docker has not said it. here: nothing is left to do."""

    done: float = 0.0
    total: float = 0.0
    here: bool = False


class Pulled:
    """What was heard of one pull so far."""

    def __init__(self) -> None:
        self._rest = ""
        self._layers: dict[str, _Layer] = {}
        self.last = ""

    def feed(self, text: str) -> None:
        """Take the next piece of docker's stdout, wherever it was cut."""
        *lines, self._rest = re.split(r"[\r\n]", (self._rest + text)[-(1 << 20) :])
        self._rest = self._rest[-_MOST:]
        for line in lines:
            plain = _ESCAPE.sub("", line).strip()
            if plain:
                self.last = plain
            found = _LINE.match(plain)
            if found:
                layer = self._layers.get(found[1], _Layer())
                self._layers[found[1]] = _after(layer, found[2])

    @property
    def progress(self) -> tuple[float, float | None, str]:
        """(done, total, words), in bytes where docker says them, else in layers; total None while it is unknown."""
        layers = self._layers.values()
        here = sum(layer.here for layer in layers)
        count = f"{here} of {len(layers)} layers"
        total = sum(layer.total for layer in layers)
        if not total:
            return here, len(layers) or None, count if layers else self.last
        done = sum(layer.done for layer in layers)
        # Layers that wait have not said how large they are.
        least = "" if all(layer.total or layer.here for layer in layers) else "at least "
        return done, total, f"{_megabytes(done)} of {least}{_megabytes(total)} MB, {count}"


def _after(layer: _Layer, words: str) -> _Layer:
    found = _BYTES.search(words)
    here = words.startswith(_HERE)
    if words.startswith("Downloading") and found:
        done, unit, total, of = found.groups()
        return _Layer(_number(done, unit), _number(total, of), here)
    fetched = layer.total if words.startswith(_FETCHED) else layer.done
    return _Layer(fetched, layer.total, here)


def _number(digits: str, unit: str) -> float:
    return float(digits) * _UNITS[unit] if digits.count(".") < 2 and digits.strip(".") else 0.0


def _megabytes(number: float) -> str:
    return f"{number / 10**6:.1f}"
