"""Which credentials there are, for the placeholders of a container; and a warning for an agent without one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from clauderon.agents import registry
from clauderon.config.builtin_agents import BUILTIN_AGENTS
from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS
from clauderon.config.schema import Config, Credential
from clauderon.session import credential_facts
from clauderon.session.context import Context

GITHUB = {"GITHUB_TOKEN": "ghp-test-not-a-real-token-0001"}


def of(context: Context, environ: Mapping[str, str], **more: Credential) -> Context:
    config = Config(agents=BUILTIN_AGENTS, credentials={**BUILTIN_CREDENTIALS, **more})
    return context._replace(environ={**context.environ, **environ}, config=config)


def test_only_what_has_a_secret_is_supplied(context: Context) -> None:
    assert credential_facts.supplied(of(context, {})) == ()
    assert credential_facts.supplied(of(context, GITHUB)) == ("github", "github-git")


def test_git_goes_over_https_to_the_hosts_of_a_credential_that_serves_git(context: Context) -> None:
    assert credential_facts.https_hosts(of(context, {})) == ()
    assert "github.com" in credential_facts.https_hosts(of(context, GITHUB))
    assert not any("*" in host for host in credential_facts.https_hosts(of(context, GITHUB)))


@pytest.mark.parametrize(
    ("environ", "warned"),
    [({}, True), ({"ANTHROPIC_API_KEY": "sk-ant-test-not-a-real-key-0001"}, False), (GITHUB, True)],
)
def test_an_agent_whose_credential_nobody_supplies_is_warned_of(
    context: Context, environ: dict[str, str], warned: bool
) -> None:
    context = of(context, environ)
    said = credential_facts.missing(context, registry.find(context.config, "claude"))
    assert bool(said) is warned
    assert not warned or ("ANTHROPIC_API_KEY" in said and "401" in said)
