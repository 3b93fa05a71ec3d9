"""Where each credential's secret comes from, and reading it there.

From the environment, a command or `op://`, the keyring, a file or a login, the first of them that has it.
Starts no process itself: what must be run is named, and its caller runs it, never on the proxy's event loop.
Nothing here prints a secret, and printing what is here does not show one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple

from clauderon.config.schema import Config, Credential
from clauderon.paths import Home
from clauderon.proxy.logins import finding
from clauderon.proxy.logins.client import Login
from clauderon.proxy.secrets.in_file import MAX_SECRET_BYTES, BadSecret, file_text

OP_SCHEME = "op://"
KEYRING = "keyring"
ANTHROPIC = ("anthropic", "anthropic-oauth")
Kind = Literal["api-key", "oauth", ""]


class Secret:
    """A secret's text. Only `reveal` gives it out; printing, formatting and pickling do not."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself. Only for a header, and for the mask."""
        return self._text

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


class Located(NamedTuple):
    """The source that is used for one credential.

    origin: `env NAME`, `command PROGRAM`, `keyring NAME`, `file NAME`, with `op://` before it where that is
            what it holds; `login of CLIENT`, `gh auth token`; empty where nothing supplies the secret.
    secret: the value, where reading it needs no process. argv: what prints it, where it does.
    problem: why a source that is there cannot be used. login: whose token the secret is, if it is a login's.
    """

    origin: str = ""
    secret: Secret | None = None
    argv: tuple[str, ...] = ()
    problem: str = ""
    login: Login | None = None

    @property
    def supplied(self) -> bool:
        """Whether the secret is there, or a command that prints it."""
        return not self.problem and (self.secret is not None or bool(self.argv))

    @property
    def teller(self) -> str:
        """Who is waited for where `argv` prints it, in a word; else empty."""
        return KEYRING if self.origin.startswith(f"{KEYRING} ") else next(iter(self.argv), "")


class Given(NamedTuple):
    """A secret handed to the service by a command line that found it. `origin` as in `Located`."""

    secret: Secret
    origin: str

    def still_applies(self, credential: Credential, home: Home) -> bool:
        """Whether the source this came from is still one."""
        kind, _, name = self.origin.removeprefix("op:// in ").partition(" ")
        if kind == "env":
            return name in credential.env
        if kind == "command":
            return bool(credential.command)
        if kind == KEYRING:
            return credential.file == name and _in_keyring(home, name)
        if kind == "gh":
            return credential.login == "gh"
        return credential.file == name


class Description(NamedTuple):
    """One row of `config credentials`; holds no secret. kind: the header, in words (`kind_of`).

    expires_at: when a login's token ends; None where nothing says so.
    """

    name: str
    set: bool
    origin: str
    hosts: tuple[str, ...]
    kind: str
    problem: str
    expires_at: float | None = None


def parse_secret(text: str) -> Secret:
    """`text` without the newline at its end. Raises BadSecret for what cannot be in a header."""
    value = text[:-1] if text.endswith("\n") else text
    value = value[:-1] if value.endswith("\r") else value
    if not value.strip():
        raise BadSecret("it is empty")
    if len(value) > MAX_SECRET_BYTES:
        raise BadSecret(f"it is longer than {MAX_SECRET_BYTES} characters")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise BadSecret("it has a line break or another control character in it")
    if not value.isascii():
        raise BadSecret("it has a character in it that is not ASCII")
    return Secret(value)


def locate(
    credential: Credential, home: Home, environ: Mapping[str, str], host: Mapping[str, str] | None = None
) -> Located:
    """The source that is used: the first of environment, command, keyring, file and login that has it.

    Cheap; runs nothing but macOS's `security`. host: the environment that says where logins are, if it is another.
    """
    for name in credential.env:
        if environ.get(name):
            return _read(f"env {name}", environ[name])
    if credential.command:
        return Located(f"command {os.path.basename(credential.command[0])}", argv=credential.command)  # noqa: PTH119
    if credential.file:
        if _in_keyring(home, credential.file):
            from clauderon.proxy.secrets.ring import asking_argv  # most have nothing there

            return Located(f"{KEYRING} {credential.file}", argv=asking_argv(home, "get", credential.file))
        try:
            text = file_text(home, credential.file)
        except BadSecret as error:
            return Located(f"file {credential.file}", problem=f"secrets/{credential.file}: {error}")
        if text is not None:
            return _read(f"file {credential.file}", text)
    return _login(credential.login, environ if host is None else host) if credential.login else Located()


def _in_keyring(home: Home, file: str) -> bool:
    """As far as we know: a note of it is there (`ring`)."""
    return os.path.lexists(f"{home.keyring}/{file}")


