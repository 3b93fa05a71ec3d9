"""`secret set`, `secret list`, `secret rm`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from clauderon import config, proc
from clauderon.cells import Column
from clauderon.cli import common
from clauderon.cli.declared import Argument, Option
from clauderon.errors import ClauderonError, UsageError
from clauderon.paths import Home
from clauderon.proxy.secrets import keeping
from clauderon.proxy.secrets.in_file import MAX_SECRET_BYTES, BadSecret

if TYPE_CHECKING:
    from clauderon.config.schema import Config, Credential
    from clauderon.proxy.secrets.credentials import Given, Secret

# A list, so that what was typed after the name is ours to answer: an error of the parser's would repeat it.
CredentialArgument = Annotated[
    list[str],
    Argument(metavar="CREDENTIAL", help="Its name, from `config credentials`.", show_default=False),
]
CredentialsArgument = Annotated[
    list[str], Argument(metavar="CREDENTIAL...", help="Names, from `secret list`.", show_default=False)
]
_COLUMNS = (
    Column("name", "NAME"),
    Column("where", "WHERE"),
    Column("lent_as", "LENT AS"),
    Column("note", "NOTE"),
)


def set_(
    credential: CredentialArgument,
    in_file: Annotated[
        bool, Option("--file", help="Keep it in secrets/, whatever keyring there is.")
    ] = False,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Keep the secret of a credential: in the system's keyring where one answers, else in a file for you alone.

    Asks for it without showing it, or reads it from stdin: it is never an argument. Running sessions are lent it at
    once.

    Example: pass show anthropic | clauderon secret set anthropic
    """
    out = common.speak(format_, json, quiet)
    name = _one(credential)
    home = common.home()
    settings = config.load(home, os.environ)
    file = _credential(settings, name).file
    secret = _asked(name)
    where, why = keeping.keep(home, os.environ, name, file, secret, in_file=in_file)
    row = next(one for one in keeping.stored(settings, home, os.environ) if one.file == file)
    _tell_proxy(home, keeping.given(settings, home, os.environ, file, secret))
    with suppress(ClauderonError):  # what an earlier one left in the keyring is read no more
        keeping.clear(home, os.environ, name, file, patient=False)
    place = str(home.root / where) if where.startswith("secrets/") else where
    reason = f"No keyring answers ({why}), so {name}" if why else name
    out.note(f"{reason} is kept in {place}{_and_lent(row)}.")
    for lent, origin in row.before.items():
        out.warn(f"{lent} is not lent from there: {origin} comes first")
    out.done({"name": name, "where": where, "credentials": list(row.credentials)})


