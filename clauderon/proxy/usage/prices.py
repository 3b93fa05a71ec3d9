"""What tokens cost: the table that ships with clauderon (`scripts/prices` writes it), and before it the person's own.

Reads that one file, once.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from clauderon.config.schema import ModelPrice
from clauderon.proxy.usage.amounts import Usage

_TABLE = Path(__file__).parents[2] / "share" / "prices.json"
NANO = 1_000_000_000


class Price(NamedTuple):
    """US dollars for a million tokens. above: (tokens of input, the price of requests with more)."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    cache_write_1h: float
    above: tuple[tuple[int, Price], ...] = ()

    def cost(self, usage: Usage) -> int:
        """Of one request, in billionths of a dollar."""
        price = self
        asked = usage.tokens - usage.output
        for least, higher in self.above:
            if asked > least:
                price = higher
        dollars_a_million = (
            usage.input * price.input
            + usage.output * price.output
            + usage.cache_read * price.cache_read
            + usage.cache_write * price.cache_write
            + usage.cache_write_1h * price.cache_write_1h
        )
        return round(dollars_a_million * (NANO // 1_000_000))


class Prices:
    """own: what config.toml says, of whatever API; a name that ends in `*` is the beginning of names."""

    def __init__(self, own: Mapping[str, ModelPrice] | None = None) -> None:
        named = {name.lower(): _own(price) for name, price in (own or {}).items()}
        self._exact = {name: price for name, price in named.items() if not name.endswith("*")}
        beginnings = [(name[:-1], price) for name, price in named.items() if name.endswith("*")]
        self._beginnings = sorted(beginnings, key=lambda one: -len(one[0]))

    def of(self, api: str, model: str) -> Price | None:
        """None for a model whose price is not known. api: as in `apis`."""
        if not model:
            return None
        name = model.lower()
        if name in self._exact:
            return self._exact[name]
        found = next((price for start, price in self._beginnings if name.startswith(start)), None)
        return found or _found(api, model)


def _own(price: ModelPrice) -> Price:
    return _price(
        {key: value for key, value in price._asdict().items() if key != "name" and value is not None}
    )


def as_of() -> str:
    """The day of the table, as 2026-11-29."""
    return str(_table()["as_of"])


@functools.lru_cache(maxsize=512)
def _found(api: str, model: str) -> Price | None:
    name = model.lower().rpartition("/")[2]
    for entry in _table()["models"]:
        if entry["api"] == api and any(_matches(kind, text, name) for kind, text in entry["match"]):
            return _price(entry)
    return None


@functools.cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(_TABLE.read_text("utf-8"))
    return table


def _matches(kind: str, text: str, name: str) -> bool:
    if kind == "regex":
        return re.search(text, name) is not None
    text = text.lower()
    if kind == "equals":
        return name == text
    if kind == "starts_with":
        return name.startswith(text)
    return name.endswith(text) if kind == "ends_with" else text in name


def _price(entry: dict[str, Any], base: Price | None = None) -> Price:
    """What a cache costs is, where nothing is said, what the API's makers bill: as input."""
    asked = entry.get("input", base.input if base else 0.0)
    written = entry.get("cache_write", base.cache_write if base else asked)
    price = Price(
        input=asked,
        output=entry.get("output", base.output if base else 0.0),
        cache_read=entry.get("cache_read", base.cache_read if base else asked),
        cache_write=written,
        cache_write_1h=entry.get("cache_write_1h", base.cache_write_1h if base else written),
    )
    return price._replace(
        above=tuple((start, _price(other, price)) for start, other in entry.get("above", ()))
    )
