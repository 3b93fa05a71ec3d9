"""A person's own prices: before the table's, by name or by beginning, for models of any API."""

from __future__ import annotations

from clauderon.config.schema import ModelPrice
from clauderon.proxy.usage.amounts import Usage
from clauderon.proxy.usage.prices import NANO, Prices

MILLION = 1_000_000
USED = Usage(input=MILLION, cache_read=MILLION, cache_write=MILLION, cache_write_1h=MILLION, output=MILLION)


def cost(own: dict[str, ModelPrice], api: str, model: str) -> float | None:
    price = Prices(own).of(api, model)
    return None if price is None else price.cost(USED) / NANO


def test_a_model_that_the_table_does_not_have_gets_one() -> None:
    own = {"new-model": ModelPrice("new-model", 1.0, 2.0)}
    assert cost({}, "openai", "new-model") is None
    # What is not said of caches is billed as input.
    assert cost(own, "openai", "new-model") == 1 + 1 + 1 + 1 + 2
    assert cost(own, "anthropic", "NEW-model") == 6


def test_it_replaces_the_tables() -> None:
    model = "claude-sonnet-4-5"
    assert cost({}, "anthropic", model) not in (None, 0.0)
    own = {model: ModelPrice(model, 0.0, 0.0, 0.0, 0.0, 0.0)}
    assert cost(own, "anthropic", model) == 0


def test_the_whole_name_is_stronger_than_a_beginning_and_a_longer_beginning_than_a_shorter() -> None:
    own = {
        name: ModelPrice(name, price, 0.0, 0.0, 0.0, 0.0)
        for name, price in (("m*", 1.0), ("m-1*", 2.0), ("m-1", 3.0))
    }
    assert [cost(own, "gemini", name) for name in ("m-2", "m-1-x", "m-1")] == [1, 2, 3]
    assert cost(own, "gemini", "other") is None


def test_an_answer_without_a_models_name_has_no_price() -> None:
    assert cost({"*": ModelPrice("*", 1.0, 1.0)}, "openai", "") is None
