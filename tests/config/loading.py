"""A config.toml read as a command reads it, and what it is refused with."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon import config
from clauderon.config.schema import Config
from clauderon.errors import UsageError
from clauderon.paths import Home


def load(tmp_path: Path, text: str | None = None, **environ: str) -> Config:
    home = Home(tmp_path)
    if text is not None:
        home.config.write_text(text)
    return config.load(home, environ)


def refusal(tmp_path: Path, text: str | None = None, **environ: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text, **environ)
    return caught.value
