"""Say no, or say what went wrong, in a way that a person, a script and an agent can all read. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

# The advice for a host that speaks no older HTTP.
HTTP2_FIX = "to have it reached without the proxy's reading along: add {} to [proxy] passthrough"

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}
# The names the model APIs use, so that an agent's own client takes them for what they are.
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    431: "invalid_request_error",
    503: "overloaded_error",
    504: "timeout_error",
}
# What Google's APIs call them (google.rpc.Code).
_GOOGLE = {
    400: "FAILED_PRECONDITION",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


@dataclass(eq=False)
class Problem(Exception):
    """Why a request is not served.

    status: what the client is answered. code: one word for the audit and for scripts. what: the cause; fix: what to
    change, or empty. refused: by policy rather than by failure. rule: which one it was. hushed: that is for the audit
    alone, since it would tell a client what it must not learn.
    instead: what may be done without a change, or empty. answer: type and body in the client's own protocol.
    """

    status: int
    code: str
    what: str
    fix: str = ""
    refused: bool = False
    rule: str = ""
    instead: str = ""
    answer: tuple[str, bytes] | None = None
    hushed: bool = False

    @property
    def told_rule(self) -> str:
        """The rule, where the client may know it."""
        return self.rule if self.refused and not self.hushed else ""

    @classmethod
    def by_policy(cls, status: int, code: str, rule: str, what: str, fix: str = "") -> Problem:
        """A refusal: `rule` decided it, nothing failed."""
        return cls(status, code, what, fix, True, rule)


def _error(problem: Problem, shape: str) -> dict[str, object]:
    """The error in the shape of a model API (`anthropic`, `openai`, `google`), or of any other (`plain`).

    The message has all of it: most clients show nothing else, to a person or to a model.
    """
    what = _UNPRINTABLE.sub("?", problem.what)[:400]
    rule = f"rule: {problem.told_rule}" if problem.told_rule else ""
    instead = f"instead: {problem.instead[:600]}" if problem.instead else ""
    hint = f"hint: {problem.fix[:600]}" if problem.fix else ""
    message = ". ".join(filter(None, (f"clauderon: {what}", rule, instead, hint)))
    if shape == "google":
        status = _GOOGLE.get(problem.status, "UNKNOWN")
        return {"error": {"code": problem.status, "message": message, "status": status}}
    kind = _TYPES.get(problem.status, "api_error")
    error = {"type": kind, "code": problem.code, "message": message}
    if shape == "openai":
        return {"error": {**error, "param": None}}
    if shape == "plain":
        # The clients of most APIs, of forges among them, show a `message` at the top.
        parts = {"rule": problem.told_rule, "instead": problem.instead, "hint": problem.fix}
        return {
            "message": message,
            "type": "error",
            "error": {**error, **{k: v for k, v in parts.items() if v}},
        }
    return {"type": "error", "error": error}


def websocket_error(problem: Problem) -> bytes:
    """The message that says it on a WebSocket of OpenAI's Responses."""
    return json.dumps({"type": "error", "status": problem.status, **_error(problem, "openai")}).encode()


def render(problem: Problem, *, method: bytes = b"GET", shape: str = "", close: bool = True) -> bytes:
    """The whole response. The cause is in the reason phrase too: many clients show only that of a refused CONNECT.

    shape: whose JSON to say it in, as for `_error`; empty for words.
    """
    what = _UNPRINTABLE.sub("?", problem.what)[:400]
    fix = problem.fix[:600]
    if problem.answer is not None:
        kind, body = problem.answer
    elif shape:
        body = json.dumps(_error(problem, shape)).encode() + b"\n"
        kind = "application/json"
    else:
        body = f"clauderon: {what}\n".encode()
        if problem.told_rule:
            body += f"rule: {problem.told_rule[:200]}\n".encode("utf-8", "replace")
        if problem.instead:
            body += f"instead: {problem.instead[:600]}\n".encode("utf-8", "replace")
        if fix:
            body += f"hint: {fix}\n".encode("utf-8", "replace")
        kind = "text/plain; charset=utf-8"
    reason = what if method == b"CONNECT" else _REASONS.get(problem.status, "Refused")
    head = (
        f"HTTP/1.1 {problem.status} {reason}\r\n"
        f"Content-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"Cache-Control: no-store\r\n"
        f"X-Clauderon-Refusal: {problem.code}\r\n"
    )
    if problem.code.startswith("budget"):
        head += "X-Should-Retry: false\r\n"  # the clients of Anthropic and OpenAI obey it
    if close:
        head += "Connection: close\r\n"
    return head.encode("ascii", "replace") + b"\r\n" + (b"" if method == b"HEAD" else body)


# What a client that speaks HTTP/2 all the same is told: SETTINGS, then GOAWAY with HTTP_1_1_REQUIRED and the reason.
_H2_TEXT = b"clauderon: only HTTP/1.1 is spoken inside this tunnel"
H2_GOAWAY = (
    b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    + (8 + len(_H2_TEXT)).to_bytes(3, "big")
    + b"\x07\x00\x00\x00\x00\x00"
    + b"\x00\x00\x00\x00\x00\x00\x00\x0d"
    + _H2_TEXT
)
