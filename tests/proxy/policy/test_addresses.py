"""Which addresses are guarded, as tables: both ends of each range, what lies beside it, and every way to embed one."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.policy.addresses import canonical_address, guarded

# First and last of a range, and its neighbours, which are ordinary unless they lie in another one.
RANGES = [
    ("0.0.0.0", "0.255.255.255"), ("10.0.0.0", "10.255.255.255"), ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"), ("169.254.0.0", "169.254.255.255"), ("172.16.0.0", "172.31.255.255"),
    ("192.168.0.0", "192.168.255.255"), ("198.18.0.0", "198.19.255.255"), ("224.0.0.0", "255.255.255.255"),
    ("168.63.129.16", "168.63.129.16"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "last"), RANGES)
def test_a_range_is_guarded_to_its_ends(first: str, last: str) -> None:
    assert guarded(first) and guarded(last)
    below, above = int(ipaddress.IPv4Address(first)) - 1, int(ipaddress.IPv4Address(last)) + 1
    for number in (below, above):
        if 0 <= number < 1 << 32 and number != int(ipaddress.IPv4Address("223.255.255.255")):
            assert guarded(str(ipaddress.IPv4Address(number))) is None


@pytest.mark.parametrize(
    "text",
    [
        "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fdff::1", "ff02::1", "2001:db8::1", "3fff::1", "5f00::1",
        "100::1", "64:ff9b:1::1", "2001:2::1", "2001:10::1", "2001:20::1", "fd00:ec2::254",
    ],
)  # fmt: skip
def test_an_address_of_the_sixth_version_is_guarded(text: str) -> None:
    assert guarded(text)


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450::1", "64:ff9b::8.8.8.8"]
)
def test_an_ordinary_address_is_not(text: str) -> None:
    assert guarded(text) is None


def _embedded(inner: ipaddress.IPv4Address) -> list[str]:
    number = int(inner)
    high, low = number >> 16, number & 0xFFFF
    flipped = number ^ 0xFFFFFFFF
    return [
        f"::ffff:{inner}",
        f"2002:{high:x}:{low:x}::1",
        f"64:ff9b::{high:x}:{low:x}",
        f"2001:0:808:808:0:0:{flipped >> 16:x}:{flipped & 0xFFFF:x}",
        f"::{high:x}:{low:x}",
    ]


@pytest.mark.parametrize(
    "inner", ["127.0.0.1", "169.254.169.254", "10.1.2.3", "168.63.129.16", "192.168.0.1"]
)
@pytest.mark.parametrize("way", range(5), ids=["mapped", "6to4", "nat64", "teredo", "compatible"])
def test_an_address_inside_another_is_guarded(inner: str, way: int) -> None:
    assert guarded(_embedded(ipaddress.IPv4Address(inner))[way])


@given(st.ip_addresses(v=4))
def test_no_way_to_embed_an_address_makes_it_ordinary(inner: ipaddress.IPv4Address) -> None:
    if guarded(str(inner)):
        assert all(guarded(text) for text in _embedded(inner))


@pytest.mark.parametrize("text", ["", "api.test", "127.1", "0x7f.0.0.1", "1.2.3.4:80", "[::1]"])
def test_what_is_no_address_is_guarded(text: str) -> None:
    assert guarded(text) == "no address"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8::0", "2001:db8::"),
    ],
)
def test_an_address_has_one_form(text: str, form: str) -> None:
    assert canonical_address(text) == form
