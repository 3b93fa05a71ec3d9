"""What each request to the control socket is answered, and what is refused before anything is done."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clauderon.errors import Conflict
from clauderon.proxy.daemon import control as module
from clauderon.proxy.daemon import unix_socket
from clauderon.proxy.daemon.control import MAX_BODY, Control
from clauderon.proxy.secrets.in_file import BadSecret

Given = dict[str, Any]


class Service:
    """What the control socket may ask of the service, written down."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Given]] = []
        self.problem: Exception | None = None

    def status(self) -> Given:
        self.asked.append(("status", {}))
        return {"pid": 1}

    async def reload(self, secrets: Given) -> Given:
        self.asked.append(("reload", secrets))
        if self.problem is not None:
            raise self.problem
        return {"held": sorted(secrets)}

    async def offer(self, secrets: Given) -> Given:
        self.asked.append(("offer", secrets))
        return {}

    def stop(self) -> None:
        self.asked.append(("stop", {}))


def served(tmp_path: Path, service: Service, talk: Callable[[Path], Any]) -> Any:
    """What `talk` returns, called with the socket's path beside a control endpoint that serves it."""

    async def both() -> Any:
        path = tmp_path / "s"
        control = Control(
            status=service.status, reload=service.reload, offer=service.offer, stop=service.stop
        )
        await control.start(unix_socket.listen(path))
        try:
            return await asyncio.to_thread(talk, path)
        finally:
            await control.close()

    return asyncio.run(both())


def answer(path: Path, *parts: bytes) -> tuple[int, Any]:
    """The status and JSON that these bytes, sent one after the other, are answered; 0 for no answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        for part in parts:
            client.sendall(part)
        received = b""
        while data := client.recv(65536):
            received += data
    if not received:
        return 0, None
    head, _, body = received.rpartition(b"\r\n\r\n")
    return int(head.rpartition(b"HTTP/1.1 ")[2].split()[0]), json.loads(body)


def post(resource: str, body: bytes, *fields: str) -> bytes:
    head = [f"POST {resource} HTTP/1.1", "Host: clauderon", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(head).encode() + body


def asked(tmp_path: Path, *parts: bytes) -> tuple[int, Any, list[tuple[str, Given]]]:
    service = Service()
    status, said = served(tmp_path, service, lambda path: answer(path, *parts))
    return status, said, service.asked


SECRETS = json.dumps({"secrets": {"github": ["not-a-real-token", "env"]}}).encode()


@pytest.mark.parametrize(
    ("request_bytes", "status", "said", "done"),
    [
        (b"GET /status HTTP/1.1\r\nHost: c\r\n\r\n", 200, {"pid": 1}, ["status"]),
        (post("/reload", SECRETS), 200, {"held": ["github"]}, ["reload"]),
        (post("/reload", b""), 200, {"held": []}, ["reload"]),
        (post("/offer", SECRETS), 200, {}, ["offer"]),
        (post("/stop", b""), 200, {"stopping": True}, ["stop"]),
    ],
    ids=["status", "reload", "reload without secrets", "offer", "stop"],
)  # fmt: skip
def test_each_request_is_answered(
    tmp_path: Path, request_bytes: bytes, status: int, said: Given, done: list[str]
) -> None:
    assert asked(tmp_path, request_bytes)[:2] == (status, said)
    assert [name for name, _ in asked(tmp_path, request_bytes)[2]] == done


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\nHost: c\r\n\r\n", 404),
        (b"GET /stop HTTP/1.1\r\nHost: c\r\n\r\n", 405),
        (post("/status", b""), 405),
        (post("/reload", b"not json"), 400),
        (post("/reload", b"[]"), 400),
        (post("/reload", b'{"secrets": 3}'), 400),
        (post("/reload", b"\xff\xfe"), 400),
        (b"nonsense\r\n\r\n", 400),
        (b"POST /stop HTTP/1.1\r\nHost: c\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab", 400),
        (b"POST /stop HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: odd\r\n\r\n", 501),
        (post("/reload", b"x" * (MAX_BODY + 1)), 413),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else "",
)  # fmt: skip
def test_what_is_no_request_of_ours_changes_nothing(
    tmp_path: Path, request_bytes: bytes, status: int
) -> None:
    found, said, done = asked(tmp_path, request_bytes)
    assert (found, list(said), done) == (status, ["error"], [])


def test_an_error_of_the_service_is_told_with_its_hint(tmp_path: Path) -> None:
    service = Service()
    service.problem = Conflict("reload", "another one runs", hint="clauderon proxy status")
    status, said = served(tmp_path, service, lambda path: answer(path, post("/reload", SECRETS)))
    assert status == 409
    assert said["error"]["hint"] == "clauderon proxy status"


@pytest.mark.parametrize("problem", [BadSecret("a newline in it"), ValueError("not a table")])
def test_a_secret_that_cannot_be_used_is_refused_in_our_words(tmp_path: Path, problem: Exception) -> None:
    service = Service()
    service.problem = problem
    status, said = served(tmp_path, service, lambda path: answer(path, post("/reload", SECRETS)))
    assert (status, said["error"]["why"]) == (400, str(problem))


def test_what_cannot_be_read_is_not_quoted_back(tmp_path: Path) -> None:
    """JSON's own error would have the text in it; seen to fail with that message passed on."""
    _, said, _ = asked(tmp_path, post("/reload", b'{"secrets": {"a": ["hunter2'))
    assert "hunter2" not in json.dumps(said)


def test_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail without the check; the mode of the socket is the first defence."""
    monkeypatch.setattr(module, "peer_uid", lambda _descriptor: os.getuid() + 1)
    status, said, done = asked(tmp_path, post("/stop", b""))
    assert (status, said["error"]["why"], done) == (403, "not yours", [])


def test_a_request_that_does_not_come_whole_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    assert asked(tmp_path, b"POST /stop HTTP/1.1\r\n")[0] == 408


def test_a_client_that_leaves_without_a_word_is_no_trouble(tmp_path: Path) -> None:
    def talk(path: Path) -> tuple[int, Any]:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"POST /rel")
        return answer(path, b"GET /status HTTP/1.1\r\nHost: c\r\n\r\n")

    assert served(tmp_path, Service(), talk) == (200, {"pid": 1})


def test_a_client_may_wait_to_be_told_to_go_on(tmp_path: Path) -> None:
    request = post("/reload", SECRETS, "Expect: 100-continue")
    assert asked(tmp_path, request)[0] == 200


@settings(max_examples=25, deadline=None)
@given(cuts=st.sets(st.integers(1, 140), max_size=6))
def test_a_request_may_come_in_any_pieces(cuts: set[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = post("/reload", SECRETS)
    places = sorted(cut for cut in cuts if cut < len(whole))
    parts = [whole[a:b] for a, b in zip([0, *places], [*places, len(whole)], strict=True)]
    status, said, _ = asked(tmp_path_factory.mktemp("c"), *parts)
    assert (status, said) == (200, {"held": ["github"]})
