"""Fields by which a server may take a request for another: known in any spelling."""

from __future__ import annotations

import pytest

from clauderon.proxy.http.overrides import overrides, plain


@pytest.mark.parametrize(
    "name",
    [
        b"X-HTTP-Method-Override", b"x_http_method_override", b"X.HTTP.Method", b"X-Method-Override", b"_method",
        b"X-HTTP-Verb", b"X-Original-URL", b"x-rewrite-url", b"X-Original-URI", b"X-Rewrite-Path",
        b"HTTP-X-Original-Url", b"Override", b"X" * 70 + b"-Method",
    ],
)  # fmt: skip
def test_a_field_that_may_override_is_known(name: bytes) -> None:
    for spelled in (name, name.upper(), name.lower(), name.replace(b"-", b"_")):
        assert overrides(spelled)


@pytest.mark.parametrize(
    "name",
    [
        b"Access-Control-Request-Method", b"X-Stainless-Helper-Method", b"Content-Type", b"Accept", b"X-Api-Key",
        b"Original-Content", b"Path", b"Url",
    ],
)  # fmt: skip
def test_others_pass(name: bytes) -> None:
    assert not overrides(name)


def test_letters_and_digits_alone_are_compared() -> None:
    assert plain(b"X_HTTP-Method.2 ") == b"xhttpmethod2"
