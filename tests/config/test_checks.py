"""What a value may look like, in the file, in a variable and by a flag."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon import grammar, spec
from clauderon.errors import UsageError
from clauderon.proxy.policy import rules
from tests.config.loading import load


@pytest.mark.parametrize(
    ("written", "origin", "expected"),
    [
        ("ca.pem", "file", "{home}/ca.pem"),
        ("/etc/ca.pem", "file", "/etc/ca.pem"),
        ("~/ca.pem", "file", "/home/somebody/ca.pem"),
        ("ca.pem", "env", "{here}/ca.pem"),
        ("~/ca.pem", "env", "/home/somebody/ca.pem"),
    ],
)
def test_paths_become_absolute(tmp_path: Path, written: str, origin: str, expected: str) -> None:
    if origin == "file":
        loaded = load(tmp_path, f'[proxy]\nupstream_ca = "{written}"\n', HOME="/home/somebody")
    else:
        loaded = load(tmp_path, HOME="/home/somebody", CLAUDERON_UPSTREAM_CA=written)
    assert loaded.proxy.upstream_ca == expected.format(home=tmp_path, here=Path.cwd())


def test_host_names_are_normalised(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        """\
[network]
allow = ["API.Example.com.", "*.GitHub.com", "10.0.0.1", "::1"]
[proxy]
connect_to = { "API.example.test:443" = "[0:0::1]:8443" }
""",
    )
    assert loaded.network.allow == ("api.example.com", "*.github.com", "10.0.0.1", "::1")
    assert loaded.proxy.connect_to == {"api.example.test:443": "[::1]:8443"}


@pytest.mark.parametrize(
    ("text", "normal", "lets", "does_not"),
    [
        ("API.Example.com.", "api.example.com", ("api.example.com", 443), ("x.api.example.com", 443)),
        ("*.Example.com:8443", "*.example.com:8443", ("a.example.com", 8443), ("a.example.com", 443)),
        ("example.com:22", "example.com:22", ("example.com", 22), ("example.com", 443)),
        ("*", "*", ("any.test", 1), None),
        ("*:443", "*:443", ("any.test", 443), ("any.test", 80)),
        ("0:0::1", "::1", ("::1", 443), ("::2", 443)),
        ("[0:0::1]:443", "[::1]:443", ("::1", 443), ("::1", 80)),
        ("10.0.0.1:443", "10.0.0.1:443", ("10.0.0.1", 443), ("10.0.0.1", 80)),
    ],
)
def test_the_file_the_flag_and_the_proxy_take_the_same_destinations(
    tmp_path: Path, text: str, normal: str, lets: tuple[str, int], does_not: tuple[str, int] | None
) -> None:
    loaded = load(
        tmp_path, f"[network]\nallow = ['{text}']\ndeny = ['{text}']\n[proxy]\npassthrough = ['{text}']"
    )
    for found in (loaded.network.allow, loaded.network.deny, loaded.proxy.passthrough):
        assert found == (normal,)
    assert spec.hosts([text], what="--allow") == (normal,)
    pattern = rules.parse_pattern(normal)
    assert pattern.matches(*lets)
    assert does_not is None or not pattern.matches(*does_not)


@given(
    text=st.one_of(
        st.text(alphabet="a1.:*[]%x0-_", max_size=12),
        st.sampled_from(
            ["127.1", "010.0.0.1", "256.1.1.1", "a.0x7f", "fe80::1%eth0", "*.0x7f", "1", "::ffff:1.2.3.4"]
        ),
    )
)
def test_what_the_configuration_takes_the_proxy_understands(text: str) -> None:
    """Else a worker that reads it cannot start, or the entry lets nothing through without a word."""
    try:
        normal = grammar.destination(text)
    except ValueError:
        return
    rules.parse_pattern(normal)
    assert grammar.destination(normal) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a:0",
        "a:65536",
        "a:x",
        "https://a",
        "a/b",
        "[::1",
        "::1]:443",
        "*.",
        "a*",
        "**",
        "a b",
        "a:443:1",
        "*.10.0.0.1",
        "127.1",
        "fe80::1%eth0",
        "*.::1",
    ],
)
def test_what_is_no_destination_is_refused_in_the_file_and_by_the_flag(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        load(tmp_path, f"[network]\nallow = ['{text}']\n")
    with pytest.raises(UsageError):
        spec.hosts([text], what="--allow")
