"""What an answer cost that does not say it: at least what its bytes are."""

from __future__ import annotations

import pytest

from clauderon.proxy.usage.amounts import Usage
from clauderon.proxy.usage.guess import Size, guess
from clauderon.proxy.usage.prices import Price

PRICE = Price(1.0, 10.0, 0.1, 1.0, 1.0)


@pytest.mark.parametrize(
    ("usage", "up", "down", "streamed", "tokens"),
    [
        (Usage(), 400, 0, False, (100, 0)),
        (Usage(), 400, 400, False, (100, 100)),
        (Usage(), 0, 400, True, (0, 10)),  # each token of a stream has names and quotes round it
        (Usage(input=7), 400, 0, False, (0, 0)),  # what was said is not guessed
        (Usage(cache_read=7), 400, 400, False, (0, 100)),
        (Usage(input=1, output=60), 0, 400, False, (0, 40)),
        (Usage(input=1, output=600), 0, 400, False, (0, 0)),
    ],
)
def test_only_what_was_not_said_is_guessed(
    usage: Usage, up: int, down: int, streamed: bool, tokens: tuple[int, int]
) -> None:
    expected = PRICE.cost(Usage(input=tokens[0], output=tokens[1]))
    assert guess(usage, PRICE, Size(up, down, streamed)) == expected


@pytest.mark.parametrize(
    ("usage", "seconds", "output"),
    [
        (Usage(input=1, output=1), 10.0, 1999),
        (Usage(input=1, output=5000), 10.0, 0),
        (Usage(input=1), 1e9, 128_000),
        (Usage(input=1, coming=4000), 10.0, 4000),
    ],
)
def test_what_a_model_may_have_thought_meanwhile_is_guessed(
    usage: Usage, seconds: float, output: int
) -> None:
    """Seen to fail by size alone: a stream cut after a minute of hidden thought cost nothing."""
    assert guess(usage, PRICE, Size(0, 400, True, seconds)) == PRICE.cost(Usage(output=output))
