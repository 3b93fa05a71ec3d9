"""Ask an issuer for new tokens: one request over verified TLS, every byte of the answer kept as it comes.

Goes the way all of the proxy's own connections go (`connect_to`, `upstream_ca`, the upstream proxy). Prints nothing.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from clauderon.proxy.logins.client import Asking
from clauderon.proxy.net.routes import Routes
from clauderon.proxy.policy.hosts import format_authority

CONNECT_S = 10.0
# Once it was asked, an issuer is waited for: to leave early is to lose what it answers.
ANSWER_S = 50.0  # less than a client's lock is believed (`locks.STALE_S`)
_MOST_BYTES = 1 << 20


class Unreachable(Exception):
    """It was not asked: nothing has changed. The text says why."""


class Unanswered(Exception):
    """It was asked, and what it answered never came whole."""


def connected(asking: Asking, routes: Routes) -> ssl.SSLSocket:
    """A connection to the issuer, on which nothing has been said. Raises Unreachable."""
    target = routes.targets.dial(asking.host, 443)
    proxy = None if target.named else routes.proxy_for(True, asking.host, 443)
    host, port = (target.host, target.port) if proxy is None else (proxy.host, proxy.port)
    raw: socket.socket | None = None
    try:
        raw = socket.create_connection((host, port), CONNECT_S)
        if proxy is not None:
            _tunnel(raw, format_authority(asking.host, 443), proxy.authorization)
        secured = routes.context.wrap_socket(raw, server_hostname=asking.host)
    except (OSError, UnicodeError) as error:
        if raw is not None:
            raw.close()
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise Unreachable(f"{asking.host} cannot be reached: {str(reason).lower()}") from None
    secured.settimeout(ANSWER_S)
    return secured


def ask(issuer: ssl.SSLSocket, asking: Asking, take: Callable[[bytes], None]) -> bytes:
    """Send the request, and hand over every piece of the answer before anything else. Returns all of it.

    Raises Unanswered, and what `take` raises.
    """
    head = (
        f"POST {asking.path} HTTP/1.1\r\nHost: {asking.host}\r\nAccept: application/json\r\n"
        f"Accept-Encoding: identity\r\nUser-Agent: clauderon\r\nConnection: close\r\n"
        f"Content-Type: {asking.content_type}\r\nContent-Length: {len(asking.body)}\r\n\r\n"
    )
    answer = b""
    try:
        issuer.sendall(head.encode() + asking.body)
        while len(answer) < _MOST_BYTES:
            piece = issuer.recv(65536)
            if not piece:
                return answer
            take(piece)
            answer += piece
    except ssl.SSLEOFError:
        return answer  # it ended without a goodbye; whether all is there is for the reader of it to say
    except OSError as error:
        if answer:
            return answer
        raise Unanswered(f"{asking.host} did not answer: {str(error).lower()}") from None
    raise Unanswered(f"{asking.host} answers without end")


def _tunnel(raw: socket.socket, authority: str, authorization: bytes) -> None:
    """Through an upstream proxy. Raises OSError."""
    head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n".encode()
    if authorization:
        head += b"Proxy-Authorization: " + authorization + b"\r\n"
    raw.sendall(head + b"\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = raw.recv(1)  # what follows is the issuer's
        if not piece or len(answer) > 16384:
            raise OSError("the upstream proxy did not open a tunnel")
        answer += piece
    status = answer.split(b" ", 2)[1:2]
    if status != [b"200"]:
        raise OSError("the upstream proxy refused a tunnel")
