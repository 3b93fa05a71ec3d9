"""What is wrong only together with another key: each is refused with the place of the key that is to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.config.schema import Config, General
from clauderon.config.whole import check_whole
from clauderon.errors import UsageError
from tests.config.loading import load, refusal


class Unread:
    """A file that nobody should be asking about."""

    def refuse(self, keys: tuple[str, ...], why: str) -> UsageError:
        raise AssertionError((keys, why))


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("[proxy]\n# a comment\nport = 3100\n", "3:1", "port 3100 is the proxy's own and in session_ports"),
        ("[general]\ndefault_agent = 'cluade'\n", "2:1", "'cluade' is not known; the nearest is 'claude'"),
        ("[agents.own]\nversion = '1'\n", "1:9", "agents.own.command: an agent of your own needs one"),
        (
            "[agents.own]\ncommand = ['x']\nversion = '1.2.3'\n",
            "3:1",
            "has no effect on an agent that has a `command` and no `npm`",
        ),
        (
            "[agents.own]\ncommand = ['x']\npermission_mode = 'plan'\n",
            "3:1",
            "has no effect on an agent that",
        ),
        ("[agents.claude]\ncredentials = ['antropic']\n", "2:1", "the nearest is 'anthropic'"),
        ("[credentials.own]\nenv = 'X'\n", "1:14", "needs the hosts"),
        ("[credentials.github_token]\nhosts = ['a.example']\n", "1:14", "is the secret of github"),
        (
            "[credentials.own]\nhosts=['a.example']\nenv='X'\nformat='Basic {basic}'\n",
            "1:14",
            "{basic} in format needs it",
        ),
        ("[proxy]\nsession_ports = '3000-3030'\n", "2:1", "is the proxy's own and in session_ports"),
        ("[prices.x]\ninput = 1.0\n", "1:9", "a price needs output"),
        ("[prices.x]\noutput = 1.0\n", "1:9", "a price needs input"),
        (
            "[network]\nrules = [{ action = 'allow', host = 'a.example', credential = 'githb' }]\n",
            "2:1",
            "the nearest is 'github'",
        ),
    ],
)
def test_keys_that_do_not_go_together_are_refused_with_a_place(
    tmp_path: Path, text: str, place: str, why: str
) -> None:
    error = refusal(tmp_path, text)
    assert error.what == f"{tmp_path}/config.toml:{place}"
    assert why in error.why


@pytest.mark.parametrize(
    ("text", "variables", "name"),
    [
        (None, {"CLAUDERON_DEFAULT_AGENT": "cluade"}, "CLAUDERON_DEFAULT_AGENT"),
        ("[proxy]\nport = 3100\n", {"CLAUDERON_SESSION_PORTS": "3100-3101"}, "CLAUDERON_SESSION_PORTS"),
    ],
)
def test_a_value_of_the_environment_is_refused_with_its_variable(
    tmp_path: Path, text: str | None, variables: dict[str, str], name: str
) -> None:
    error = refusal(tmp_path, text, **variables)
    assert (error.what, error.hint) == (name, f"unset {name}")


@pytest.mark.parametrize(
    "text",
    [
        "[agents.own]\ncommand = ['x']\n",
        "[agents.own]\ncommand = ['x']\nnpm = 'x'\nversion = '1.2.3'\n",
        "[agents.own]\ncommand = ['x']\ncredentials = ['mine']\n"
        "[credentials.mine]\nhosts = ['a.example']\nlogin = 'claude'\n",
        "[agents.claude]\nversion = '1.2.3'\npermission_mode = 'plan'\n",
        "[credentials.own]\nhosts = ['a.example']\nfile = 'x'\nformat = 'Basic {basic}'\nbasic_user = 'u'\n",
        "[prices.x]\ninput = 1.0\noutput = 2.0\n",
        "[proxy]\nport = 3100\nsession_ports = '3101-3101'\n",
        "[network]\nrules = [{ action = 'allow', host = 'a.example', credential = 'github' }]\n",
    ],
)
def test_keys_that_go_together_are_taken(tmp_path: Path, text: str) -> None:
    load(tmp_path, text)


def test_the_defaults_are_not_looked_at() -> None:
    """Every command reads them, and they are ours. A value that nobody set is not refused, even one that is wrong."""
    check_whole(Config(general=General("nobody")), Unread())
