"""Fixtures of the authority's tests."""

from __future__ import annotations

import pytest

from clauderon.paths import Home
from clauderon.proxy.ca import authority


@pytest.fixture
def made(home: Home) -> Home:
    authority.ensure(home)
    return home
