"""What a read-only session may ask of a host with a credential: reading, and git's fetch. Pure; sends nothing.

A method says what a request does only where nothing else in it says otherwise, so whatever some server takes for
another method, a body where reading has none, and a POST that is not byte for byte what git sends, are refused.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from clauderon.proxy.http.overrides import overrides, plain
from clauderon.proxy.http.request import RequestHead, split_absolute
from clauderon.proxy.policy.grant import Grant

READING = frozenset({b"GET", b"HEAD", b"OPTIONS"})
# Compared as typed: nothing in it that a server would rewrite first. A repository is two names, or ends in `.git` at
# any depth (groups, servers with a prefix), or is Azure's.
_NAME = rb"/(?!\.{1,2}/)[A-Za-z0-9._~+@-]+"
_UPLOAD_PACK = re.compile(
    rb"(?:%(name)b%(name)b|(?:%(name)b)*(?:%(name)b(?<=\.git))|(?:%(name)b)+/_git%(name)b)/git-upload-pack"
    % {b"name": _NAME}
)
_UPLOAD_PACK_TYPE = b"application/x-git-upload-pack-request"
# Every field that git, libgit2, JGit and curl below them send along.
_GIT_SENDS = frozenset(
    {
        b"host", b"user-agent", b"accept", b"accept-encoding", b"accept-language", b"content-type",
        b"content-encoding", b"content-length", b"transfer-encoding", b"git-protocol", b"expect", b"connection",
        b"pragma", b"cache-control",
    }
)  # fmt: skip
_JSON = re.compile(rb"application/(?:[a-z0-9.-]+\+)?json")
_UTF8 = re.compile(rb'charset="?utf-?8"?')

_OVERRIDING_PARAMETER = re.compile(
    rb"(?:x|http|rest|request|real|original|forwarded|tunnell?ed|override)*(?:method|verb)(?:override|name)?[0-9]*"
)
_PARAMETERS = re.compile(rb"[?&;]")
_LAYERS = 3  # of percent-encoding that are looked through

Fields = list[tuple[bytes, bytes]]


def refused(head: RequestHead, grant: Grant) -> tuple[str, str] | None:
    """What of this request is not open to a read-only session, and what would help or ""; None if it may pass.

    The client's credential headers are not looked at: they are removed.
    """
    absolute = None if head.target.startswith(b"/") else split_absolute(head.target)
    target = head.target if absolute is None else absolute[2]
    fields = fields_of(head)
    overriding = override(target, fields)
    if overriding is not None:
        return overriding, ""
    if grant.model_api:
        return _refused_of_model(head, fields)
    if head.method in READING:
        return _refused_of_reading(head, target, fields)
    if head.method == b"POST" and target.partition(b"?")[0].endswith(b"/git-upload-pack"):
        return refused_of_fetch(target, fields, grant)
    return head.method.decode("ascii", "replace"), ""


def _refused_of_model(head: RequestHead, fields: Fields) -> tuple[str, str] | None:
    """An agent thinks by POST of JSON, or its model would not hear it; nothing else is needed for that.

    A form of either type may have a method of its own in it, and a body of no type is some server's form.
    """
    method = head.method.decode("ascii", "replace")
    if head.method in READING:
        return (f"{method} with a body", "") if head.length != 0 else None
    if head.method != b"POST":
        return method, ""
    kinds = [value.partition(b";")[0].strip(b" \t").lower() for name, value in fields if _is_type(name)]
    if kinds and not (len(kinds) == 1 and _JSON.fullmatch(kinds[0])):
        return f"{method} of {kinds[-1].decode('ascii', 'replace')[:60]}", ""
    if not kinds and head.length != 0:
        return f"{method} of a body without a Content-Type", ""
    return None


def _is_type(name: bytes) -> bool:
    """Whether a field is Content-Type, also to servers that turn fields into variables."""
    return name.replace(b"_", b"-") == b"content-type"


def _refused_of_reading(head: RequestHead, target: bytes, fields: Fields) -> tuple[str, str] | None:
    method = head.method.decode("ascii", "replace")
    if head.length != 0:
        return f"{method} with a body", ""
    for name, _ in fields:
        if name == b"upgrade":
            return "an upgraded connection", ""
    if b"receivepack" in plain(unquote_to_bytes(target)):
        return "git push", ""
    return None


def refused_of_fetch(target: bytes, fields: Fields, grant: Grant) -> tuple[str, str] | None:
    """What of a POST to git-upload-pack is not surely a fetch, and what would help or ""; None if it may pass."""
    what = "git-upload-pack"
    if not grant.git:
        return what, f"if these hosts serve git, set git = true in [credentials.{grant.name}]"
    if _UPLOAD_PACK.fullmatch(target) is None:
        return f"{what} at a path that is not /OWNER/REPOSITORY or does not end in .git", ""
    unlike = unlike_git(fields, _UPLOAD_PACK_TYPE, what)
    return (unlike, "") if unlike is not None else None


def unlike_git(fields: Fields, kind: bytes, what: str) -> str | None:
    """How the fields differ from those that git sends with a body of this type; `what` is the request in words."""
    for name, _ in fields:
        if name not in _GIT_SENDS:
            return f"{what} with a header that git does not send ({name.decode('ascii', 'replace')})"
    if [value.strip(b" \t") for name, value in fields if name == b"content-type"] != [kind]:
        return f"{what} whose content type is not git's"
    return None


def unlike_json(fields: Fields) -> str | None:
    """Why the body is not surely JSON in UTF-8, or None."""
    kinds = [value.strip(b" \t").lower() for name, value in fields if _is_type(name)]
    kind, _, parameters = b";".join(kinds).partition(b";")
    if len(kinds) != 1 or _JSON.fullmatch(kind.strip()) is None:
        return "a body that is not JSON"
    if parameters.strip() and _UTF8.fullmatch(parameters.strip()) is None:
        return "a body in another character set than UTF-8"
    return None


def override(target: bytes, fields: Fields) -> str | None:
    """What in the request may name another method, or None. target: without scheme and host."""
    for name, _ in fields:
        if overrides(name):
            return f"a method override ({name.decode('ascii', 'replace')})"
    parameter = _overriding_parameter(target)
    return None if parameter is None else f"a method override ({parameter} in the URL)"


def fields_of(head: RequestHead) -> Fields:
    """Names in lower case and values of the fields that travel on."""
    removed = frozenset(head.credentials or ())
    found = []
    for index, line in enumerate(head.lines):
        if index and line and index not in removed:
            name, _, value = line.partition(b":")
            found.append((name.lower(), value))
    return found


def _overriding_parameter(target: bytes) -> str | None:
    """A parameter that names another method, of the query or of a path segment, in the encodings servers undo."""
    if _PARAMETERS.search(target) is None and b"%" not in target:
        return None
    for _ in range(_LAYERS + 1):
        for part in _PARAMETERS.split(target)[1:]:
            name = part.partition(b"=")[0]
            if _OVERRIDING_PARAMETER.fullmatch(plain(name)):
                return name[:80].decode("ascii", "replace")
        decoded = unquote_to_bytes(target)
        if decoded == target:
            return None
        target = decoded
    return "percent-encoding in many layers"
