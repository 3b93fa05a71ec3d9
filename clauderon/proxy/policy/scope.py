"""Decide what a credential that is lent for a session's own repositories may be used for. Pure; sends nothing.

Reading is open as far as the secret reaches. Whatever else is refused, unless it is surely a push to the session's
own branch of its own repositories, work on pull requests there, or a question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import RequestHead, split_absolute
from clauderon.proxy.policy import forge_api, graphql, read_only, repositories
from clauderon.proxy.policy.gate import DocumentGate, Gate, PushGate
from clauderon.proxy.policy.grant import Grant

RULE = "credential-scope"
_REPOSITORY = rb"((?:/%b)+)" % repositories.NAME.encode()
_GIT = re.compile(_REPOSITORY + rb"/(info/refs|git-upload-pack|git-receive-pack|info/lfs/.+)")
_LFS_WRITES = re.compile(rb"info/lfs/(?:objects/(?:batch|verify)|locks(?:/verify|/[0-9A-Za-z_-]+/unlock)?)")
_PUSH_TYPE = b"application/x-git-receive-pack-request"


class Reach(NamedTuple):
    """What of a session's says how far a scoped credential goes.

    repositories: in the form of `repositories`. refs: those it may push to, at most one `*` in each.
    """

    repositories: frozenset[str]
    refs: tuple[str, ...]

    @classmethod
    def of(cls, repositories_: Iterable[str], refs: Iterable[str]) -> Reach:
        """From the session's remotes and refs."""
        return cls(frozenset(repositories_), tuple(refs))


class _Request(NamedTuple):
    head: RequestHead
    grant: Grant
    host: str
    port: int
    path: bytes
    query: bytes
    reach: Reach

    @property
    def reads(self) -> bool:
        return self.head.method in read_only.READING

    def is_own(self, path: str, *, host: str = "") -> bool:
        """Whether the session has this repository, by its remotes or by the credential's table."""
        scope = self.grant.scope
        assert scope is not None
        host = host or self.host
        # An API has its forge's remotes; where the port is not the usual one, both have it.
        named = repositories.of_path(host, self.port, path)
        listed = {repositories.of_path(host, self.port, each) for each in scope.repositories}
        return bool(named) and (named in self.reach.repositories or named in listed)


def judge(head: RequestHead, grant: Grant, host: str, port: int, reach: Reach) -> Gate | None:
    """None: the request may pass. A gate: it may if what comes of its body does. Raises Problem."""
    absolute = None if head.target.startswith(b"/") else split_absolute(head.target)
    target = head.target if absolute is None else absolute[2]
    path, _, query = target.partition(b"?")
    request = _Request(head, grant, host, port, path, query, reach)
    fields = read_only.fields_of(head)
    what = read_only.override(target, fields)
    if what is not None:
        raise _refusal(request, what)
    if request.reads and head.length != 0:
        raise _refusal(request, f"{_method(head)} with a body")
    if forge_api.is_graphql(path):
        return _graphql(request, fields)
    match = _GIT.fullmatch(path)
    if match is not None:
        return _git(request, match[1].decode("ascii"), match[2], fields)
    return _api(request, fields)


def _git(request: _Request, repository: str, service: bytes, fields: read_only.Fields) -> Gate | None:
    own = request.is_own(repository)
    scope = request.grant.scope
    assert scope is not None
    pushes = service == b"git-receive-pack" or b"service=git-receive-pack" in request.query.split(b"&")
    if pushes and not own:
        raise _refusal(request, f"a push to {request.host}{repository}", _OWN_REMOTE)
    if scope.fetch == "remotes" and not own:
        raise _refusal(request, f"a fetch from {request.host}{repository}", _OWN_REMOTE)
    if request.reads:
        return None
    method = request.head.method
    if method == b"POST" and service == b"git-upload-pack":
        target = b"?".join(filter(None, (request.path, request.query)))
        found = read_only.refused_of_fetch(target, fields, request.grant)
        if found is not None:
            raise _refusal(request, found[0], config=found[1])
        return None
    if method == b"POST" and service == b"git-receive-pack":
        problem = read_only.unlike_git(fields, _PUSH_TYPE, service.decode("ascii"))
        if problem is not None or request.query:
            raise _refusal(request, problem or "git-receive-pack with a query")
        return PushGate(request.reach.refs, f"{request.host}{repository}", _coding(request, fields))
    if method == b"POST" and service == b"info/lfs/objects/batch" and not own:
        _plain_json(request, fields)
        return DocumentGate(_is_lfs_download, lambda why: _refusal(request, why, _OWN_REMOTE))
    if method == b"POST" and own and _LFS_WRITES.fullmatch(service) is not None:
        return None
    raise _refusal(request, f"{_method(request.head)} of {service.decode('ascii', 'replace')[:80]}")


