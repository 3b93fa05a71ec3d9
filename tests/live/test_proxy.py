"""A credential that is used through the proxy and is nowhere in the container."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.engine import BUSYBOX, Engine
from tests.standins.model_process import KEYS, ModelApi, model_api

pytestmark = pytest.mark.live

CANARY = KEYS["ANTHROPIC_API_KEY"]
ASK = (
    "curl -sS -m 20 https://api.anthropic.com/v1/messages -H 'content-type: application/json'"
    ' -H \'x-api-key: placeholder\' -d \'{"model":"m","max_tokens":9,'
    '"messages":[{"role":"user","content":"hello"}]}\''
)


@pytest.fixture
def model(engine: Engine) -> Iterator[ModelApi]:
    with model_api(engine.root / "model") as running:
        engine.scripted(proxy=running.proxy_lines)
        engine.environ["ANTHROPIC_API_KEY"] = CANARY
        engine.repo()
        yield running


def audit(engine: Engine, word: str, count: int) -> list[dict[str, object]]:
    """The session's audit lines; written off the hot path, so waits for `count` of them."""
    deadline = time.monotonic() + 10
    while True:
        lines = engine.home.audit.read_text().splitlines() if engine.home.audit.exists() else []
        found = [json.loads(line) for line in lines]
        mine = [line for line in found if engine.name(word) in line.values()]
        if len(mine) >= count or time.monotonic() > deadline:
            return mine
        time.sleep(0.05)


def files_holding(top: Path, secret: bytes) -> list[Path]:
    return [
        path
        for path in top.rglob("*")
        if path.is_file() and not path.is_symlink() and secret in path.read_bytes()
    ]


def test_the_credential_is_used_and_is_nowhere_to_be_found(engine: Engine, model: ModelApi) -> None:
    engine.create("p")
    answer = json.loads(engine.inside("p", ASK))
    assert answer["type"] == "message", answer
    assert [fact["credential"] for fact in model.seen() if fact["path"] == "/v1/messages"] == ["accepted"]

    secret = CANARY.encode()
    inspected = engine.docker("inspect", engine.container("p"))
    assert CANARY not in inspected
    everything = engine.inside(
        "p", "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; env", "--user", "0"
    )
    assert "HTTPS_PROXY" in everything and CANARY not in everything
    export = subprocess.run(
        ["docker", "export", engine.container("p")], env=engine.environ, capture_output=True, check=True
    ).stdout
    assert len(export) > 1 << 20 and secret not in export
    # The mounts are not in an export: the worktree, the agent's home, the session's files, the airlock.
    assert files_holding(engine.home.root, secret) == []

    (line,) = audit(engine, "p", 1)
    assert (line["host"], line["path"], line["status"]) == ("api.anthropic.com", "/v1/messages", 200)
    assert line["credential"] == "anthropic"
    said = engine.cli.ok("proxy", "log", "--session", engine.name("p"))
    assert "/v1/messages" in said.text and CANARY not in said.text + said.error


def test_without_a_credential_the_request_goes_nowhere_and_says_why(engine: Engine, model: ModelApi) -> None:
    del engine.environ["ANTHROPIC_API_KEY"]
    engine.create("n")
    said = engine.inside("n", ASK)
    assert "ANTHROPIC_API_KEY" in said
    assert [fact for fact in model.seen() if fact["path"] == "/v1/messages"] == []


def test_a_session_that_is_not_lent_a_credential_gets_it_neither_at_its_port_nor_at_anothers(
    engine: Engine, model: ModelApi
) -> None:
    engine.create("one", "--no-credential", "anthropic")
    engine.create("two")
    assert "is not lent" in engine.inside("one", ASK)
    lent = {
        word: engine.cli.ok("status", engine.name(word), "--json").json["data"] for word in ("one", "two")
    }
    assert [lent[word]["credentials"] for word in ("one", "two")] == [[], ["anthropic"]]
    assert [fact for fact in model.seen() if fact["path"] == "/v1/messages"] == []
    ports = {row["name"]: row["port"] for row in engine.cli.ok("list", "--json").json["data"]}
    theirs = ports[engine.name("two")]
    script = f"{ASK} -x http://host.docker.internal:{theirs} || echo refused $?"
    assert "refused" in engine.inside("one", script)
    assert json.loads(engine.inside("two", ASK))["type"] == "message"


def test_the_proxy_killed_means_no_request_goes_round_it(engine: Engine, model: ModelApi) -> None:
    engine.create("k")
    engine.cli.ok("proxy", "stop")
    assert "refused" in engine.inside("k", f"{ASK} || echo refused")
    assert model.seen() == []
    engine.cli.ok("proxy", "start")
    assert json.loads(engine.inside("k", ASK))["type"] == "message"


def test_a_read_only_session_may_ask_the_model_and_nothing_else_that_changes(
    engine: Engine, model: ModelApi
) -> None:
    engine.environ["GITHUB_TOKEN"] = "ghp-test-not-a-real-token-0001"
    engine.create("r", "--access-mode", "read-only")
    assert json.loads(engine.inside("r", ASK))["type"] == "message"
    post = "curl -sS -m 20 -o /dev/null -w '%{http_code}' -X POST -d x https://api.github.com/user/repos"
    assert engine.inside("r", post) == "403"
    (_, line) = audit(engine, "r", 2)
    assert (line["host"], line["refused"]) == ("api.github.com", True)


def test_an_allow_list_on_the_command_line_stands_in_the_place_of_the_files(
    engine: Engine, model: ModelApi
) -> None:
    with engine.home.config.open("a") as file:
        file.write('[network]\nallow = ["elsewhere.test"]\n')
    engine.create("f")
    engine.create("x", "--allow", "api.anthropic.com")
    told = "curl -s -m 20 -o /dev/null -w '%{http_connect}' https://elsewhere.test || true"
    assert (engine.inside("f", told), engine.inside("x", told)) == ("200", "403")
    assert json.loads(engine.inside("x", ASK))["type"] == "message"


def test_a_proxied_network_has_no_way_out_but_the_proxy(engine: Engine, model: ModelApi) -> None:
    engine.create("x", "--network", "proxied", "--allow", "api.anthropic.com")
    assert json.loads(engine.inside("x", ASK))["type"] == "message"
    refused = "curl -sS -m 20 -o /dev/null -w '%{http_code}' https://example.com || true"
    assert engine.inside("x", refused) in ("000", "403")
    raw = "curl -sS -m 5 --noproxy '*' http://192.0.2.1/ >/dev/null 2>&1 && echo out || echo closed"
    assert engine.inside("x", raw) == "closed"
    resolve = "getent hosts example.com >/dev/null && echo resolved || echo nothing"
    assert engine.inside("x", resolve) == "nothing"


def test_an_image_with_busybox_alone_reaches_the_proxy(engine: Engine, model: ModelApi) -> None:
    engine.create("b", "--image", BUSYBOX)
    script = "unset http_proxy; wget -q -O - http://host.docker.internal:" + str(engine.proxy_port)
    assert "clauderon" in engine.inside("b", script)
