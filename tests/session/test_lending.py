"""What `--credential` and `--no-credential` may say, and what is said of a mistake in them."""

from __future__ import annotations

import pytest

from clauderon.config.builtin_agents import BUILTIN_AGENTS
from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS
from clauderon.config.schema import Config
from clauderon.errors import UsageError
from clauderon.session import lending
from clauderon.session.context import Context

SET = {
    "GITHUB_TOKEN": "ghp-test-not-a-real-token-0001",
    "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat-not-real-0001",
}


@pytest.fixture
def supplied(context: Context) -> Context:
    config = Config(agents=BUILTIN_AGENTS, credentials=BUILTIN_CREDENTIALS)
    return context._replace(environ={**context.environ, **SET}, config=config)


def test_what_is_chosen_is_kept_as_it_was_typed(supplied: Context) -> None:
    assert lending.chosen(supplied, ("github", "github"), ()) == (("github",), ())
    assert lending.chosen(supplied, (), ("github", "openai")) == (None, ("github", "openai"))
    assert lending.chosen(supplied, ("none",), ()) == ((), ())
    assert lending.chosen(supplied, ("github-git",), ("openai",)) == (("github-git",), ("openai",))


@pytest.mark.parametrize(
    ("only", "without", "why", "hint"),
    [
        (("gihub",), (), "the nearest is 'github'", "clauderon create --credential github ..."),
        ((), ("antropic",), "the nearest is 'anthropic'", "clauderon create --no-credential anthropic ..."),
        (("zzz",), (), "known are github", "clauderon config credentials"),
        (("",), (), "no such credential", "clauderon"),
        (("../x",), (), "no such credential", "clauderon"),
        (("openai",), (), "no secret", "clauderon secret set openai"),
        (
            ("anthropic",),
            (),
            "anthropic-oauth, for the same host",
            "clauderon create --credential anthropic-oauth ...",
        ),
        (("github",), ("github",), "takes it away again", "clauderon create --credential github ..."),
        (
            ("github",),
            ("github-git",),
            "github-git is the same secret",
            "clauderon create --credential github",
        ),
        (("none", "github"), (), "exclude each other", ""),
    ],
)
def test_a_mistake_is_answered_with_what_to_type(
    supplied: Context, only: tuple[str, ...], without: tuple[str, ...], why: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        lending.chosen(supplied, only, without)
    assert hint in (caught.value.hint or "")
