"""The dashboard as its page asks it: what it tells, to whom, and what is left of those it turned away."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from clauderon.dashboard.server import Dashboard
from clauderon.paths import Home
from clauderon.session.feed import Feed
from clauderon.store import Store
from tests.standins.cli import Cli
from tests.standins.fleet import Fleet

_HOSTILE = "</script><img src=x onerror=alert(1)> \x1b[2J\u202e\u2028"


@pytest.fixture
def fleet(home: Home, repo: Path, tmp_path: Path) -> Fleet:
    made = Fleet(home, tmp_path / "fleet", repo)
    one = made.add("one", 1, output=b"hello\r\n\x1b]0;x\x07", commits=["a"])
    made.add("two", 2, activity="waiting")
    made.request(one, host=_HOSTILE)
    made.use(one)
    return made


class Opened:
    """A dashboard and a browser that was not let in yet."""

    def __init__(self, address: str, dashboard: Dashboard, client: aiohttp.ClientSession) -> None:
        self.address = address
        self.base = address.partition("/?")[0]
        self.dashboard = dashboard
        self.client = client

    async def enter(self) -> None:
        async with self.client.get(self.address) as answer:
            assert answer.status == 200

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.client.get(self.base + path, headers=headers, allow_redirects=False) as answer:
            return answer.status, await answer.text()


@contextlib.asynccontextmanager
async def opened(fleet: Fleet) -> AsyncIterator[Opened]:
    with Store.open(fleet.home) as store:
        dashboard = Dashboard(Feed(fleet.context(store)), fleet.home)
        address = await dashboard.start()
        try:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
                yield Opened(address, dashboard, client)
        finally:
            await dashboard.stop()


def refused(home: Home) -> list[tuple[str, str, int]]:
    lines = home.audit.read_text().splitlines()
    records: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [(one["rule"], one["path"], one["status"]) for one in records if one["kind"] == "dashboard"]


async def test_the_token_becomes_a_strict_cookie_and_leaves_the_address(fleet: Fleet) -> None:
    async with opened(fleet) as page:
        async with page.client.get(page.address, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")
            said = answer.headers["Set-Cookie"]
        assert "HttpOnly" in said
        assert "SameSite=Strict" in said
        assert "Path=/" in said
        assert (await page.get("/"))[0] == 200


async def test_whoever_is_turned_away_gets_403_and_a_line_of_the_audit(fleet: Fleet) -> None:
    async with opened(fleet) as page:
        status, text = await page.get("/api/sessions")
        assert (status, "hint: " in text) == (403, True)
        assert "one" not in text.split("hint")[0].split()
        assert (await page.get("/?token=wrong"))[0] == 403
        await page.enter()
        assert (await page.get("/events", Origin="http://evil.example"))[0] == 403
        assert (await page.get("/", Host="evil.example"))[0] == 403
        async with page.client.post(page.base + "/api/sessions") as answer:
            assert answer.status == 403
    assert refused(fleet.home) == [
        ("no-cookie", "/api/sessions", 403),
        ("wrong-token", "/", 403),
        ("other-origin", "/events", 403),
        ("other-host", "/", 403),
        ("method", "/api/sessions", 403),
    ]


async def test_every_answer_has_the_policy_that_lets_nothing_else_in(fleet: Fleet) -> None:
    async with opened(fleet) as page:
        await page.enter()
        for path in (
            "/",
            "/dashboard.js",
            "/dashboard.css",
            "/api/sessions",
            "/nothing",
            "/api/session/nobody",
        ):
            async with page.client.get(page.base + path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert "Access-Control-Allow-Origin" not in answer.headers
                assert answer.status == (404 if "no" in path else 200)


async def test_a_fault_of_ours_has_the_policy_too(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: Dashboard) -> None:
        raise RuntimeError("<script>")

    monkeypatch.setattr(Dashboard, "_used", broken)
    async with opened(fleet) as page:
        await page.enter()
        async with page.client.get(page.base + "/api/usage") as answer:
            assert answer.status == 500
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert "script" not in await answer.text()


async def test_the_page_names_no_other_place() -> None:
    share = Path(__file__).parents[2] / "clauderon/share"
    for name in ("dashboard.html", "dashboard.js", "dashboard.css"):
        text = (share / name).read_text().replace("http://www.w3.org/2000/svg", "")
        assert not any(word in text for word in ("http:", "https:", "//cdn", "@import", "innerHTML", "eval("))


async def test_what_is_told(fleet: Fleet) -> None:
    async with opened(fleet) as page:
        await page.enter()
        known = json.loads((await page.get("/api/sessions"))[1])
        assert [one["name"] for one in known["sessions"]] == ["two", "one"]
        assert known["sessions"][1]["text"]["cost"] == "$1.00"
        one = json.loads((await page.get("/api/session/one"))[1])
        assert one["output"] == ["hello"]
        assert [commit[1] for commit in one["commits"]] == ["Add a"]
        (host,) = one["hosts"]
        assert host["host"] == "</script><img src=x onerror=alert(1)> \\x1b[2J\\u202e\\u2028"
        used = json.loads((await page.get("/api/usage"))[1])
        assert [(row["model"], row["session"], row["cost"]) for row in used["rows"]] == [
            ("claude-x", "one", 1.0)
        ]


async def test_what_changes_is_told_at_once_and_what_does_not_is_not(fleet: Fleet) -> None:
    async with opened(fleet) as page:
        await page.enter()
        async with page.client.get(page.base + "/events") as stream:
            first = json.loads((await stream.content.readline()).removeprefix(b"data: "))
            assert "$1.00" in first["summary"]
            fleet.use(fleet_session(fleet))
            while True:
                line = await stream.content.readline()
                if line.startswith(b"data: ") and "$2.00" in json.loads(line[6:])["summary"]:
                    break


def fleet_session(fleet: Fleet) -> Any:
    with Store.open(fleet.home) as store:
        return store.named("one")


async def test_it_listens_on_loopback_alone(fleet: Fleet) -> None:
    """Seen to fail with `0.0.0.0`."""
    async with opened(fleet) as page:
        runner = page.dashboard._runner
        assert runner is not None
        assert [address[0] for address in runner.addresses] == ["127.0.0.1"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to(cli: Cli, fleet: Fleet, number: int) -> None:
    """Seen to go on for ever, deaf to further signals, where the signal came while it answered a page."""
    child = cli.popen("dashboard", env={"PATH": fleet.environ["PATH"]})
    with child:
        assert child.stdout is not None
        port = int(child.stdout.readline().split(b":")[2].split(b"/")[0])
        ended = threading.Event()

        def ask() -> None:
            while not ended.is_set():
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as sock:
                    sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    sock.recv(4096)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            time.sleep(0.3)
            child.send_signal(number)
            _, errors = child.communicate(timeout=30)
        finally:
            ended.set()
            asking.join()
            child.kill()
    assert child.returncode == 128 + number
    assert b"Traceback" not in errors


def test_a_port_that_is_taken_is_said(cli: Cli, fleet: Fleet) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        answer = cli("dashboard", "--port", port, env={"PATH": fleet.environ["PATH"]})
    assert answer.status == 4
    assert "hint: clauderon dashboard --port 0" in answer.error
