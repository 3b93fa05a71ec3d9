"""Who may look at the dashboard: whoever came with the one-time token, from the page itself. Pure: no socket, no file.

A browser on this machine runs pages of others too, an agent's dev server's among them. They can reach a loopback port,
and cookies know no ports. So every request is judged by four things: the name it was sent to (`Host`; a name that was
made to lead here is another's page), the page it comes from (`Origin`, `Sec-Fetch-Site`), the token or the cookie
that the token became, and the method.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import NamedTuple

COOKIE = "clauderon_dashboard"
# Browsers that may look at the same time; the oldest is forgotten.
_MOST_COOKIES = 8


class Verdict(NamedTuple):
    """rule: why not, "" for whoever may come in. cookie: what the browser is to keep, "" for nothing new."""

    rule: str = ""
    cookie: str = ""


class Door:
    """One per run. `token` lets one browser in, once."""

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self._used = False
        self._cookies: list[str] = []

    def judge(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Verdict:
        """headers: by names as browsers write them, in any case (a case-insensitive mapping). path: without query."""
        host = headers.get("Host", "")
        if host not in self._hosts:
            return Verdict("other-host")
        if method not in ("GET", "HEAD"):
            return Verdict("method")
        origin = headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            return Verdict("other-origin")
        token = query.get("token")
        # "none": typed, or opened from the terminal. Nothing but a page of ours asks for the rest.
        came_from = headers.get("Sec-Fetch-Site", "none")
        if came_from not in (("none", "same-origin") if path == "/" else ("same-origin", "none")):
            return Verdict("other-origin")
        if token is not None:
            return self._enter(token) if path == "/" else Verdict("wrong-token")
        if self._is_known(headers.get("Cookie", "")):
            return Verdict()
        return Verdict("no-cookie")

    def _enter(self, token: str) -> Verdict:
        if self._used or not hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode()):
            return Verdict("wrong-token")
        self._used = True
        cookie = secrets.token_urlsafe(32)
        self._cookies = [*self._cookies, cookie][-_MOST_COOKIES:]
        return Verdict(cookie=cookie)

    def renew(self) -> str:
        """A new token, for another browser; the one before ends."""
        self.token, self._used = secrets.token_urlsafe(32), False
        return self.token

    def _is_known(self, header: str) -> bool:
        given = [part.strip().partition("=") for part in header.split(";")]
        values = [value.encode("utf-8", "replace") for name, _, value in given if name == COOKIE]
        return any(
            hmac.compare_digest(value, cookie.encode()) for value in values for cookie in self._cookies
        )