def _api(request: _Request, fields: read_only.Fields) -> Gate | None:
    about = forge_api.about(request.path)
    own = about is not None and request.is_own(about.path, host=forge_api.forge(request.host))
    scope = request.grant.scope
    assert scope is not None
    if request.reads:
        if scope.fetch == "remotes" and not own and not forge_api.is_neutral(request.path):
            raise _refusal(request, "reading what is not surely this session's repository", _OWN_REMOTE)
        return None
    method = _method(request.head)
    if about is None or not own:
        raise _refusal(request, f"{method} that is not surely about this session's repository", _OWN_REMOTE)
    if not about.is_open_write(request.head.method):
        raise _refusal(request, f"{method} of {about.rest[:80] or 'the repository itself'}", _WORK)
    if about.kind != "gitlab":
        return None
    if request.query:
        raise _refusal(request, f"{method} with a query, where the text has to be read", _JSON_BODY)
    if request.head.length == 0:
        return None
    _plain_json(request, fields)
    return DocumentGate(_commands_nothing, lambda why: _refusal(request, why, _JSON_BODY))


def _graphql(request: _Request, fields: read_only.Fields) -> Gate | None:
    scope = request.grant.scope
    assert scope is not None
    if scope.fetch == "remotes":
        raise _refusal(request, "GraphQL, which may read any repository", _REST)
    allowed = frozenset(scope.mutations)

    def check(found: set[str]) -> None:
        other = sorted(found - allowed)
        if other:
            config = f'mutations = ["{other[0][:60]}"] in [credentials.{request.grant.name}] of config.toml allows it'
            raise _refusal(request, f"the GraphQL mutation {other[0][:60]}", _REST, config)

    def unclear(why: str) -> Problem:
        return _refusal(request, f"a GraphQL request that is not clear ({why})", _REST)

    if request.query:
        try:
            check(graphql.mutations_of_query(request.query))
        except graphql.Unclear as error:
            raise unclear(str(error)) from None
    if request.reads:
        return None
    if request.head.method != b"POST" or request.query:
        raise _refusal(request, f"{_method(request.head)} of GraphQL")
    _plain_json(request, fields)
    return DocumentGate(lambda body: check(graphql.mutations_of_body(body)), unclear)


def _plain_json(request: _Request, fields: read_only.Fields) -> None:
    """The body must be read here as the server reads it. Raises Problem."""
    if _coding(request, fields):
        raise _refusal(request, "a body in a coding, where it has to be read")
    problem = read_only.unlike_json(fields)
    if problem is not None:
        raise _refusal(request, problem)


def _coding(request: _Request, fields: read_only.Fields) -> bytes:
    """`gzip` or nothing. Raises Problem for any other."""
    found = [value.strip(b" \t") for name, value in fields if name.replace(b"_", b"-") == b"content-encoding"]
    if not found:
        return b""
    if len(found) > 1 or found[0] not in (b"gzip", b"x-gzip"):
        raise _refusal(request, "a body in a coding that is not gzip")
    return b"gzip"


def _is_lfs_download(body: bytes) -> None:
    """Raises Unclear for anything else."""
    if graphql.json_object(body).get("operation") != "download":
        raise graphql.Unclear("an upload to another repository")


def _commands_nothing(body: bytes) -> None:
    """Raises Unclear for a text with a line that GitLab obeys."""
    try:
        command = forge_api.command_in(graphql.json_object(body))
    except RecursionError:
        raise graphql.Unclear("the body is not JSON of a usual depth") from None
    if command:
        raise graphql.Unclear(f"a text with a line that is a command to GitLab ({command[:40]})")


def _method(head: RequestHead) -> str:
    return head.method.decode("ascii", "replace")


_OWN_REMOTE = "use a repository that is a remote of this session; a remote added inside does not make it one"
_WORK = "pull requests, comments, reviews and check runs of this session's repository are open"
_JSON_BODY = "a JSON body whose texts have no line like /merge"
_REST = "the REST API of this session's repository is open, for pull requests, comments and reviews: gh api"


def _refusal(request: _Request, what: str, instead: str = "", config: str = "") -> Problem:
    name = request.grant.name
    if not instead and request.reach.refs:
        instead = f"reading is open, and pushes to {request.reach.refs[0]} of this session's remotes"
    fix = config or f'scope = "any" in [credentials.{name}] of config.toml lends it for everything'
    what = f"{what} is not what the credential {name} is lent for in this session"
    problem = Problem.by_policy(403, RULE, RULE, what, fix)
    problem.instead = instead
    return problem
