"""`GET /metrics`: what it sums, in a form that scrapers read, and to whom it is told."""

from __future__ import annotations

import contextlib
import re
import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.paths import Home
from clauderon.proxy.daemon.metrics import Metrics, state
from clauderon.proxy.dataplane.server import DataPlane
from clauderon.proxy.dataplane.session import Counters
from clauderon.proxy.usage.totals import OTHERS, Totals
from tests.proxy.rig import Rig
from tests.proxy.service_rig import Service

_SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? ([0-9.e+-]+)\Z')


def read(text: str) -> dict[str, float]:
    """Samples by name and labels. Fails for what is not in the form: families together, each with its type, an end."""
    lines = text.split("\n")
    assert lines[-2:] == ["# EOF", ""]
    found: dict[str, float] = {}
    families: list[str] = []
    for line in lines[:-2]:
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name not in families
            families.append(name)
            suffix = "_total" if kind == "counter" else ""
        elif not line.startswith("#"):
            match = _SAMPLE.match(line)
            assert match, line
            assert match[1] == families[-1] + suffix
            key = line.rpartition(" ")[0]
            assert key not in found
            found[key] = float(match[3])
        else:
            assert line.split()[1] in ("HELP", "UNIT")
            assert line.split()[2] == families[-1]
            if line.startswith("# UNIT"):
                assert families[-1].endswith(line.split()[3])
    return found


def metrics(
    home: Home, totals: Totals, sessions: tuple[str, ...] = (), **counters: Counters
) -> dict[str, float]:
    gone = counters.pop("gone", Counters())
    plane = cast(DataPlane, SimpleNamespace(gone=gone, counters=counters))
    return read(Metrics(home, plane, totals, lambda: sessions, 123.5).page())


def test_sums_of_all_sessions_also_of_those_that_are_gone(home: Home) -> None:
    """A counter that shrank when a session was deleted would be taken for one that began anew."""
    found = metrics(
        home, Totals(), a=Counters(3, 1, 0, 0, 0, 10, 20), b=Counters(4, 0, 2, 1, 1, 1, 2), gone=Counters(100)
    )  # fmt: skip
    assert found["clauderon_requests_total"] == 107
    assert found["clauderon_refusals_total"] == 1
    assert found["clauderon_errors_total"] == 2
    assert found['clauderon_bytes_total{direction="up"}'] == 11
    assert found['clauderon_bytes_total{direction="down"}'] == 22
    assert found["clauderon_start_time_seconds"] == 123.5


def test_tokens_and_cost_by_model(home: Home) -> None:
    totals = Totals()
    for _ in range(2):
        totals.add({
            "api": "anthropic", "model": "m", "requests": 1, "input": 3, "cache_read": 5, "cache_write": 7,
            "cache_write_1h": 11, "output": 13, "nano": 1_500_000_000,
        })  # fmt: skip
    totals.add({"api": "openai", "model": "", "requests": 1, "unknown": 1})
    found = metrics(home, totals)
    labels = 'api="anthropic",model="m"'
    assert found[f"clauderon_model_requests_total{{{labels}}}"] == 2
    kinds = {
        kind: found[f'clauderon_tokens_total{{{labels},kind="{kind}"}}'] for kind in ("input", "cache_write")
    }
    assert kinds == {"input": 6, "cache_write": 36}
    assert found[f"clauderon_cost_dollars_total{{{labels}}}"] == 3.0
    assert found['clauderon_unknown_usage_total{api="openai",model="unknown"}'] == 1


@given(st.lists(st.text(), max_size=6))
def test_a_models_name_may_be_anything(names: list[str]) -> None:
    totals = Totals()
    for name in names:
        totals.add({"api": "x", "model": name, "requests": 1})
    found = metrics(Home.from_environ({"HOME": "/none"}), totals)
    counted = [value for key, value in found.items() if key.startswith("clauderon_model_requests_total")]
    assert sum(counted) >= len(set(counted))


def test_no_end_of_models_is_one_more_line() -> None:
    totals = Totals()
    for number in range(5000):
        totals.add({"api": "x", "model": f"m{number}", "requests": 1})
    found = list(totals)
    assert len(found) == 201
    assert next(sums for _, model, sums in found if model == OTHERS)["requests"] == 4800


@pytest.mark.parametrize(
    ("activity", "status", "word"),
    [
        ("working\n", "", "working"),
        ("waiting", "", "waiting"),
        ("waiting permission\n", "", "waiting"),
        ("waiting answer\n", "", "waiting"),
        ("done", "0\n", "done"),
        ("done", "3", "failed"),
        ("stopped", "143", "stopped"),
        ("x" * 1000, "", "unknown"),
        ('"} 1\n', "", "unknown"),
    ],
)
def test_a_session_is_what_its_agent_said_last(home: Home, activity: str, status: str, word: str) -> None:
    folder = home.session_home("0123456789ab") / ".clauderon"
    folder.mkdir(parents=True)
    (folder / "activity").write_text(activity)
    (folder / "status").write_text(status)
    assert state(home, "0123456789ab") == word
    assert metrics(home, Totals(), ("0123456789ab",))[f'clauderon_sessions{{state="{word}"}}'] == 1


def answer(rig: Rig, port: int | None, request: str) -> tuple[bytes, bytes]:
    client = rig.connect(port=port) if port else rig.connect()
    client.send(request.encode())
    head, body = client.message()
    return head, body


def test_who_may_read_them(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to be told to a container, and to a name that was made to lead here, when neither was looked at."""
    port = rig.main()
    rig.plane.shared.metrics = lambda: "sums"
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        head, body = answer(rig, port, f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"application/openmetrics-text" in head
        assert body == b"sums"
    for host in (
        f"evil.example:{port}",
        f"host.docker.internal:{port}",
        "127.0.0.1.evil.example",
        "127.0.0.2",
    ):
        head, body = answer(rig, port, f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 403 ")
        assert b"sums" not in body
    assert answer(rig, port, "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")[
        0
    ].startswith(b"HTTP/1.1 404 ")
    # From a session's port: as a web server's page, and as a proxy's.
    assert b"sums" not in b"".join(
        answer(rig, None, f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")
    )
    url = f"GET http://127.0.0.1:{port}/metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
    assert b"sums" not in b"".join(answer(rig, None, url))
    monkeypatch.setattr("clauderon.proxy.dataplane.client.canonical_address", lambda _: "172.17.0.2")
    head, body = answer(rig, port, f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"sums" not in body


def test_the_service_tells_them_and_names_no_session(proxy: Service) -> None:
    session = proxy.session("secretive")
    proxy.ensure()
    with contextlib.closing(socket.create_connection(("127.0.0.1", proxy.port))) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        head, _, body = b"".join(iter(lambda: sock.recv(4096), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    found: Any = read(body.decode())
    assert sum(value for key, value in found.items() if key.startswith("clauderon_sessions{")) == 1
    assert session.name.encode() not in body
    assert session.id.encode() not in body
