"""What an agent finds in a credential's place: it parses as the real one does, names nobody, and ends at no session's end."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from clauderon import placeholders


def decoded(part: str) -> dict[str, Any]:
    found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("plan", "shown"), [("pro", "pro"), ("", "plus")])
def test_codex_reads_its_plan_out_of_it(plan: str, shown: str) -> None:
    head, claims, signature = placeholders.codex_token(plan, "0" * 8).split(".")
    assert decoded(head)["alg"] == "none"
    assert decoded(claims)["https://api.openai.com/auth"]["chatgpt_plan_type"] == shown
    assert decoded(claims)["exp"] > time.time() + placeholders.LIFE_S
    assert decoded(claims)["email"].endswith(".invalid") and signature == "clauderon-placeholder"


def test_each_says_that_it_is_one() -> None:
    for text in (placeholders.CLAUDE_ACCESS, placeholders.CLAUDE_REFRESH, placeholders.CODEX_REFRESH):
        assert "clauderon-placeholder" in text
