"""Budgets with a real service: a killed worker forgets nothing, and the command that raises one applies at once."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import pytest

from clauderon.record import Session
from clauderon.store import Store
from tests.proxy.service_rig import Service, eventually
from tests.standins.cli import Cli
from tests.standins.model_process import ModelApi, model_api

# 12 tokens at 5 dollars a million, and 7 at 25: what the stand-in says of every answer.
NANO_EACH = 12 * 5000 + 7 * 25000
HEADERS = {"x_api_key": "sk-ant-test-not-a-real-key-0001", "content_type": "application/json"}
BODY = json.dumps(
    {"model": "claude-opus-4-5", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
)


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ModelApi]:
    with model_api(tmp_path / "model") as running:
        yield running


@pytest.fixture
def served(proxy: Service, model: ModelApi) -> Service:
    there = {"api.anthropic.com:443": f"127.0.0.1:{model.port}"}
    proxy.environ["ANTHROPIC_API_KEY"] = HEADERS["x_api_key"]
    proxy.configure(upstream_ca=str(model.ca), connect_to=there)
    return proxy


def ask(proxy: Service, session: Session) -> int:
    status, _ = proxy.request(
        session, "api.anthropic.com", "/v1/messages", method="POST", body=BODY.encode(), **HEADERS
    )
    return status


def asked(model: ModelApi) -> int:
    return sum(fact["path"] == "/v1/messages" for fact in model.seen())


def dollars(answers: int) -> str:
    return f"{answers * NANO_EACH / 1e9:.9f}"


def test_a_killed_worker_forgets_nothing_and_a_raised_budget_applies_at_once(
    served: Service, model: ModelApi, cli: Cli
) -> None:
    session = served.session("one", budget=dollars(3))
    served.ensure()
    assert [ask(served, session) for _ in range(2)] == [200, 200]
    os.kill(served.status().pid, signal.SIGKILL)
    eventually(lambda: served.status().sessions[0].problem == "", "the next worker serves")
    assert [ask(served, session) for _ in range(2)] == [200, 402]
    os.kill(served.status().pid, signal.SIGKILL)
    eventually(lambda: served.status().sessions[0].problem == "", "the next worker serves")
    assert ask(served, session) == 402
    answer = cli.ok("budget", "one", f"+{dollars(1)}", "--json").json["data"]
    assert answer["spent"] == pytest.approx(3 * NANO_EACH / 1e9, abs=1e-12)
    assert answer["left"] == pytest.approx(NANO_EACH / 1e9, abs=1e-12)
    assert [ask(served, session) for _ in range(2)] == [200, 402]
    # An independent count: what the stand-in was asked.
    assert asked(model) == 4
    assert cli.ok("usage", "--json").json["data"]["total"]["requests"] == 4
    events = [json.loads(line) for line in served.home.events.read_text().splitlines()]
    assert [(one["of"], one["share"]) for one in events] == [("one", 0.8), ("one", 1.0)] * 2


def test_twenty_sessions_of_a_group_overspend_by_what_was_in_flight(
    served: Service, model: ModelApi, cli: Cli
) -> None:
    """The worker is killed in the middle; the group has what it spent before, too."""
    sessions = [served.session(f"s{number}", group="nightly") for number in range(20)]
    served.ensure()
    cli.ok("budget", "--group", "nightly", dollars(60))
    answered: list[int] = []
    cut: list[Exception] = []

    def work(session: Session) -> None:
        while True:
            try:
                status = ask(served, session)
            except (OSError, HTTPException) as error:  # its worker was killed
                cut.append(error)
                continue
            answered.append(status)
            if status != 200:
                return

    workers = [threading.Thread(target=work, args=(session,)) for session in sessions]
    for worker in workers:
        worker.start()
    eventually(lambda: len(answered) > 20, "some answers")
    os.kill(served.status().pid, signal.SIGKILL)
    for worker in workers:
        worker.join(120)
    assert answered.count(402) == 20
    # In flight at the limit, and when the worker was killed: what was cut then counts by its size, which may be nothing.
    assert asked(model) <= 60 + 19 + 20
    assert asked(model) >= 40
    shown = cli.ok("budget", "--group", "nightly", "--json").json["data"]
    assert shown["spent"] >= shown["budget"]
    rows = cli.ok("usage", "--by", "group", "--json").json["data"]["rows"]
    assert [row["group"] for row in rows] == ["nightly"]
    # One that was begun and cut before it was sent on counts as well.
    assert asked(model) <= rows[0]["requests"] <= asked(model) + 20


def test_a_budget_survives_the_database(served: Service) -> None:
    session = served.session("one", budget="2.50")
    with Store.open(served.home) as store:
        store.update(session.id, budget="7")
    kept = json.loads((served.home.session_dir(session.id) / "rights.json").read_text())
    assert kept["budget"] == "7"


def test_the_service_runs_a_hook_when_a_budget_is_used_up(
    served: Service, model: ModelApi, cli: Cli, tmp_path: Path
) -> None:
    out = tmp_path / "told"
    text = served.home.config.read_text()
    served.home.config.write_text(f"""{text}\n[hooks]\non_budget = 'cat >>"{out}"'\n""")
    session = served.session("one", budget=dollars(1))
    served.ensure()
    assert ask(served, session) == 200
    eventually(lambda: out.exists() and out.read_text().count("\n") == 2, "the hook ran for both shares")
    # Hooks of two events run side by side.
    assert sorted(json.loads(line)["share"] for line in out.read_text().splitlines()) == [0.8, 1.0]
    shown = cli.ok("events", "--session", "one", "--json").text.splitlines()
    assert [json.loads(line)["event"] for line in shown] == ["budget", "budget"]
    assert "budget" in cli.ok("events").text
