"""What an answer may have cost of which nobody could read the usage: so that a budget does not take it for nothing.

For budgets alone; `usage` shows such answers as unknown. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from clauderon.proxy.usage.amounts import Usage
from clauderon.proxy.usage.prices import Price

# A token is about four letters. In a stream each comes in an event of its own, with names and quotes round it.
_BYTES = 4
_STREAMED_BYTES = 40
# What a model thinks it need not show, but it takes its time: hardly any expensive model is faster than this.
_TOKENS_A_SECOND = 200
_MOST_OUTPUT = 128_000
# The price for a model that nobody named, where the session has used none that is dearer: higher than most.
UNKNOWN_PRICE = Price(10.0, 50.0, 10.0, 10.0, 10.0)


class Size(NamedTuple):
    """What can be seen of an answer: bytes of the request and of the answer, and how long the model worked on it."""

    up: int
    down: int
    streamed: bool
    seconds: float = 0.0


def least(price: Price, up: int) -> int:
    """Billionths of a dollar for a request of so many bytes, of whose answer nothing is seen yet."""
    return price.cost(Usage(input=up // _BYTES))


def guess(usage: Usage, price: Price, size: Size) -> int:
    """Billionths of a dollar beyond what `usage` says: for what could be seen, or thought in that time."""
    said = usage.input + usage.cache_read + usage.cache_write + usage.cache_write_1h
    shown = size.down // (_STREAMED_BYTES if size.streamed else _BYTES)
    answered = max(shown, min(int(size.seconds * _TOKENS_A_SECOND), _MOST_OUTPUT))
    rest = Usage(input=0 if said else size.up // _BYTES, output=max(answered - usage.output, usage.coming, 0))
    return price.cost(rest)
