"""What every client's login is read with: values of any kind are a token, a time, or nothing."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.logins.client import Asking, Login, claims_of, home_of, number_of, text_of

SECRET = "not-a-real-token-0001"
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def jwt(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.x"


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"HOME": "/home/me"}, "/home/me/.client"),
        ({"HOME": "/home/me", "CLIENT_DIR": "/x"}, "/x"),
        ({"CLIENT_DIR": "/x"}, "/x"),
        ({"HOME": "/home/me", "CLIENT_DIR": ""}, "/home/me/.client"),
        ({"HOME": "/home/me", "CLIENT_DIR": "x"}, None),
        ({"HOME": "me"}, None),
        ({"HOME": ""}, None),
        ({}, None),
    ],
)
def test_a_client_keeps_its_files_below_a_variable_or_the_home(
    environ: dict[str, str], path: str | None
) -> None:
    """A relative path would be another directory for each process that reads it."""
    found = home_of(environ, "CLIENT_DIR", ".client")
    assert (None if found is None else str(found)) == path


@given(_JSON)
def test_only_a_text_is_a_token(value: Any) -> None:
    assert text_of({"token": value}, "token") == (value if isinstance(value, str) else "")
    assert text_of({}, "token") == ""


@given(_JSON)
def test_a_number_is_one_that_can_be_a_time(value: Any) -> None:
    found = number_of({"time": value}, "time")
    assert found is None or (isinstance(found, float) and math.isfinite(found) and abs(found) < 1e14)
    if isinstance(value, bool | str | list | dict) or value is None:
        assert found is None


@pytest.mark.parametrize("value", [1e14, -1e14, math.inf, -math.inf, math.nan, 10**400])
def test_a_number_that_no_date_can_be_made_of_is_none(value: float) -> None:
    assert number_of({"time": value}, "time") is None


@given(st.dictionaries(st.text(), st.integers()))
def test_the_claims_of_a_token_are_what_its_issuer_wrote(claims: dict[str, int]) -> None:
    assert claims_of(jwt(claims)) == claims


@pytest.mark.parametrize(
    "token", ["", "a.b", "a.b.c.d", "a.!.c", "a.e30", jwt([1]), jwt(None), "a.gICA.c", jwt("x")]
)
def test_what_is_no_token_of_that_kind_claims_nothing(token: str) -> None:
    assert claims_of(token) == {}


def test_brackets_without_end_claim_nothing() -> None:
    assert claims_of(f"a.{base64.urlsafe_b64encode(b'[' * 100_000).decode()}.c") == {}


@given(st.text())
def test_no_text_breaks_it(token: str) -> None:
    assert isinstance(claims_of(token), dict)


def test_printing_one_shows_no_secret() -> None:
    login = Login(SECRET, refresh=SECRET, account=SECRET, plan={"x": SECRET})
    asking = Asking("issuer.test", "/token", "application/json", SECRET.encode())
    assert SECRET not in f"{login!r}{login}{asking!r}{asking}{[login, asking]}"
