"""The real Claude Code and Codex with the logins of a host, which they never hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon import placeholders
from tests.agents.live_help import share_agents
from tests.agents.terminal import terminal
from tests.agents.test_live_agents import holders
from tests.standins.engine import Engine
from tests.standins.issuer import Issuer
from tests.standins.model_process import OAUTH_TOKEN, ModelApi, model_api
from tests.standins.repository import make_repo

pytestmark = [pytest.mark.live, pytest.mark.slow]

# An issuer that nobody asks: it only makes tokens.
ISSUER = Issuer(0, Path())
CHATGPT = ISSUER.codex_login(3600)
CHATGPT["tokens"]["refresh_token"] = "rt_test-not-a-real-token-0001"
CLAUDE = ISSUER.claude_login(3600)
CLAUDE["claudeAiOauth"]["accessToken"] = OAUTH_TOKEN


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ModelApi]:
    options = ("--chatgpt-token", CHATGPT["tokens"]["access_token"])
    with model_api(tmp_path / "model", options=options) as running:
        yield running


@pytest.mark.parametrize(
    ("agent", "file", "login", "plan"),
    [
        ("claude", ".claude/.credentials.json", CLAUDE, "Claude Max"),
        ("codex", ".codex/auth.json", CHATGPT, ""),
    ],
    ids=["claude", "codex"],
)
def test_who_is_logged_in_on_the_host_types_create_and_it_works(
    engine: Engine, model: ModelApi, agent: str, file: str, login: dict[str, object], plan: str
) -> None:
    share_agents(engine)
    engine.configure(proxy=model.proxy_lines)
    kept = Path(engine.environ["HOME"], file)
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(login))
    kept.chmod(0o600)
    before = kept.read_bytes()
    checkout = make_repo(engine.root / "repo")
    name = engine.name()
    done = engine.cli("create", "--repo", str(checkout), "--name", name, "--agent", agent, "--prompt", "go")
    assert done.status == 0, done.error
    assert "no credential" not in done.error
    model.wait_for_answer(1)
    with terminal(engine.cli.command("attach", name), engine.environ) as person:
        assert person.shows(plan or "turn 1"), bytes(person.shown)
    container = f"clauderon-{name}"
    # The search finds what is there.
    marker = (
        placeholders.CLAUDE_ACCESS if agent == "claude" else placeholders.codex_token("pro", "account-test")
    )
    assert any(place.endswith(file) for place in holders(engine, container, marker))
    text = json.dumps(login)
    for secret in (
        OAUTH_TOKEN,
        ISSUER.refresh,
        CHATGPT["tokens"]["access_token"],
        "rt_test-not",
    ):
        if secret in text:
            assert holders(engine, container, secret) == []
    assert kept.read_bytes() == before
