"""The configuration: its schema, reading it from `config.toml` and the environment, and showing it.

The functions here import what they need when they are called; importing the package costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clauderon.config.schema import Config
    from clauderon.config.showing import Row
    from clauderon.paths import Home


def load(home: Home, environ: Mapping[str, str], *, raw: bytes | None = None) -> Config:
    """The configuration: environment over `config.toml` over defaults.

    raw: what to take for the file's content; None reads it. Raises UsageError for a file or a variable that cannot be
    used, saying where.
    """
    from clauderon.config import reading

    return reading.load(home, environ, raw=raw)


def content(home: Home) -> bytes:
    """What is in `config.toml`; nothing when there is none. Raises UsageError for what cannot be read."""
    from clauderon.config import reading

    return reading.content(home)


def defaults() -> Config:
    """The configuration of a machine without file or variable; built-in agents and credentials are in it."""
    from clauderon.config import reading

    return reading.defaults()


def show(config: Config) -> list[Row]:
    """Every key with its value and where that came from, in the order of the documentation."""
    from clauderon.config import showing

    return showing.show(config)


def template() -> str:
    """A `config.toml` that explains every key and changes nothing, for `config init`."""
    from clauderon.config import showing

    return showing.template()
