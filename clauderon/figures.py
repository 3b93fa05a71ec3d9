"""Amounts as a person reads them in a narrow column: bytes, tokens, dollars, times, and a row of small bars. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def short(amount: float, unit: int = 1000) -> str:
    """`999`, `38k`, `2.9M`, `12G`: four characters at most up to 999T. unit: 1000, or 1024 for bytes."""
    if amount < 0 or amount != amount:
        return ""
    for letter in ("", "k", "M", "G"):
        if amount < 9.95 and letter:
            return f"{amount:.1f}{letter}"
        if amount < 999.5:
            return f"{amount:.0f}{letter}"
        amount /= unit
    return f"{amount:.0f}T"


def money(dollars: float, unpriced: int = 0) -> str:
    """`$2.73`, and `$0.0012` for less than a cent; `+` where some price is not known, `?` where none is."""
    if unpriced and not dollars:
        return "?"
    text = f"${dollars:.2f}" if dollars >= 0.01 or not dollars else f"${dollars:.4f}"
    return f"{text}+" if unpriced else text


def share(part: float) -> str:
    """`86%` of a whole, rounded down: only what is whole is `100%`, and more than that is `100%` too."""
    return f"{min(100, int(max(0.0, part) * 100 + 1e-9))}%"


def ago(seconds: float) -> str:
    """`5s`, `12m`, `3h`, `9d`: one unit, rounded down."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"


def bars(values: Sequence[float], width: int) -> str:
    """The last `width` values as bars, the largest of them full; a blank for nothing."""
    shown = [max(0.0, value) for value in values[-width:]]
    most = max(shown, default=0.0)
    if not most:
        return " " * width
    text = "".join(" " if not value else _BARS[min(7, int(value / most * 8))] for value in shown)
    return text.rjust(width)
