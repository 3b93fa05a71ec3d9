"""Keeps a person's secrets: in the system's keyring where one answers, else in files of `secrets/`; and removes them.

Only the command line calls this. A value is handed to the keyring's process by its stdin, and to nobody else; it is in
no error, no argv and no environment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon import filelock, proc
from clauderon.config.schema import Config, Credential
from clauderon.errors import BackendError, ClauderonError, Conflict
from clauderon.paths import Home
from clauderon.proxy.secrets import credentials, ring, secret_file
from clauderon.proxy.secrets.credentials import OP_SCHEME, Given, Secret
from clauderon.proxy.secrets.in_file import MAX_SECRET_BYTES, BadSecret

# The child ends itself; this is for one that cannot.
_BESIDE_S = 10


class Stored(NamedTuple):
    """One secret that is kept. name: what commands call it; file: its own name.

    where: the keyring's name, or `secrets/FILE`. credentials: what it is lent as. before: of these, the sources that
    come before it here, by credential (`env GH_TOKEN`). problem: why it cannot be used, or empty.
    """

    name: str
    file: str
    where: str
    credentials: tuple[str, ...]
    before: Mapping[str, str]
    problem: str = ""


def checked(data: bytes) -> Secret:
    """What was typed or came by a pipe, as a secret. Raises BadSecret, whose text does not show it."""
    if len(data) > MAX_SECRET_BYTES + 2:
        raise BadSecret(f"it is longer than {MAX_SECRET_BYTES} characters")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadSecret("it is not text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if text.strip() and "\n" in text:
        raise BadSecret("it has more than one line")
    secret = credentials.parse_secret(text)
    if text != text.strip():
        raise BadSecret("it begins or ends with a space")
    return secret


def served(config: Config, file: str) -> list[Credential]:
    """The credentials that have the secret of this name, in order of precedence."""
    return [credential for credential in config.credentials.values() if credential.file == file]


def keep(
    home: Home, environ: Mapping[str, str], name: str, file: str, secret: Secret, *, in_file: bool = False
) -> tuple[str, str]:
    """Keep it, instead of what was kept under this name. Returns where, and why not in a keyring.

    name: what the person calls it. in_file: in a file, whatever keyring there is. Raises BackendError for a keyring
    that is there and does not take it, ClauderonError for a file that cannot be written: then what was kept before
    still is.
    """
    with _alone(home):
        why = ""
        # A reference is no secret, and what reads one looks for it in a file.
        if not in_file and not secret.reveal().startswith(OP_SCHEME):
            answer = _ask(home, environ, "set", file, secret.reveal().encode())
            if answer.status == 0:
                where = answer.text.split("\n")[0]
                with _telling(home.keyring / file):
                    ring.note(home, file, where)
                    secret_file.remove(home, file)
                return where, ""
            why = _said(answer)
            if answer.status != ring.NONE:
                hint = f"clauderon secret set --file {name}   # or unlock the keyring"
                raise BackendError(f"secret set {name}", f"the keyring does not take it: {why}", hint=hint)
        with _telling(home.secrets / file):
            secret_file.write(home, file, secret.reveal())
            ring.forget(home, file)
        return f"secrets/{file}", why


def withdraw(home: Home, file: str) -> bool:
    """From here on nothing reads it; whether it was kept. `clear` is for what the keyring still has."""
    with _alone(home), _telling(home.secrets / file):
        noted = ring.forget(home, file)
        return secret_file.remove(home, file) or noted


def clear(home: Home, environ: Mapping[str, str], name: str, file: str, *, patient: bool) -> None:
    """Remove from the keyring what is read there no more. Raises BackendError where the keyring does not answer.

    patient: wait for a person who unlocks it.
    """
    with _alone(home):
        if not ring.is_left(home, file):
            return
        answer = _ask(home, environ, "delete", file, seconds=ring.KEEP_S if patient else ring.GET_S)
        if answer.status not in (0, ring.NOT_FOUND):
            why = f"it is lent no more, but the keyring still has it: {_said(answer)}"
            hint = f"clauderon secret rm {name}   # once the keyring is unlocked"
            raise BackendError(f"secret rm {name}", why, hint=hint)
        with _telling(home.keyring / file):
            ring.gone(home, file)


def stored(config: Config, home: Home, environ: Mapping[str, str]) -> list[Stored]:
    """What is kept. Asks no keyring."""
    in_keyring = ring.names(home)
    found = dict.fromkeys((*_in_files(home), *in_keyring))
    order = {credential.file: credential.name for credential in reversed(list(config.credentials.values()))}
    rows = []
    for file in sorted(found, key=lambda file: (file not in order, order.get(file, file))):
        here = {each.name: credentials.locate(each, home, environ) for each in served(config, file)}
        own = (f"{credentials.KEYRING} {file}", f"file {file}", f"op:// in file {file}")
        rows.append(
            Stored(
                name=order.get(file, file),
                file=file,
                where=ring.title(home, file) if file in in_keyring else f"secrets/{file}",
                credentials=tuple(here),
                before={name: located.origin for name, located in here.items() if located.origin not in own},
                problem=next((located.problem for located in here.values() if located.problem), ""),
            )
        )
    return rows


def still(config: Config, home: Home, environ: Mapping[str, str], file: str) -> dict[str, str]:
    """Of the credentials that this secret was lent as, what supplies them without it."""
    found = {each.name: credentials.locate(each, home, environ) for each in served(config, file)}
    return {name: located.origin for name, located in found.items() if located.supplied}


def given(
    config: Config, home: Home, environ: Mapping[str, str], file: str, secret: Secret | None
) -> dict[str, Given | None]:
    """What a running service is told of a secret that was kept, or removed (None), so that it lends it at once.

    Nothing of a credential that this environment supplies: that comes first.
    """
    said: dict[str, Given | None] = {}
    for credential in served(config, file):
        located = credentials.locate(credential, home, environ)
        if not located.origin.startswith(("env ", "op:// in env ", "command ")):
            in_keyring = secret is not None and located.teller == credentials.KEYRING
            said[credential.name] = Given(secret, located.origin) if secret and in_keyring else None
    return said


@contextlib.contextmanager
def _alone(home: Home) -> Iterator[None]:
    """One command at a time changes what is kept. Raises Conflict."""
    home.create()
    busy = Conflict("secret", "another command is changing the secrets", hint="clauderon secret list")
    with filelock.held(home.locks / "secrets.lock", busy, ring.KEEP_S + _BESIDE_S):
        yield


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    """An OSError in words."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ClauderonError(str(error.filename or path), why, hint="clauderon doctor") from error


def _in_files(home: Home) -> list[str]:
    try:
        return [entry.name for entry in home.secrets.iterdir() if not entry.name.startswith(".")]
    except OSError:
        return []


def _said(answer: proc.Completed) -> str:
    return answer.error_text.split("\n")[0] or f"it ended with status {answer.status}"


def _ask(
    home: Home,
    environ: Mapping[str, str],
    operation: str,
    file: str,
    stdin: bytes = b"",
    seconds: int = ring.KEEP_S,
) -> proc.Completed:
    argv = ring.asking_argv(home, operation, file, seconds)
    running = proc.start(argv, env=environ, cwd=home.root, stdin=stdin)
    return running.result(timeout_s=seconds + _BESIDE_S, ok=None)
