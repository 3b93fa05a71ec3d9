"""`--network learn`, the list that is made of it, and a session that has that list and no more."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.standins.engine import Engine
from tests.standins.model_process import KEYS, ModelApi, model_api

pytestmark = pytest.mark.live

DONE = (
    "GET https://api.openai.com/v1/models/one",
    "POST https://api.openai.com/v1/files",
    "GET https://chatgpt.com/docs/a",
)
OTHERS = (
    "GET https://api.openai.com/v2/models",
    "DELETE https://api.openai.com/v1/files",
    "GET https://api.openai.com/v1/../v2",
    "GET https://chatgpt.com/backend",
    "GET https://api.anthropic.com/",
)


@pytest.fixture
def model(engine: Engine) -> Iterator[ModelApi]:
    with model_api(engine.root / "model") as running:
        engine.scripted(proxy=running.proxy_lines)
        engine.environ["OPENAI_API_KEY"] = KEYS["OPENAI_API_KEY"]
        engine.repo()
        yield running


def statuses(engine: Engine, word: str, requests: tuple[str, ...]) -> list[str]:
    """What each request was answered; `000` where there is no tunnel to ask through."""
    curl = "curl -s -m 20 -o /dev/null -w '%{http_code}\\n'"
    return engine.inside(
        word, "\n".join(f"{curl} -X {request}" for request in requests) + "\ntrue"
    ).splitlines()


def test_the_list_of_what_a_session_did_admits_that_and_nothing_else(engine: Engine, model: ModelApi) -> None:
    """Seen to fail: rules leave what they are not about to other lists, so all else was open."""
    engine.create("learns", "--network", "learn")
    assert statuses(engine, "learns", DONE) == ["200"] * 3
    suggest = ("network", "suggest", engine.name("learns"), "--paths")
    deadline = time.monotonic() + 10
    while len(printed := engine.cli.ok(*suggest).text.splitlines()) < 3:
        assert time.monotonic() < deadline, printed
        time.sleep(0.1)
    assert printed == [
        "allow GET,POST api.openai.com /v1/**",
        "allow GET chatgpt.com /docs/a",
        "deny *  # all else",
    ]
    wanted = engine.root / "list"
    wanted.write_text("\n".join(printed))
    said = engine.cli.ok("network", "suggest", engine.name("learns"), "--would-refuse", str(wanted))
    assert "nothing" in said.text + said.error
    flags = [word for line in printed for word in ("--rule", line.partition("  #")[0])]
    engine.create("works", "--network", "proxied", *flags)
    assert statuses(engine, "works", DONE) == ["200"] * 3
    before = len(model.seen())
    assert set(statuses(engine, "works", OTHERS)) <= {"403", "000"}
    assert len(model.seen()) == before