def _login(name: str, host: Mapping[str, str]) -> Located:
    if name == "gh":
        argv = finding.gh(host)
        return Located("gh auth token", argv=argv) if argv else Located()
    found = finding.find(name, host)
    if found is None:
        return Located()
    origin, login = f"login of {found.client.title}", found.login
    if login is None:
        return Located(origin, problem=found.problem)
    if not login.refresh and login.expires_at is not None and login.expires_at < time.time():
        again = f"it has ended: {found.client.again}"
        return Located(origin, problem=f"{origin}: {again}", login=login)
    return Located(origin, Secret(login.access), login=login)


def describe(
    config: Config, home: Home, environ: Mapping[str, str], held: Mapping[str, str] | None = None
) -> list[Description]:
    """Each credential: is it set, from where, for which hosts. Cheap; no command is run.

    held: name to origin of what the running service holds already (`service.status(...).held`).
    """
    rows = []
    for credential in config.credentials.values():
        found = locate(credential, home, environ)
        origin = found.origin
        supplied = found.supplied
        if held and credential.name in held and not origin.startswith("env "):
            origin, supplied = f"{held[credential.name]}, held by the proxy", True
        elif found.argv and supplied:
            origin += ", not obtained yet"
        until = found.login.expires_at if found.login is not None else None
        if until is not None and supplied:
            origin += _until(until)
        rows.append(
            Description(
                credential.name, supplied, origin, credential.hosts, kind_of(credential), found.problem, until
            )
        )
    return rows


def _until(expires_at: float) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(expires_at))
    return f", valid until {when}" if expires_at > time.time() else f", ended {when}, renewed at its next use"


def lent_logins(
    config: Config, home: Home, environ: Mapping[str, str], held: Collection[str] = ()
) -> dict[str, Mapping[str, Any]]:
    """Of each credential that is lent from a client's login, what may be told inside: its plan, never who it is.

    held: names of what the running service holds, which comes before a login.
    """
    found = {}
    for credential in config.credentials.values():
        if finding.is_renewed(credential.login) and credential.name not in held:
            located = locate(credential, home, environ)
            if located.login is not None and located.supplied:
                found[credential.name] = located.login.plan
    return found


def kind_of(credential: Credential) -> str:
    """`api-key`, `oauth` (a bearer token), `basic`, or the header's name for anything else."""
    if "{basic}" in credential.format:
        return "basic"
    if credential.header == "authorization":
        return "oauth" if credential.name in ANTHROPIC else "bearer"
    return "api-key" if credential.header in ("x-api-key", "x-goog-api-key") else credential.header


def kind(
    config: Config,
    home: Home,
    environ: Mapping[str, str],
    held: Collection[str] = (),
    wanted: Collection[str] = ANTHROPIC,
) -> Kind:
    """Which Anthropic credential a session will be lent: the placeholder in its container must be of that kind.

    held: names of what the running service holds. wanted: those it may be lent. Empty if there is none at all.
    """
    for name in (name for name in ANTHROPIC if name in wanted):
        credential = config.credentials[name]
        if name in held or locate(credential, home, environ).supplied:
            return "oauth" if credential.header == "authorization" else "api-key"
    return ""


def to_run(
    config: Config, home: Home, environ: Mapping[str, str], wanted: Collection[str] | None = None
) -> dict[str, Located]:
    """The credentials whose secret a command prints, by name; `wanted` (None: all) narrows it."""
    found = {
        credential.name: locate(credential, home, environ)
        for credential in config.credentials.values()
        if wanted is None or credential.name in wanted
    }
    return {name: located for name, located in found.items() if located.argv and not located.problem}


def from_environ(config: Config, home: Home, environ: Mapping[str, str]) -> dict[str, Given]:
    """What the environment supplies itself; what it names by `op://` is in `to_run`."""
    given = {}
    for credential in config.credentials.values():
        found = locate(credential, home, environ)
        if found.origin.startswith("env ") and found.secret is not None:
            given[credential.name] = Given(found.secret, found.origin)
    return given


def hint(*alternatives: Credential) -> str:
    """What would supply one of these secrets, in words."""
    ways = []
    variables = [credential.env[0] for credential in alternatives if credential.env]
    commands = [credential.command[0] for credential in alternatives if credential.command]
    kept = [credential.name for credential in alternatives if credential.file]
    logins = [finding.again(credential.login) for credential in alternatives if credential.login]
    if variables:
        ways.append(f"set {' or '.join(variables)} and run `clauderon proxy start`")
    if commands:
        ways.append(f"make {' or '.join(map(repr, commands))} print it and run `clauderon proxy start`")
    if kept:
        ways.append(f"run `clauderon secret set {kept[0]}`")
    if logins:
        ways.append(f"log in on the host: {' or '.join(dict.fromkeys(logins))}")
    return " or ".join(ways)


def _read(origin: str, text: str) -> Located:
    try:
        secret = parse_secret(text)
    except BadSecret as error:
        return Located(origin, problem=f"{origin}: {error}")
    if secret.reveal().startswith(OP_SCHEME):
        # After `--`, so that no reference can be taken for an option.
        return Located(f"op:// in {origin}", argv=("op", "read", "--no-newline", "--", secret.reveal()))
    return Located(origin, secret)
