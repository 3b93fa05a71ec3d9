"""How much of a model one request used, in tokens. Pure."""

from __future__ import annotations

from typing import NamedTuple

# No model has a window near this. A larger number is a lie or a mistake, and would hide every other in a sum.
MOST_TOKENS = 1_000_000_000


class Usage(NamedTuple):
    """Tokens by what they cost. `known` is False where an answer was cut or could not be read: then they are the least.

    input: tokens that no cache had; cache_write: written for five minutes, cache_write_1h: for an hour.
    coming: what the output may come to behind this answer, where the model goes on in the background.
    times: how many times its list price the answer may have cost at most, since it was wanted in haste.
    """

    model: str = ""
    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    known: bool = True
    coming: int = 0
    times: int = 1

    @property
    def tokens(self) -> int:
        """All tokens, cached ones included."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h + self.output


UNKNOWN = Usage(known=False)


class Malformed(Exception):
    """A count that is no count."""


def count(container: object, key: str) -> int:
    """The tokens that `container[key]` says; 0 where there is none. Raises Malformed."""
    if container is None:
        return 0
    if not isinstance(container, dict):
        raise Malformed(key)
    value = container.get(key)
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_TOKENS:
        raise Malformed(key)
    return value
