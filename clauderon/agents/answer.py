"""What an agent printed for `create --print --json`, taken apart: its answer, its cost, its tokens. Pure.

What is not of the agent's own JSON form is the answer as it is. An agent's output is not believed: nothing here raises
for any text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from clauderon.agents import registry
from clauderon.config.schema import Agent
from clauderon.known.answers import Answer, result_object

# Nothing that an agent printed before or after its result is read further than this.
_MOST_VALUES = 100_000


def read(agent: Agent, output: str) -> Answer:
    """The answer in an agent's whole stdout; of several, as after a start anew, the last one."""
    known = registry.builtin(agent)
    values = [value for value in _values(output) if isinstance(value, dict)]
    return (known.answer if known else result_object)(values) or Answer(output)


def _values(output: str) -> Iterator[Any]:
    """The JSON objects that begin at the start of a line, and those of a list that does; other lines are words of the
    agent's, left out.
    """
    decoder = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite)
    at, found = 0, 0
    while at < len(output) and found < _MOST_VALUES:
        if output[at] in "{[":
            try:
                value, at = decoder.raw_decode(output, at)
                every = value if isinstance(value, list) else [value]
                found += len(every) + 1
                yield from map(_printable, every)
                continue
            except (ValueError, RecursionError):
                pass
        end = output.find("\n", at)
        at = len(output) if end < 0 else end + 1


def _printable(value: Any) -> Any:
    """The same without halves of UTF-16 pairs, which a cut text has and no UTF-8 can hold."""
    text = json.dumps(value, ensure_ascii=False)
    if text.isascii():
        return value
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _finite(text: str) -> float | None:
    """What JSON can say again: 1e999 is infinite here."""
    value = float(text)
    return value if math.isfinite(value) else None
