"""A few lines of HTTP over the control socket, by hand: `create` has no time for a client library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clauderon.errors import BackendError, ClauderonError, Conflict, Refused, UsageError
from clauderon.proxy.daemon.unix_socket import address

ANSWER_TIMEOUT_S = 20.0
_ERRORS: dict[str, type[ClauderonError]] = {
    error.code: error for error in (BackendError, Conflict, Refused, UsageError)
}


class NotListening(ConnectionError):
    """Nobody listens at the socket, or went away before answering."""


def ask(path: Path, method: str, resource: str, body: Any = None) -> Any:
    """The answer's JSON. Raises NotListening, BackendError for no answer in time, or the error the service names."""
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {resource} HTTP/1.1\r\nHost: clauderon\r\nConnection: close\r\nContent-Length: {len(content)}\r\n"
    if content:
        head += "Content-Type: application/json\r\n"
    raw = _exchange(path, head.encode() + b"\r\n" + content)
    status_line, _, rest = raw.partition(b"\r\n")
    _headers, _, text = rest.partition(b"\r\n\r\n")
    try:
        status = int(status_line.split()[1])
        answer = json.loads(text)
    except (IndexError, ValueError) as error:
        raise NotListening("half an answer") from error
    if status != 200:
        raise _error(answer)
    return answer


def _exchange(path: Path, request: bytes) -> bytes:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(ANSWER_TIMEOUT_S)
        try:
            with address(path) as name:
                sock.connect(name)
            sock.sendall(request)
            received = []
            while data := sock.recv(1 << 16):
                received.append(data)
        except TimeoutError as error:
            why = f"it runs but does not answer within {ANSWER_TIMEOUT_S:g} s"
            raise BackendError("proxy", why, hint="clauderon proxy stop") from error
        except PermissionError as error:
            raise BackendError("proxy", f"{path} belongs to another user", hint=f"ls -l {path}") from error
        except OSError as error:
            raise NotListening(str(error)) from error
    return b"".join(received)


def _error(answer: Any) -> ClauderonError:
    problem = answer.get("error", {}) if isinstance(answer, dict) else {}
    kind = _ERRORS.get(problem.get("code", ""), BackendError)
    what, why = problem.get("what", "proxy"), problem.get("why", "it answered with an error")
    return kind(str(what), str(why), hint=problem.get("hint"))
