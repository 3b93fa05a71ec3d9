"""The recording half of `tool`: runs the real tool, passes everything through, tells the recorder.

Runs in the tool's own process, so that directory, environment, terminal and signals are the caller's.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from typing import IO, NoReturn

# How long a caller's input may still come after the tool has ended: longer than the recorder holds another call,
# since a caller may write to this one only when that one has answered.
INPUT_WAIT_S = 12.0


def _send(connection: socket.socket, message: object) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _pump(source: IO[bytes], descriptor: int, chunks: list[bytes]) -> None:
    """Pass on at once, and keep."""
    while chunk := os.read(source.fileno(), 1 << 16):
        chunks.append(chunk)
        try:
            os.write(descriptor, chunk)
        except OSError:  # the caller does not listen; the tool's words are kept all the same
            pass


def _feed(sink: IO[bytes], chunks: list[bytes]) -> None:
    """Hand our input on as it comes; a caller may leave it open for ever."""
    listening = True
    while chunk := os.read(0, 1 << 16):
        chunks.append(chunk)
        try:
            if listening:
                os.write(sink.fileno(), chunk)
        except (
            OSError
        ):  # the tool has ended without reading it all; what it was sent is recorded all the same
            listening = False
    sink.close()


def record(directory: str, argv: list[str], env: list[str]) -> NoReturn:
    """Never returns. The caller sees our end only when the recorder says so."""
    tool = os.path.basename(argv[0])
    with open(os.path.join(directory, "recorder")) as file:
        orders = json.load(file)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(orders["socket"])
    call = {"argv": [tool, *argv[1:]], "cwd": os.getcwd(), "env": env}
    _send(connection, {**call, "pid": os.getpid(), "parent": os.getppid()})
    caught: list[str] = []
    user = orders["user"] if tool == "docker" else None
    child = subprocess.Popen(
        [orders["real"][tool], *argv[1:]],
        stdin=0 if os.isatty(0) else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **orders["add"].get(tool, {})},
        user=user,
        extra_groups=None if user is None else [],
        start_new_session=True,
    )

    def forward(number: int, _frame: object) -> None:
        caught.append(signal.Signals(number).name[3:])
        child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    said: dict[int, list[bytes]] = {1: [], 2: []}
    pumps = [
        threading.Thread(target=_pump, args=(child.stdout, 1, said[1])),
        threading.Thread(target=_pump, args=(child.stderr, 2, said[2])),
    ]
    for pump in pumps:
        pump.start()
    heard: list[bytes] = []
    if child.stdin is not None:
        feeder = threading.Thread(target=_feed, args=(child.stdin, heard), daemon=True)
        feeder.start()
    status = child.wait()
    if child.stdin is not None:
        _send(connection, {"ended": True})
        feeder.join(INPUT_WAIT_S)
    for pump in pumps:
        pump.join()
    outcome: int | str = status if status >= 0 else signal.Signals(-status).name[3:]
    answer = {
        "stdin": b"".join(heard).decode("latin-1"),
        "stdout": b"".join(said[1]).decode("latin-1"),
        "stderr": b"".join(said[2]).decode("latin-1"),
        "signals": caught,
        "outcome": outcome,
    }
    _send(connection, answer)
    connection.recv(1)  # held until the recorder lets us go
    if isinstance(outcome, str):
        number = getattr(signal, "SIG" + outcome)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(int(outcome))
