"""The real Claude Code, Codex and Gemini CLI with the logins of a host, which they never hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon import placeholders
from tests.agents.live_help import log_of, share_agents
from tests.agents.terminal import terminal
from tests.agents.test_live_agents import holders, image_with_node
from tests.standins.engine import Engine
from tests.standins.issuer import Issuer
from tests.standins.model_process import OAUTH_TOKEN, ModelApi, model_api
from tests.standins.repository import make_repo

__all__ = ["image_with_node"]
pytestmark = [pytest.mark.live, pytest.mark.slow]

# An issuer that nobody asks: it only makes tokens.
ISSUER = Issuer(0, Path())
CHATGPT = ISSUER.codex_login(3600)
CHATGPT["tokens"]["refresh_token"] = "rt_test-not-a-real-token-0001"
GOOGLE = ISSUER.gemini_login(3600)
GOOGLE["refresh_token"] = "1//test-not-a-real-token-0001"
CLAUDE = ISSUER.claude_login(3600)
CLAUDE["claudeAiOauth"]["accessToken"] = OAUTH_TOKEN


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ModelApi]:
    options = ("--chatgpt-token", CHATGPT["tokens"]["access_token"], "--google-token", GOOGLE["access_token"])
    with model_api(tmp_path / "model", options=options) as running:
        yield running


@pytest.mark.parametrize(
    ("agent", "file", "login", "shown"),
    [
        ("claude", ".claude/.credentials.json", CLAUDE, "Claude Max"),
        ("codex", ".codex/auth.json", CHATGPT, ""),
        ("gemini", ".gemini/oauth_creds.json", GOOGLE, "Type your message"),
    ],
    ids=["claude", "codex", "gemini"],
)
def test_who_is_logged_in_on_the_host_types_create_and_it_works(
    engine: Engine,
    model: ModelApi,
    agent: str,
    file: str,
    login: dict[str, object],
    shown: str,
    request: pytest.FixtureRequest,
) -> None:
    image = ("--image", request.getfixturevalue("image_with_node")) if agent == "gemini" else ()
    share_agents(engine)
    engine.configure(proxy=model.proxy_lines)
    kept = Path(engine.environ["HOME"], file)
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(login))
    kept.chmod(0o600)
    before = kept.read_bytes()
    checkout = make_repo(engine.root / "repo")
    name = engine.name()
    done = engine.cli(
        "create", "--repo", str(checkout), "--name", name, "--agent", agent, "--prompt", "go", *image
    )
    assert done.status == 0, done.error
    assert "no credential" not in done.error
    model.wait_for_answer(1)
    with terminal(engine.cli.command("attach", name), engine.environ) as person:
        assert person.shows(shown or "turn 1"), bytes(person.shown)
    container = f"clauderon-{name}"
    # The search finds what is there.
    marker = {
        "claude": placeholders.CLAUDE_ACCESS,
        "codex": placeholders.codex_token("pro", "account-test"),
        "gemini": placeholders.GEMINI_ACCESS,
    }[agent]
    text = json.dumps(login)
    named = (
        OAUTH_TOKEN,
        ISSUER.refresh,
        CHATGPT["tokens"]["access_token"],
        "rt_test-not",
        str(GOOGLE["access_token"]),
        str(GOOGLE["refresh_token"]),
    )
    secrets = [secret for secret in named if secret in text]
    found = holders(engine, container, marker, *secrets)
    assert any(place.endswith(file) for place in found[marker])
    assert secrets and {secret: found[secret] for secret in secrets if found[secret]} == {}
    assert kept.read_bytes() == before
    counted = engine.cli.ok("usage", name, "--json").json["data"]["total"]
    assert counted["requests"] >= 2 and counted["input"] > 0
    # What the agent asks its issuer is answered by the proxy.
    assert [fact["path"] for fact in model.seen() if fact["host"] == "oauth2.googleapis.com"] == []
    assert log_of(checkout, f"clauderon/{name}")[0] == "Add a greeting"
