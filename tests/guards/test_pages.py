"""The pages about the proxy say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS

ROOT = Path(__file__).parents[2]
SECURITY = (ROOT / "docs/security.md").read_text()
RELIABILITY = (ROOT / "docs/reliability.md").read_text()
PROXY = (ROOT / "docs/proxy.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", SECURITY + RELIABILITY)))


def test_the_security_page_names_tests() -> None:
    assert len(NAMED) > 40


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_security_page_names_a_test_that_exists(file: str, name: str) -> None:
    path = ROOT / file
    assert path.is_file(), file
    assert re.search(rf"^(async )?def {name}\(", path.read_text(), re.MULTILINE), f"{file} has no {name}"


@pytest.mark.parametrize("name", list(BUILTIN_CREDENTIALS))
def test_the_proxy_page_has_a_row_for_each_credential(name: str) -> None:
    credential = BUILTIN_CREDENTIALS[name]
    (row,) = [line for line in PROXY.splitlines() if line.startswith(f"| `{name}` |")]
    for word in (*credential.hosts, *credential.env, credential.file):
        assert word in row, word
    assert credential.header in row.lower()
