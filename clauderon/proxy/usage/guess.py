"""What an answer may have cost of which nobody could read the usage: so that a budget does not take it for nothing.

For budgets alone; `usage` shows such answers as unknown. Pure.
"""

from __future__ import annotations

from clauderon.proxy.usage.amounts import Usage
from clauderon.proxy.usage.prices import Price

# A token is about four letters. In a stream each comes in an event of its own, with names and quotes round it.
_BYTES = 4
_STREAMED_BYTES = 40
# The price for a model that nobody named, where the agent has used no other: higher than most.
UNKNOWN_PRICE = Price(10.0, 50.0, 10.0, 10.0, 10.0)


def guess(usage: Usage, price: Price, up: int, down: int, *, streamed: bool) -> int:
    """Billionths of a dollar beyond what `usage` says. up, down: bytes of the request and of its answer."""
    said = usage.input + usage.cache_read + usage.cache_write + usage.cache_write_1h
    answered = down // (_STREAMED_BYTES if streamed else _BYTES)
    rest = Usage(input=0 if said else up // _BYTES, output=max(answered - usage.output, usage.coming, 0))
    return price.cost(rest)
