"""The windows of subscriptions and keys, as the APIs' headers give them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.usage.windows import Window, windows

NOW = 1_800_000_000.0


def read(**fields: str) -> list[Window]:
    return windows([(k.replace("_", "-").encode(), v.encode()) for k, v in fields.items()], NOW)


def test_a_subscriptions_windows() -> None:
    assert read(
        anthropic_ratelimit_unified_5h_utilization="0.61",
        anthropic_ratelimit_unified_5h_reset="1800003600",
        anthropic_ratelimit_unified_7d_utilization="0.02",
        anthropic_ratelimit_unified_status="allowed",
    ) == [Window("5-hour", 0.61, 1_800_003_600.0), Window("7-day", 0.02, 0.0)]


def test_what_a_key_may_still_ask() -> None:
    assert read(
        Anthropic_Ratelimit_Tokens_Limit="1000",
        Anthropic_Ratelimit_Tokens_Remaining="250",
        Anthropic_Ratelimit_Tokens_Reset="2027-01-15T08:00:30Z",
    ) == [Window("tokens", 0.75, 1_800_000_030.0)]
    assert read(
        x_ratelimit_limit_requests="60",
        x_ratelimit_remaining_requests="59",
        x_ratelimit_reset_requests="6m1.5s",
    ) == [Window("requests", 1 - 59 / 60, NOW + 361.5)]


def test_codex_windows() -> None:
    assert read(
        x_codex_primary_used_percent="42.5",
        x_codex_primary_window_minutes="300",
        x_codex_primary_reset_after_seconds="60",
        x_codex_secondary_used_percent="3",
        x_codex_secondary_window_minutes="10080",
    ) == [Window("5-hour", 0.425, NOW + 60), Window("7-day", 0.03, 0.0)]


@given(st.dictionaries(st.sampled_from([
    "anthropic-ratelimit-unified-5h-utilization", "anthropic-ratelimit-unified-5h-reset",
    "anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset",
    "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens",
    "x-codex-primary-used-percent", "x-codex-primary-window-minutes", "x-codex-primary-reset-at",
]), st.text(st.characters(max_codepoint=255), max_size=20) | st.from_regex(r"[0-9]+(\.[0-9]+)?s?", fullmatch=True)))  # fmt: skip
def test_no_header_breaks_the_reader(fields: dict[str, str]) -> None:
    for window in windows([(k.encode(), v.encode("latin-1")) for k, v in fields.items()], NOW):
        assert window.used >= 0


@pytest.mark.parametrize("reset", ["9" * 400 + "d", "1e9d", "9" * 15, "9999-12-31T23:59:59Z"])
def test_a_reset_beyond_all_years_is_not_said(reset: str) -> None:
    """Seen to fail: a span without end was kept, and no `usage` could show it."""
    said = [(b"x-ratelimit-limit-tokens", b"9"), (b"x-ratelimit-remaining-tokens", b"1")]
    (found,) = windows([*said, (b"x-ratelimit-reset-tokens", reset.encode())], 1e9)
    assert found.resets_at == 0.0
