"""Renew one login: the only code that uses a refresh token. A process of its own, which no stop of the proxy reaches.

`python -m clauderon.proxy.logins.renew HOME CLIENT DIGEST`. Prints an outcome as JSON, never a token. What is written
where, and when: the issuer's answer goes into the journal as it comes, from there into the client's file by rename;
only then is the journal removed. Whoever is killed between two of these leaves what the next one needs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon import config as configuration
from clauderon.errors import ClauderonError
from clauderon.paths import Home
from clauderon.proxy.logins import asking, finding, locks
from clauderon.proxy.logins.client import Client, Content, Login
from clauderon.proxy.logins.journal import Answer, Journal, parse
from clauderon.proxy.logins.store import BadLogin, Store
from clauderon.proxy.net.routes import Routes

# An issuer that says this of a refresh token will not say anything else later.
_DEAD = frozenset(
    {"invalid_grant", "invalid_request_error", "refresh_token_expired", "refresh_token_reused"}
    | {"refresh_token_invalidated"}
)
# A token that ends this soon is as good as ended.
SOON_S = 30.0

Step = Callable[[str], None]


class Outcome(NamedTuple):
    """state: `renewed`, `adopted` (somebody else had), `revoked` (only a person can help) or `failed` (try later)."""

    state: str
    why: str = ""


def digest(token: str) -> str:
    """How a token is named to this process: it says nothing of the token."""
    return hashlib.sha256(token.encode()).hexdigest()


def renew(
    client: Client,
    store: Store,
    unusable: str,
    routes: Callable[[], Routes],
    *,
    step: Step = lambda name: None,
    now: Callable[[], float] = time.time,
) -> Outcome:
    """Have a login that is good beside the client, by whoever is fastest.

    unusable: the digest of the access token that is not good any more. step: called between any two steps, for tests.
    """
    try:
        with locks.held(store.beside, client.locks(store.beside)) as at_work:
            return _renew_alone(client, store, unusable, routes, step, now, at_work)
    except locks.Busy as error:
        return Outcome("failed", f"somebody else is renewing it and does not come to an end ({error})")
    except BadLogin as error:
        return Outcome("failed", f"{store.place}: {error}")
    except OSError as error:
        return Outcome("failed", f"{error.filename or store.place}: {error.strerror or error}")


def _renew_alone(
    client: Client,
    store: Store,
    unusable: str,
    routes: Callable[[], Routes],
    step: Step,
    now: Callable[[], float],
    at_work: Callable[[], None],
) -> Outcome:
    content = store.read()
    login = None if content is None else finding.parsed(client, content)
    if content is None or login is None:
        return Outcome("revoked", f"{client.title} is logged out")
    journal = Journal(store.beside)
    left = journal.left(login.refresh) if login.refresh else None
    if left is not None and _is_good(left):
        # Of somebody who was killed: the token in the file is spent, and its successor is here.
        _write(client, store, content, left, journal, step, now())
        return Outcome("renewed")
    journal.end()  # what else lies there is of no use to anybody
    if digest(login.access) != unusable and not _is_over(login, now()):
        return Outcome("adopted")
    if not login.refresh:
        return Outcome("revoked", "it has ended, and nothing in it renews it")
    return _ask(client, store, content, login, journal, routes, step, now, at_work)


def _ask(
    client: Client,
    store: Store,
    content: Content,
    login: Login,
    journal: Journal,
    routes: Callable[[], Routes],
    step: Step,
    now: Callable[[], float],
    at_work: Callable[[], None],
) -> Outcome:
    request = client.asking(login)
    try:
        issuer = asking.connected(request, routes())
    except asking.Unreachable as error:
        return Outcome("failed", str(error))
    with contextlib.closing(issuer):
        at_work()
        journal.begin(login.refresh)
        step("journal made")
        try:
            raw = asking.ask(issuer, request, journal.take)
        except asking.Unanswered as error:
            journal.end()
            return Outcome("failed", str(error))
    step("answer kept")
    journal.keep()
    step("answer durable")
    answer = parse(raw)
    if answer is None:
        journal.end()
        return Outcome("failed", f"{request.host} answered half")
    if not _is_good(answer):
        journal.end()
        return _refused(client, store, login, request.host, answer)
    _write(client, store, content, answer, journal, step, now())
    return Outcome("renewed")


def _write(
    client: Client, store: Store, content: Content, answer: Answer, journal: Journal, step: Step, now: float
) -> None:
    """The answer's tokens into the client's file, over what is there now."""
    present = store.read()
    if present is not None and _refresh(client, present) != _refresh(client, content):
        step("file changed")  # another login, by a person: what we renewed is none of it
        journal.end()
        return
    step("file read")
    store.replace(client.renewed(present or content, answer.content, now))
    step("file replaced")
    journal.end()
    step("journal removed")


def _refused(client: Client, store: Store, login: Login, host: str, answer: Answer) -> Outcome:
    error = answer.content.get("error")
    code = error.get("code") or error.get("type") if isinstance(error, dict) else error
    code = code if isinstance(code, str) else ""
    present = store.read()
    if present is not None and _refresh(client, present) not in ("", login.refresh):
        return Outcome("adopted")  # the client was faster, without its lock
    if answer.status in (400, 401, 403) and (code in _DEAD or not code):
        return Outcome("revoked", f"{host} does not take it any more ({code or answer.status})")
    return Outcome("failed", f"{host} answered {answer.status}")


def _is_good(answer: Answer) -> bool:
    return answer.status == 200 and isinstance(answer.content.get("access_token"), str)


def _is_over(login: Login, now: float) -> bool:
    return login.expires_at is not None and login.expires_at - SOON_S <= now


def _refresh(client: Client, content: Content) -> str:
    login = client.parse(content)
    return "" if login is None else login.refresh


def main(argv: list[str], environ: Mapping[str, str]) -> int:
    """argv: the state directory, the client's name, and the digest of the token that is not good any more."""
    home, name, unusable = Home(Path(argv[0])), argv[1], argv[2]
    client = finding.CLIENTS[name]
    store = finding.store_of(client, environ)
    if store is None:
        outcome = Outcome("failed", "HOME is not set")
    else:

        def routes() -> Routes:
            return Routes(configuration.load(home, environ).proxy, environ)

        try:
            outcome = renew(client, store, unusable, routes)
        except ClauderonError as error:
            outcome = Outcome("failed", str(error))
    # The worker that waits for this may be gone.
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(outcome._asdict()).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
