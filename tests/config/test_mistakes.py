"""A mistake is refused with its place and with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from clauderon.config import mistakes
from tests.config.loading import refusal


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("[docker\n", "1:8", "expected ']'"),
        ("[docker]\ncommand = \n", "2:11", "invalid value"),
        ('[docker]\ncommand = "a', "2:13", "unterminated"),
        ('[docker]\ncommand = "a"\ncommand = "b"\n', "3:14", "cannot overwrite a value"),
        ("[dokcer]\n", "1:2", "unknown section [dokcer]; the nearest is 'docker'"),
        (
            "\n\n[docker]\ndefualt_image = 'x'\n",
            "4:1",
            "unknown key 'defualt_image' in [docker]; the nearest",
        ),
        ("[docker]\ncpu = '4'\n", "2:1", "it belongs in [docker.limits]"),
        ("pull_policy = 'never'\n", "1:1", "outside of a section; it belongs in [docker]"),
        ("[docker.limit]\ncpu = '4'\n", "1:9", "the nearest is 'limits'"),
        ("[docker]\nlimits = 3\n", "2:1", "[docker.limits] is a section, not a value"),
        ("docker = 3\n", "1:1", "[docker] is a section, not a value"),
        (
            "[docker]\npull_policy = 'allways'\n",
            "2:1",
            "'allways' is not one of always, if-not-present, never",
        ),
        ("[docker]\nextra_args = '--rm -it'\n", "2:1", "expected a list of strings, found a string"),
        ("[docker]\nextra_args = [1]\n", "2:1", "expected a string, found a number"),
        ("[docker]\ndefault_image = ''\n", "2:1", "it is empty"),
        ("[docker]\ndefault_image = '--privileged'\n", "2:1", "an image reference cannot begin with '-'"),
        ("[docker]\ndefault_image = 'Rust:1'\n", "2:1", "'Rust:1': a repository name must be in lower case"),
        ("[docker]\ndefault_image = 'a:b:c'\n", "2:1", "'a:b:c': not an image reference"),
        ("[docker]\nuser = 'root'\n", "2:1", "is not one of host, image"),
        ("[docker.limits]\npids = true\n", "2:1", "expected a whole number, found a boolean"),
        ("[docker.limits]\nmemory = 8\n", "2:1", "expected a string, found a number"),
        ("[proxy]\nport = 0\n", "2:1", "0 is not between 1 and 65535"),
        ("[proxy]\nport = '3030'\n", "2:1", "expected a whole number, found a string"),
        ("[proxy]\nport = 2024-01-01\n", "2:1", "found a date or time"),
        ("[proxy]\nsession_ports = '3100'\n", "2:1", "is not a range of ports"),
        ("[proxy]\nsession_ports = '3200-3100'\n", "2:1", "is not a range of ports"),
        ("[proxy]\nconnect_to = { 'a:443' = 'b' }\n", "2:1", "'b' is not HOST:PORT"),
        ("[proxy]\nconnect_to = { 'a:443' = 'b:99999' }\n", "2:1", "'b:99999' is not HOST:PORT"),
        ("[proxy]\nupstream_proxy = 'proxy:3128'\n", "2:1", "expected http://HOST:PORT"),
        ("[network]\nallow = ['https://x']\n", "2:1", "omit the scheme, the port and the path"),
        ("[network]\nallow = ['bücher.example']\n", "2:1", "is not ASCII"),
        ("[network]\nallow = ['a.*.com']\n", "2:1", "is not a host name"),
        ("[agents.Own]\ncommand = ['x']\n", "1:9", "'Own' is not a name"),
        ("[agents.own]\ncommand = ['x', '{promptfile}']\n", "2:1", "{promptfile} is not replaced"),
        ("[agents.own]\nresume_command = ['x{conversation_id}']\n", "2:1", "only {prompt_file} and"),
        ("[agents.own]\nnpm = 'x@1.2.3'\n", "2:1", "the version is a key of its own"),
        ("[agents.own]\nnpm = 'git+https://x.example/y'\n", "2:1", "is not the name of an npm package"),
        ("[agents.own]\nnpm = '--global'\n", "2:1", "is not the name of an npm package"),
        ("[agents.own]\nnpm = '../x'\n", "2:1", "is not the name of an npm package"),
        ("[agents.own]\ncommand = ['x']\nnpn = 'x'\n", "3:1", "unknown key 'npn'"),
        ("[agents.claude]\nversion = '../..'\n", "2:1", "is not latest, stable or a version"),
        ("[agents.claude.extra]\nx = 1\n", "1:16", "unknown key 'extra'"),
        ("[agents.claude]\nenv = { 'A=B' = 'x' }\n", "2:1", "'A=B' is not a variable's name"),
        ('[agents.claude]\nenv = { A = "x\\u0000" }\n', "2:1", "a NUL character"),
        ("[credentials.own]\nhosts = ['*']\nenv = 'X'\n", "2:1", "would send the secret to anybody"),
        ("[credentials.own]\nhosts = ['*.com']\nenv = 'X'\n", "2:1", "would send the secret to anybody"),
        ("[credentials.own]\nheader = 'Host'\n", "2:1", "is not a header that can carry a credential"),
        ("[credentials.own]\nformat = 'Bearer'\n", "2:1", "has neither {secret} nor {basic} in it"),
        ('[credentials.own]\nformat = "{secret}\\n"\n', "2:1", "a header is one line of ASCII"),
        ("[credentials.own]\nfile = '../../etc/passwd'\n", "2:1", "is not the name of a file in secrets/"),
        ("[credentials.own]\nfile = '.own'\n", "2:1", "is not the name of a file in secrets/"),
        ('[credentials.own]\nfile = "o\\u001bn"\n', "2:1", "is not the name of a file in secrets/"),
    ],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, text: str, place: str, why: str) -> None:
    error = refusal(tmp_path, text)
    assert error.what == f"{tmp_path}/config.toml:{place}"
    assert why in error.why.lower() or why in error.why
    line = place.split(":")[0]
    assert error.hint == f"${{EDITOR:-vi}} +{line} {tmp_path}/config.toml"


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ("{a=", "}")])
def test_values_nested_deeper_than_anybody_means_are_refused(
    tmp_path: Path, opened: str, closed: str
) -> None:
    """Seen as a traceback (RecursionError) at every command, `list` included."""
    assert "nested too deeply" in refusal(tmp_path, f"x = {opened * 20_000}{closed * 20_000}\n").why


def test_bytes_that_are_not_utf_8_are_refused_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b'[docker]\ncommand = "\xff"\n')
    error = refusal(tmp_path)
    assert (error.what, error.why) == (f"{tmp_path}/config.toml:2:12", "not UTF-8")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("CLAUDERON_PROXY_PORT", "abc", "expected a whole number, found 'abc'"),
        ("CLAUDERON_PROXY_PORT", "70000", "70000 is not between 1 and 65535"),
        ("CLAUDERON_PULL_POLICY", "nevr", "'nevr' is not one of always, if-not-present, never"),
        ("CLAUDERON_SESSION_PORTS", "3000-3100", "port 3030 is the proxy's own and in session_ports as well"),
        ("CLAUDERON_DEFAULT_AGENT", "claud", "'claud' is not known; the nearest is 'claude'"),
    ],
)
def test_a_bad_variable_is_named(tmp_path: Path, name: str, value: str, why: str) -> None:
    error = refusal(tmp_path, **{name: value})
    assert (error.what, error.why, error.hint) == (name, why, f"unset {name}")


@given(
    st.lists(
        st.sampled_from(["\n", "# x\n", "a = 1\n", "b = [\n1,\n2\n]\n", "[t]\n", 'c = """\nd = 1\n"""\n'])
    )
)
def test_a_key_is_found_on_the_line_where_it_was_put(before: list[str]) -> None:
    text = "".join(before) + "[wanted]\nkey = [\n1,\n]\n"
    try:
        tomli.loads(text)
    except tomli.TOMLDecodeError:
        return  # the same key twice
    expected = "".join(before).count("\n") + 2
    assert mistakes.line_of(text, ("wanted", "key")) == expected
    assert mistakes.line_of(text, ("wanted",)) == expected - 1
    assert mistakes.line_of(text, ("wanted", "nothing")) == 0