def list_(
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    null: common.NullOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """List the secrets that are kept, where, and as which credential each is lent; never their values.

    Example: clauderon secret list
    """
    out = common.speak(format_, json, quiet, null)
    home = common.home()
    rows: list[dict[str, Any]] = []
    for one in keeping.stored(config.load(home, os.environ), home, os.environ):
        notes = [one.problem] if one.problem else [f"{origin} comes first" for origin in one.before.values()]
        if not one.credentials:
            notes.append("no credential has this name")
        rows.append(
            {
                "name": one.name,
                "where": one.where,
                "lent_as": list(one.credentials),
                "note": "; ".join(dict.fromkeys(notes)),
            }
        )
    empty = (
        "No secrets are kept. To keep one: clauderon secret set NAME (names: clauderon config credentials)"
    )
    out.records(rows, _COLUMNS, empty=empty)


def rm(
    names: CredentialsArgument,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Remove secrets from where they are kept. Running sessions are not lent them any more, at once.

    Example: clauderon secret rm anthropic
    """
    out = common.speak(format_, json, quiet)
    home = common.home()
    settings = config.load(home, os.environ)
    kept = {one.name: one.file for one in keeping.stored(settings, home, os.environ)}
    wanted = {name: kept[name] if name in kept else _credential(settings, name, "rm").file for name in names}
    done: list[dict[str, Any]] = []
    failed: list[ClauderonError] = []
    for name, file in wanted.items():
        was_kept = keeping.withdraw(home, file)
        said = keeping.given(settings, home, os.environ, file, None)
        _tell_proxy(home, said)
        try:
            if not was_kept:
                hint = "clauderon secret list"
                raise ClauderonError(f"secret rm {name}", "no secret of this name is kept", hint=hint)
            keeping.clear(home, os.environ, name, file, patient=True)
            done.append({"name": name, "credentials": [each.name for each in keeping.served(settings, file)]})
        except ClauderonError as error:
            if failed:
                out.warn(str(error))
            failed.append(error)
        for lent, origin in keeping.still(settings, home, os.environ, file).items():
            out.warn(f"{lent} is still lent: {origin}")
    if failed:
        if done:
            out.warn(f"succeeded: {', '.join(str(each['name']) for each in done)}")
        raise failed[0]
    out.done(done)


def _one(words: list[str]) -> str:
    """The name. Raises UsageError for more words, which it does not repeat: one may be the secret."""
    if len(words) > 1:
        why = "it takes a name alone; a secret among its words is in your shell's history and the list of processes"
        raise UsageError("secret set", why, hint="clauderon secret set NAME   # asks for it, or reads stdin")
    return words[0]


def _and_lent(row: keeping.Stored) -> str:
    others = [name for name in row.credentials if name != row.name]
    return f", for {' and '.join((row.name, *others))}" if others else ""


def _credential(settings: Config, name: str, verb: str = "set") -> Credential:
    """Raises UsageError for a name that is none, with the one that was probably meant."""
    found = settings.credentials.get(name)
    if found is not None and found.file:
        return found
    what = f"secret {verb}"
    if not name:
        raise UsageError(what, "the name is empty", hint="clauderon config credentials")
    if found is not None:
        from clauderon.proxy.secrets import credentials

        why = f"{name} is a login that a program on your machine keeps, not a secret"
        raise UsageError(what, why, hint=credentials.hint(found))
    from clauderon.config.mistakes import nearest

    meant = _meant(settings, name) or nearest(name, settings.credentials)
    why = f"there is no credential {name!r}"
    if meant:
        raise UsageError(what, f"{why}; the nearest is {meant!r}", hint=f"clauderon secret {verb} {meant}")
    raise UsageError(
        what, f"{why}; known are {', '.join(settings.credentials)}", hint="clauderon config credentials"
    )


def _meant(settings: Config, name: str) -> str:
    """The credential of which this is another word: its variable, its file, its agent; or empty."""
    for credential in settings.credentials.values():
        if name.upper() in credential.env or name == credential.file:
            return credential.name
    from clauderon.known.table import AGENTS

    known = AGENTS.get(name)
    return known.credentials[0] if known is not None and known.credentials else ""


def _asked(name: str) -> Secret:
    """From the terminal or by a pipe. Raises UsageError, whose text never shows it."""
    what, hint = f"secret set {name}", f"pass show {name} | clauderon secret set {name}"
    try:
        if sys.stdin.isatty():
            try:
                data = proc.hidden_line(f"Secret for {name} (not shown): ")
            except proc.NotALine as error:
                raise UsageError(what, str(error), hint=hint) from None
        else:
            data = sys.stdin.buffer.read(MAX_SECRET_BYTES + 3)
            if not data:
                raise UsageError(what, "it is empty: no terminal to ask on, and nothing on stdin", hint=hint)
        return keeping.checked(data)
    except BadSecret as error:
        if "more than one line" in str(error):
            hint = f"pass show {name} | head -n 1 | clauderon secret set {name}"
        raise UsageError(what, str(error), hint=hint) from None
    except OSError as error:
        raise UsageError(
            what, f"stdin cannot be read: {(error.strerror or str(error)).lower()}", hint=hint
        ) from None


def _tell_proxy(home: Home, changed: Mapping[str, Given | None]) -> None:
    """What was kept is kept, whether or not a service can be told of it now."""
    from clauderon.proxy import service

    try:
        service.exchange(home, changed)
    except ClauderonError as error:
        common.output.warn(f"the proxy was not told ({error}): clauderon proxy stop && clauderon proxy start")
