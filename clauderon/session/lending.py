"""What `create` is told of the credentials that a session is lent: checked before anything is done. Makes nothing."""

from __future__ import annotations

from clauderon.config import lent
from clauderon.config.mistakes import nearest
from clauderon.config.schema import Credential
from clauderon.errors import UsageError
from clauderon.proxy.secrets import credentials
from clauderon.session import credential_facts
from clauderon.session.context import Context

NONE = "none"


def chosen(
    context: Context, only: tuple[str, ...], without: tuple[str, ...]
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The session's `credentials` and `no_credentials`.

    only: of `--credential`; `none` for none at all. without: of `--no-credential`. Raises UsageError for a name that is
    none, a credential that has no secret, and one that is both wanted and not.
    """
    table = context.config.credentials
    lends_none = NONE in only and NONE not in table
    if lends_none:
        if len(only) > 1:
            raise UsageError(
                "--credential none",
                "it and another --credential exclude each other",
                hint="clauderon create --credential none ...",
            )
        only = ()
    for flag, names in (("--credential", only), ("--no-credential", without)):
        for name in names:
            if name not in table:
                raise _unknown(context, flag, name)
    for name in only:
        if name in lent.alike(table, without):
            why = "--no-credential takes it away again" + _shared(context, name, without)
            raise UsageError(f"--credential {name}", why, hint=f"clauderon create --credential {name} ...")
    supplied = credential_facts.all_supplied(context) if only else ()
    for name in only:
        if not lent.together(table, [name]) & set(supplied):
            raise _unset(table[name], [table[each] for each in supplied])
    given = tuple(dict.fromkeys(only)) if only or lends_none else None
    return given, tuple(dict.fromkeys(without))


def _unknown(context: Context, flag: str, name: str) -> UsageError:
    known = context.config.credentials
    meant = nearest(name, known)
    if meant:
        why = f"there is no such credential; the nearest is {meant!r}"
        return UsageError(f"{flag} {name}", why, hint=f"clauderon create {flag} {meant} ...")
    why = f"there is no such credential; known are {', '.join(known)}"
    return UsageError(f"{flag} {name}", why, hint="clauderon config credentials")


def _unset(credential: Credential, supplied: list[Credential]) -> UsageError:
    """A credential without a secret; one that has one and is for the same host was probably meant."""
    what = f"--credential {credential.name}"
    for other in supplied:
        if set(other.hosts) & set(credential.hosts):
            why = f"it has no secret; {other.name}, for the same host, has one"
            return UsageError(what, why, hint=f"clauderon create --credential {other.name} ...")
    return UsageError(what, "it has no secret", hint=credentials.hint(credential))


def _shared(context: Context, name: str, without: tuple[str, ...]) -> str:
    table = context.config.credentials
    others = [each for each in without if name in lent.alike(table, [each])]
    if not others or name in without:
        return ""
    word = "is" if table[others[0]].file == table[name].file else "may be"
    return f": {others[0]} {word} the same secret"
