"""Renew one login: the only code that uses a refresh token. A process of its own, which no stop of the proxy reaches.

`python -m clauderon.proxy.logins.renew HOME CLIENT DIGEST`. Prints an outcome as JSON, never a token. What is written
where, and when: the issuer's answer goes into the journal, from there into the client's file by rename; only then is
the journal removed. Whoever is killed between two of these leaves what the next one needs. Until the answer is in the
journal there are two of us, of whom either may be killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon import config as configuration
from clauderon.errors import ClauderonError
from clauderon.paths import Home
from clauderon.proxy.logins import asking, finding, locks
from clauderon.proxy.logins.client import Asking, Client, Content, Installed, Lacking, Login
from clauderon.proxy.logins.journal import Answer, Journal, is_whole, parse
from clauderon.proxy.logins.store import BadLogin, Store
from clauderon.proxy.net.routes import Routes

# An issuer that says this of a refresh token will not say anything else later.
_DEAD = frozenset(
    {"invalid_grant", "invalid_request_error", "refresh_token_expired", "refresh_token_reused"}
    | {"refresh_token_invalidated"}
)
# A token that ends this soon is treated as ended.
SOON_S = 30.0
# How long a client that was faster than we may take to write down what it was given.
FASTER_S = 2.0
_POLL_S = 0.05


class Outcome(NamedTuple):
    """state: `renewed`, `adopted` (somebody else had), `revoked` (only a person can help) or `failed` (try later)."""

    state: str
    why: str = ""


def digest(token: str) -> str:
    """How a token is named to this process: it says nothing of the token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Means(NamedTuple):
    """What a renewal works with. routes: how it goes out. installed: where the client's own program may be.

    guard: makes two of us, before the issuer is asked (`guard`). step: called between any two steps, for tests.
    """

    routes: Callable[[], Routes]
    installed: Installed = Installed({})
    guard: Callable[[], bool] = lambda: False
    step: Callable[[str], None] = lambda _name: None
    now: Callable[[], float] = time.time


def renew(client: Client, store: Store, unusable: str, means: Means) -> Outcome:
    """Have a login that is good beside the client, by whoever is fastest.

    unusable: the digest of the access token that is not good any more.
    """
    try:
        with locks.held(store.beside, client.locks(store.beside)) as at_work:
            return _renew_alone(client, store, unusable, means, at_work)
    except locks.Busy as error:
        return Outcome("failed", f"somebody else is renewing it and does not come to an end ({error})")
    except BadLogin as error:
        return Outcome("failed", f"{store.place}: {error}")
    except OSError as error:
        return Outcome("failed", f"{error.filename or store.place}: {error.strerror or error}")


def _renew_alone(
    client: Client, store: Store, unusable: str, means: Means, at_work: Callable[[], None]
) -> Outcome:
    content = store.read()
    login = None if content is None else finding.parsed(client, content)
    if content is None or login is None:
        return Outcome("revoked", f"{client.title} is logged out")
    journal = Journal(store.beside)
    left = journal.left(login.refresh) if login.refresh else None
    if left is not None and _is_good(left):
        # Of somebody who was killed: the token in the file is spent, and its successor is here.
        _write(client, store, content, left, journal, means)
        return Outcome("renewed")
    journal.end()  # what else lies there is of no use to anybody
    if digest(login.access) != unusable and not _is_over(login, means.now()):
        return Outcome("adopted")
    if not login.refresh:
        return Outcome("revoked", "it has ended, and nothing in it renews it")
    try:
        request = client.asking(login, means.installed)
        line = asking.connected(request, means.routes())
    except (asking.Unreachable, Lacking) as error:
        return Outcome("failed", str(error))
    with contextlib.closing(line):
        means.step("connected")
        content = store.read()
        if content is None or finding.parsed(client, content) != login:
            return Outcome("adopted")  # by a client that makes no lock; whoever needs it asks again
        at_work()
        answer = _answer(line, request, journal, login, means)
        if isinstance(answer, Outcome):
            return answer
    if not _is_good(answer):
        journal.end()
        return _refused(client, store, login, request.host, answer)
    _write(client, store, content, answer, journal, means)
    return Outcome("renewed")


def _answer(
    line: asking.Line, request: Asking, journal: Journal, login: Login, means: Means
) -> Answer | Outcome:
    """What the issuer says, in the journal; an outcome where it says nothing that can be read."""
    journal.begin(login.refresh)
    means.step("journal made")
    request_bytes = line.written(request)
    try:
        if not means.guard():  # else it was killed who was to send it, and who knows when
            line.send(request_bytes)
        means.step("asked")
        raw = line.answer(is_whole)
    except asking.Unanswered as error:
        journal.end()
        return Outcome("failed", str(error))
    means.step("answer read")
    journal.take(raw)
    means.step("answer kept")
    journal.keep()
    means.step("answer durable")
    answer = parse(raw)
    if answer is None:
        journal.end()
        return Outcome("failed", f"{request.host} answered half")
    return answer


def guard() -> bool:
    """Go on as two with one memory: one at work, and this one, which waits. Returns once for each that has to work.

    True where the one at work was killed, and this one has its work to do.
    """
    child = os.fork()
    if child == 0:
        os.setsid()  # out of reach of what stops our group
        return False
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        os._exit(os.WEXITSTATUS(status))
    return True


def _write(
    client: Client, store: Store, content: Content, answer: Answer, journal: Journal, means: Means
) -> None:
    """The answer's tokens into the client's file, over what is there now."""
    present = store.read()
    if present is not None and _refresh(client, present) != _refresh(client, content):
        means.step("file changed")  # another login, by a person: what we renewed is none of it
        journal.end()
        return
    means.step("file read")
    store.replace(client.renewed(present or content, answer.content, means.now()))
    means.step("file replaced")
    journal.end()
    means.step("journal removed")


def _refused(client: Client, store: Store, login: Login, host: str, answer: Answer) -> Outcome:
    error = answer.content.get("error")
    code = error.get("code") or error.get("type") if isinstance(error, dict) else error
    code = code if isinstance(code, str) else ""
    dead = answer.status in (400, 401, 403) and (code in _DEAD or not code)
    # A client that makes no lock may have been faster, and not yet have written down what it was given.
    deadline = time.monotonic() + (FASTER_S if dead and not client.locks(store.beside) else 0.0)
    while True:
        with contextlib.suppress(BadLogin):  # it may write in place
            present = store.read()
            if present is not None and _refresh(client, present) not in ("", login.refresh):
                return Outcome("adopted")
        if time.monotonic() >= deadline:
            break
        time.sleep(_POLL_S)
    if dead:
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
    # A signal to the proxy and its children must not end this: a renewal under way is over soon.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    client = finding.CLIENTS[name]
    store = finding.store_of(client, environ)
    if store is None:
        outcome = Outcome("failed", "HOME is not set")
    else:

        def routes() -> Routes:
            return Routes(configuration.load(home, environ).proxy, environ)

        try:
            outcome = renew(client, store, unusable, Means(routes, Installed(environ, home.agents), guard))
        except ClauderonError as error:
            outcome = Outcome("failed", str(error))
    # The worker that waits for this may be gone.
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(outcome._asdict()).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
