"""Every form of a secret is found wherever it lies and however the stream is cut; nothing else is."""

from __future__ import annotations

import base64
import textwrap
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clauderon.doctor.forms import SHORTEST, Search, forms

SECRET = "ghp_notarealtoken0123456789abc+/~x"

secrets = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=12, max_size=60)


def found(secret: str, *pieces: bytes, user: str = "") -> list[str]:
    search = Search(forms("one", secret, user))
    for piece in pieces:
        search.feed(piece)
    assert {credential for credential, _ in search.found} <= {"one"}
    return [kind for _, kind in search.found]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (SECRET, "plain"),
        (f"Authorization: Bearer {SECRET}\n", "plain"),
        (SECRET[::-1], "reversed"),
        (SECRET.encode().hex(), "hexadecimal"),
        (SECRET.encode().hex().upper(), "hexadecimal"),
        (quote(SECRET, safe=""), "URL-encoded"),
        ("".join(f"%{ord(c):02X}" for c in SECRET), "URL-encoded"),
        (SECRET.upper(), "upper case"),
        (base64.b64encode(SECRET.encode()).decode(), "base64"),
        (base64.b64encode(b"x" + SECRET.encode()).decode(), "base64"),
        (base64.b64encode(b"xy" + SECRET.encode() + b"z").decode(), "base64"),
        (base64.urlsafe_b64encode(SECRET.encode()).decode(), "base64"),
        ("\n".join(textwrap.wrap(SECRET, 7)), "plain, in pieces"),
        (' "' + '" +\n  "'.join(textwrap.wrap(SECRET, 7)) + '"', "plain, in pieces"),
        ("\\\n".join(textwrap.wrap(base64.b64encode(SECRET.encode()).decode(), 9)), "base64, in pieces"),
    ],
)
def test_each_form_is_found_and_named(text: str, kind: str) -> None:
    assert kind in found(SECRET, text.encode())


def test_utf16_is_found() -> None:
    assert found(SECRET, SECRET.encode("utf-16")) == ["UTF-16"]


def test_what_basic_sends_is_found_without_its_name() -> None:
    sent = base64.b64encode(f"x-access-token:{SECRET}".encode())
    assert found(SECRET, sent, user="x-access-token")


@given(secrets, st.binary(max_size=50), st.binary(max_size=50), st.data())
def test_a_secret_is_found_wherever_the_stream_is_cut(
    secret: str, before: bytes, after: bytes, data: st.DataObject
) -> None:
    whole = before + secret.encode() + after
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=5)))
    assert "plain" in found(
        secret, *(whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True))
    )


@given(secrets, st.integers(0, 5), st.binary(max_size=5))
def test_base64_is_found_at_any_place(secret: str, before: int, after: bytes) -> None:
    whole = base64.b64encode(b"\xa5" * before + secret.encode() + after)
    assert any(kind.startswith("base64") for kind in found(secret, whole))


@given(secrets, secrets)
def test_another_secret_is_not_taken_for_it(secret: str, other: str) -> None:
    assume(secret.lower() not in other.lower() and len(set(secret)) > 4)
    assert found(secret, other.encode()) == []


@pytest.mark.parametrize("secret", ["", "short", "x" * (SHORTEST - 1)])
def test_a_secret_that_chance_would_find_is_not_looked_for(secret: str) -> None:
    assert forms("one", secret) == []
