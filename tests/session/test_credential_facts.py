"""Which credentials there are, for the placeholders of a container; and a warning for an agent without one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from clauderon.agents import registry
from clauderon.config.builtin_agents import BUILTIN_AGENTS
from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS
from clauderon.config.schema import Config, Credential, General
from clauderon.session import credential_facts
from clauderon.session.context import Context
from tests.standins.sessions import a_row

GITHUB = {"GITHUB_TOKEN": "ghp-test-not-a-real-token-0001"}


def of(context: Context, environ: Mapping[str, str], **more: Credential) -> Context:
    config = Config(agents=BUILTIN_AGENTS, credentials={**BUILTIN_CREDENTIALS, **more})
    return context._replace(environ={**context.environ, **environ}, config=config)


def test_only_what_has_a_secret_is_supplied(context: Context) -> None:
    assert credential_facts.supplied(of(context, {}), a_row()) == ()
    assert credential_facts.supplied(of(context, GITHUB), a_row()) == ("github", "github-git")


def test_git_goes_over_https_to_the_hosts_of_a_credential_that_serves_git(context: Context) -> None:
    assert credential_facts.https_hosts(of(context, {}), a_row()) == ()
    assert "github.com" in credential_facts.https_hosts(of(context, GITHUB), a_row())
    assert not any("*" in host for host in credential_facts.https_hosts(of(context, GITHUB), a_row()))


@pytest.mark.parametrize(
    ("environ", "warned"),
    [({}, True), ({"ANTHROPIC_API_KEY": "sk-ant-test-not-a-real-key-0001"}, False), (GITHUB, True)],
)
def test_an_agent_whose_credential_nobody_supplies_is_warned_of(
    context: Context, environ: dict[str, str], warned: bool
) -> None:
    context = of(context, environ)
    said = credential_facts.missing(context, registry.find(context.config, "claude"), a_row())
    assert bool(said) is warned
    assert not warned or ("ANTHROPIC_API_KEY" in said and "401" in said)


def test_a_session_has_placeholders_and_git_addresses_of_what_it_is_lent_alone(context: Context) -> None:
    context = of(context, {**GITHUB, "ANTHROPIC_API_KEY": "sk-ant-test-not-a-real-key-0001"})
    chosen = a_row().changed(credentials=("anthropic",))
    assert credential_facts.supplied(context, chosen) == ("anthropic",)
    assert credential_facts.https_hosts(context, chosen) == ()
    assert credential_facts.anthropic_kind(context, chosen) == "api-key"
    without = a_row().changed(no_credentials=("anthropic",))
    assert credential_facts.supplied(context, without) == ("github", "github-git")
    assert credential_facts.anthropic_kind(context, without) == ""
    said = credential_facts.missing(context, registry.find(context.config, "claude"), chosen)
    assert said == ""


def test_an_agent_that_is_not_lent_what_it_works_with_is_warned_of(context: Context) -> None:
    context = of(context, {"ANTHROPIC_API_KEY": "sk-ant-test-not-a-real-key-0001"})
    row = a_row().changed(credentials=("github",))
    said = credential_facts.missing(context, registry.find(context.config, "claude"), row)
    assert "is not lent" in said and "401" in said and "--credential anthropic" in said


def test_the_configuration_chooses_for_sessions_that_did_not(context: Context) -> None:
    context = of(context, GITHUB)
    config = context.config._replace(general=General(credentials=("openai",)))
    context = context._replace(config=config)
    assert credential_facts.supplied(context, a_row()) == ()
    assert credential_facts.supplied(context, a_row().changed(credentials=("github",)))
