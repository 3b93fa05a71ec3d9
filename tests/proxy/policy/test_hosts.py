"""What a client may call a host, as tables: one canonical form, or a refusal of what two parsers read differently."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.policy.hosts import (
    HostError,
    format_authority,
    is_address,
    normalise_host,
    parse_authority,
)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("api.test", "api.test"), ("API.Test", "api.test"), ("api.test.", "api.test"), ("a_b.test", "a_b.test"),
        ("xn--bcher-kva.test", "xn--bcher-kva.test"), ("bücher.test", "xn--bcher-kva.test"), ("1a", "1a"), ("1.a2", "1.a2"),
        ("1.2.3.4", "1.2.3.4"), ("1.2.3.4.", "1.2.3.4"), ("[::1]", "::1"), ("::1", "::1"), ("[2001:DB8:0:0::1]", "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"), ("[::ffff:7f00:1]", "127.0.0.1"), ("a" * 63 + ".test", "a" * 63 + ".test"),
    ],
)  # fmt: skip
def test_a_host_has_one_form(text: str, host: str) -> None:
    assert normalise_host(text) == host
    assert normalise_host(host) == host


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "a..b", ".a", "a b", "a/b", "a%2eb", "-a.test", "a-.test", "a" * 64 + ".test", ("a" * 60 + ".") * 5 + "test",
        # Addresses that resolvers know and people do not read.
        "127.1", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "2130706433", "1.2.3.04", "1.2.3.256", "1.2.3.4.5", "a.0x1", "a.1",
        "[::1", "[1.2.3.4]", "::1%eth0", "[fe80::1%25eth0]", ":::", "a:b",
    ],
)  # fmt: skip
def test_what_two_parsers_read_differently_is_no_host(text: str) -> None:
    with pytest.raises(HostError):
        normalise_host(text)


@pytest.mark.parametrize(
    ("raw", "default", "found"),
    [
        (b"api.test", 443, ("api.test", 443)), (b"api.test:80", 443, ("api.test", 80)), (b"api.test", None, ("api.test", None)),
        (b"[::1]:8080", 443, ("::1", 8080)), (b"[::1]", 443, ("::1", 443)), (b"1.2.3.4:1", None, ("1.2.3.4", 1)),
        (b"API.TEST.:65535", None, ("api.test", 65535)),
    ],
)  # fmt: skip
def test_an_authority_is_a_host_and_a_port(
    raw: bytes, default: int | None, found: tuple[str, int | None]
) -> None:
    assert parse_authority(raw, default) == found


@pytest.mark.parametrize(
    "raw",
    [
        b"", b":80", b"api.test:", b"api.test:0", b"api.test:65536", b"api.test:+80", b"api.test: 80", b"api.test:80 ", b"api.test:8_0",
        b"api.test:000080", b"api.test:80:80", b"me@api.test", b"me:pw@api.test:443", b"[::1", b"[::1]80", b"[::1]:", b"::1:80:",
        "bücher.test".encode(), b"api.test\x00", b"api.test,other.test",
    ],
)  # fmt: skip
def test_what_is_no_authority(raw: bytes) -> None:
    with pytest.raises(HostError):
        parse_authority(raw, 443)


@given(st.text(max_size=40) | st.from_regex(r"[0-9a-fx.:\[\]%]{0,40}", fullmatch=True))
def test_the_form_is_stable_and_written_back_the_same(text: str) -> None:
    try:
        host = normalise_host(text)
    except HostError:
        return
    assert normalise_host(host) == host
    assert parse_authority(format_authority(host, 443).encode(), None) == (host, 443)


@pytest.mark.parametrize(
    ("host", "address"),
    [("1.2.3.4", True), ("::1", True), ("api.test", False), ("a1", False), ("1.2.3.a4", False)],
)
def test_an_address_is_told_from_a_name(host: str, address: bool) -> None:
    assert is_address(host) is address
