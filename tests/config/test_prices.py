"""`[prices."MODEL"]`: which names and amounts are taken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clauderon import config
from clauderon.config import schema
from clauderon.errors import UsageError
from clauderon.paths import Home


def load(tmp_path: Path, text: str) -> schema.Config:
    home = Home(tmp_path)
    home.config.write_text(text)
    return config.load(home, {})


def test_a_model_of_any_name_has_a_price_of_its_own(tmp_path: Path) -> None:
    prices = load(tmp_path, '[prices."vendor/model-4.1*"]\ninput = 1\noutput = 2.5\n').prices
    assert prices["vendor/model-4.1*"] == schema.ModelPrice("vendor/model-4.1*", 1.0, 2.5)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[prices."x"]\ninput = 1\n', "a price needs output"),
        ('[prices."x"]\ninput = -1\noutput = 1\n', "no price"),
        ('[prices."x"]\ninput = nan\noutput = 1\n', "no price"),
        ('[prices."x"]\ninput = true\noutput = 1\n', "expected a number"),
        ('[prices."x y"]\ninput = 1\noutput = 1\n', "no model's name"),
        ('[prices."x"]\ninput = 1\noutput = 1\ncached = 1\n', "unknown key"),
        ("[prices]\nx = 1\n", "prices"),
    ],
)
def test_what_is_no_price_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=re.escape(why)):
        load(tmp_path, text)
