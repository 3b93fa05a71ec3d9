"""`scripts/prices`: the prices of models of the APIs that clauderon counts, as they are today, from genai-prices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genai_prices.data import providers

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "clauderon" / "share" / "prices.json"
APIS = {"anthropic": "anthropic", "openai": "openai", "google": "gemini"}
# Their name in the package, and ours: US dollars for a million tokens.
FIELDS = {
    "input_mtok": "input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
}


def clauses(match: Any) -> Iterator[list[str]]:
    """A match as alternatives, [kind, text]; what is not a plain alternative (`and`) is left out."""
    for kind in ("or_", "equals", "starts_with", "ends_with", "contains", "regex"):
        value = getattr(match, kind, None)
        if kind == "or_" and value is not None:
            for one in value:
                yield from clauses(one)
        elif value is not None:
            yield [kind, value]


def price(prices: Any) -> dict[str, Any]:
    """The base prices; `above`: [tokens, prices] of requests whose input is longer."""
    out: dict[str, Any] = {}
    tiers: dict[int, dict[str, float]] = {}
    for theirs, ours in FIELDS.items():
        value = getattr(prices, theirs, None)
        if value is None:
            continue
        out[ours] = float(getattr(value, "base", value))
        for tier in getattr(value, "tiers", []):
            tiers.setdefault(tier.start, {})[ours] = float(tier.price)
    if tiers:
        out["above"] = [[start, tiers[start]] for start in sorted(tiers)]
    return out


def main() -> None:
    now = datetime.now(tz=UTC)
    models = []
    for provider in providers:
        if provider.id not in APIS:
            continue
        for model in provider.models:
            found = price(model.get_prices(now))
            matches = list(clauses(model.match))
            if "input" in found and matches:
                models.append({"api": APIS[provider.id], "id": model.id, "match": matches, **found})
    lines = ",\n".join(json.dumps(model) for model in models)
    OUT.write_text(f'{{"as_of": "{now:%Y-%m-%d}", "models": [\n{lines}\n]}}\n')
    print(f"{OUT.relative_to(ROOT)}: {len(models)} models")


if __name__ == "__main__":
    main()
