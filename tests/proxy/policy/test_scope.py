"""What a credential that is lent for a session's own repositories may be used for, by tables and without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import parse_request, request_table
from clauderon.proxy.policy import repositories, scope
from clauderon.proxy.policy.gate import DocumentGate, Gate, PushGate
from clauderon.proxy.policy.grant import Grant, Scope

REACH = scope.Reach.of(("github.com/owner/repo", "git.test/Group/Sub/Repo"), ("refs/heads/clauderon/one",))
TABLE = request_table([b"authorization"])
PUSH = {"content-type": "application/x-git-receive-pack-request"}
FETCH = {"content-type": "application/x-git-upload-pack-request"}
JSON = {"content-type": "application/json"}


def judge(method: str, target: str, fields: dict[str, str] | None = None, *, host: str = "github.com", body: bool | None = None,
          git: bool = True, reach: scope.Reach = REACH, port: int = 443, **more: object) -> Gate | str | None:  # fmt: skip
    """What may happen: None, a gate, or why not."""
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {host}",
        *(f"{name}: {value}" for name, value in (fields or {}).items()),
    ]
    if body if body is not None else method not in ("GET", "HEAD", "OPTIONS", "DELETE"):
        lines.append("Transfer-Encoding: chunked")
    head = parse_request("\r\n".join([*lines, "", ""]).encode("latin-1"), TABLE)
    grant = Grant("github", b"authorization", b"x", git=git, scope=Scope(**more))  # type: ignore[arg-type]
    try:
        return scope.judge(head, grant, host, port, reach)
    except Problem as problem:
        assert problem.status == 403 and problem.rule == scope.RULE and problem.refused
        return problem.what


# Which repository.

NAMED = [
    ("https://github.com/Owner/Repo.git", "github.com/owner/repo"),
    ("https://user:pw@github.com/owner/repo/", "github.com/owner/repo"),
    ("https://github.com:443/owner/repo", "github.com/owner/repo"),
    ("https://GitHub.com./owner/repo", "github.com/owner/repo"),
    ("https://git.test:8443/a/b.git", "git.test:8443/a/b"),
    ("git@github.com:owner/repo.git", "github.com/owner/repo"),
    ("github.com:owner/repo", "github.com/owner/repo"),
    ("ssh://git@git.test:2222/a/B", "git.test/a/B"),
    ("https://git.test/group/sub/x.git", "git.test/group/sub/x"),
    ("/srv/repo.git", ""), ("../repo", ""), ("file:///srv/repo", ""), ("http://github.com/owner/repo", ""), ("", ""),
    ("https://github.com/", ""), ("https://github.com/.git", ""), ("https://github.com/a/../b", ""), ("https://github.com/a/%2e%2e/b", ""),
    ("https://github.com/a//b", ""), ("https://github.com/a/b?x=1", ""), ("https://github.com/a%2Fb", "github.com/a/b"),
    ("https://127.1/a/b", ""), ("ext::sh -c x", ""), ("https://github.com/a b/c", ""),
]  # fmt: skip


@pytest.mark.parametrize(("url", "form"), NAMED)
def test_each_repository_has_one_form(url: str, form: str) -> None:
    assert repositories.of_url(url) == form


# git.

OWN_PATHS = ["/owner/repo", "/owner/repo.git", "/OWNER/Repo.git", "/owner/REPO"]
OTHER_PATHS = [
    "/owner/other", "/other/repo", "/owner/repo/x", "/owner", "/owner/repo.git.git", "/x/owner/repo", "/owner/./repo", "/owner/../repo",
    "/owner/x/../repo", "/owner//repo", "//owner/repo", "/owner/%72epo", "/owner%2Frepo", "/owner/repo%2Egit", "/owner/repo;x", "/owner/repo%00",
    "/owner/repo/", "/owner/repo.git/.git", "/owner/%2e%2e/owner/repo", "/owner\\repo", "/owner/repo..git", "/owner/rep\xf6",
]  # fmt: skip


@pytest.mark.parametrize("path", OWN_PATHS)
def test_a_push_to_an_own_repository_is_looked_into(path: str) -> None:
    assert judge("GET", f"{path}/info/refs?service=git-receive-pack") is None
    assert isinstance(judge("POST", f"{path}/git-receive-pack", PUSH), PushGate)
    assert isinstance(judge("POST", f"https://github.com{path}/git-receive-pack", PUSH), PushGate)


@pytest.mark.parametrize("path", OTHER_PATHS)
def test_a_push_to_any_other_path_is_refused(path: str) -> None:
    """Those that are some repository's path were seen to pass with the check of the repository taken out."""
    assert isinstance(judge("POST", f"{path}/git-receive-pack", PUSH), str)
    assert isinstance(judge("POST", f"https://github.com{path}/git-receive-pack", PUSH), str)


@pytest.mark.parametrize("tail", ["?x=1", "/", "%2f", "/x", ";x", "?service=git-upload-pack"])
def test_an_own_repository_with_something_behind_is_refused(tail: str) -> None:
    assert isinstance(judge("POST", f"/owner/repo/git-receive-pack{tail}", PUSH), str)


@pytest.mark.parametrize(
    "fields",
    [
        {}, {**PUSH, "content-encoding": "br"}, {**PUSH, "content-encoding": "GZIP"}, {**PUSH, "Content_Encoding": "gzip"},
        {**PUSH, "content-encoding": "gzip, gzip"}, {**PUSH, "x-http-method-override": "PUT"}, {**PUSH, "x-other": "1"},
        {"content-type": "application/x-git-upload-pack-request"}, {**PUSH, "x-original-url": "/other/repo/git-receive-pack"},
        {**PUSH, "x-forwarded-host": "other"},
    ],
)  # fmt: skip
def test_a_push_that_is_not_as_git_sends_it_is_refused(fields: dict[str, str]) -> None:
    """Seen to fail without the look at its fields."""
    assert isinstance(judge("POST", "/owner/repo/git-receive-pack", fields), str)


def test_other_letters_are_another_repository_where_nobody_knows_better() -> None:
    assert isinstance(judge("POST", "/Group/Sub/Repo.git/git-receive-pack", PUSH, host="git.test"), PushGate)
    assert isinstance(judge("POST", "/group/sub/repo.git/git-receive-pack", PUSH, host="git.test"), str)


def test_another_port_is_another_host() -> None:
    assert isinstance(judge("POST", "/owner/repo/git-receive-pack", PUSH, port=8443), str)


def test_the_credentials_own_list_adds_repositories() -> None:
    assert isinstance(judge("POST", "/x/y.git/git-receive-pack", PUSH, repositories=("X/Y",)), PushGate)
    assert isinstance(judge("POST", "/x/z.git/git-receive-pack", PUSH, repositories=("X/Y",)), str)


@pytest.mark.parametrize("path", ["/owner/repo", "/any/thing.git"])
def test_a_fetch_is_lent_wherever_the_token_may(path: str) -> None:
    assert judge("GET", f"{path}/info/refs?service=git-upload-pack") is None
    assert judge("POST", f"{path}/git-upload-pack", {**FETCH, "content-encoding": "gzip"}) is None
    own = path == "/owner/repo"
    assert (judge("GET", f"{path}/info/refs?service=git-upload-pack", fetch="remotes") is None) == own
    assert (judge("POST", f"{path}/git-upload-pack", FETCH, fetch="remotes") is None) == own
    assert (judge("GET", f"{path}/info/refs?service=git-receive-pack") is None) == own


@pytest.mark.parametrize(
    "path",
    [
        "/a/b/archive/x.zip",
        "/a/b/%67it-upload-pack",
        "/a/../owner/repo/info/refs",
        "/x",
        "/graphql",
        "/a/b/info/refs",
    ],
)
def test_with_fetch_remotes_nothing_else_is_read(path: str) -> None:
    assert isinstance(judge("GET", path, fetch="remotes"), str)
    assert judge("GET", path) is None


def test_large_files_go_with_their_repository() -> None:
    assert judge("POST", "/owner/repo.git/info/lfs/objects/batch", JSON) is None
    assert judge("POST", "/owner/repo.git/info/lfs/locks/verify", JSON) is None
    assert isinstance(judge("POST", "/a/b.git/info/lfs/locks", JSON), str)
    for operation, may in (("download", True), ("upload", False), ("Download", False)):
        gate = judge("POST", "/a/b.git/info/lfs/objects/batch", JSON)
        assert isinstance(gate, DocumentGate)
        gate.feed(b'{"operation": "%b", "objects": []}' % operation.encode())
        if may:
            gate.end()
        else:
            with pytest.raises(Problem):
                gate.end()


# The API.

OPEN = [
    ("POST", "pulls"), ("PATCH", "pulls/7"), ("POST", "pulls/7/comments"), ("POST", "pulls/7/comments/1/replies"), ("PATCH", "pulls/comments/1"),
    ("POST", "pulls/7/reviews"), ("PUT", "pulls/7/reviews/1"), ("POST", "pulls/7/reviews/1/events"), ("POST", "pulls/7/requested_reviewers"),
    ("DELETE", "pulls/7/requested_reviewers"), ("POST", "issues/7/comments"), ("PATCH", "issues/comments/1"), ("POST", "commits/abc/comments"),
    ("PATCH", "comments/1"), ("POST", "check-runs"), ("PATCH", "check-runs/1"),
]  # fmt: skip
CLOSED = [
    ("PUT", "pulls/7/merge"), ("PUT", "pulls/7/update-branch"), ("PUT", "pulls/7/reviews/1/dismissals"), ("POST", "merges"), ("PATCH", ""),
    ("DELETE", ""), ("POST", "git/refs"), ("PATCH", "git/refs/heads/main"), ("PUT", "contents/a"), ("PUT", "actions/secrets/A"), ("POST", "hooks"),
    ("POST", "keys"), ("POST", "actions/workflows/ci.yml/dispatches"), ("POST", "dispatches"), ("POST", "forks"), ("POST", "transfer"),
    ("PUT", "collaborators/x"), ("POST", "releases"), ("PUT", "branches/main/protection"), ("DELETE", "issues/comments/1"), ("POST", "issues"),
    ("PATCH", "issues/7"), ("POST", "statuses/abc"), ("POST", "deployments"), ("PUT", "topics"), ("POST", "pulls/"), ("POST", "pulls/7/../../hooks"),
    ("POST", "./pulls"), ("POST", "pulls%2f7%2fmerge"), ("PUT", "pulls/7%2Fmerge"), ("GET2", "pulls"), ("POST", "pulls;/x"), ("CONNECT2", "pulls"),
    ("PROPFIND", "pulls"), ("POST", "pulls/7/merge"), ("PUT", "pulls"), ("POST", "pulls/../hooks"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "rest"), OPEN)
def test_work_on_pull_requests_of_the_own_repository_passes(method: str, rest: str) -> None:
    for prefix, host in (("", "api.github.com"), ("/api/v3", "github.com")):
        assert judge(method, f"{prefix}/repos/Owner/repo/{rest}", JSON, host=host, git=False) is None
        assert isinstance(
            judge(method, f"{prefix}/repos/owner/other/{rest}", JSON, host=host, git=False), str
        )


@pytest.mark.parametrize(("method", "rest"), CLOSED)
def test_whatever_else_changes_something_is_refused(method: str, rest: str) -> None:
    """Seen to pass with every write below the repository open."""
    target = f"/repos/owner/repo/{rest}" if rest else "/repos/owner/repo"
    assert isinstance(judge(method, target, JSON, host="api.github.com", git=False), str)
    assert isinstance(judge(method, f"{target}?x=1", JSON, host="api.github.com", git=False), str)


@pytest.mark.parametrize(
    "target",
    [
        "/repositories/1/pulls", "/repos/owner/repo%2f..%2fother/pulls", "/repos/owner/../owner/other/pulls", "/repos/../repos/owner/other/pulls",
        "/repos//owner/repo/pulls", "/repos/owner/repo/../other/pulls", "/repos/%6fwner/repo/pulls", "//repos/owner/repo/pulls", "/user/repos",
        "/gists", "/orgs/owner/repos", "/repos/owner/repo.git.git/pulls", "/repos/owner/other/repos/owner/repo/pulls", "/", "*",
    ],
)  # fmt: skip
def test_a_write_that_is_not_surely_about_the_own_repository_is_refused(target: str) -> None:
    """Seen to fail with any repository taken for the own one."""
    assert isinstance(judge("POST", target, JSON, host="api.github.com", git=False), str)


@pytest.mark.parametrize(
    "target", ["/repos/owner/repo/pulls?_method=DELETE", "/repos/owner/repo/pulls?x-http-method-override=PUT"]
)
def test_a_method_by_another_way_is_refused(target: str) -> None:
    """Seen to fail without the look for an override."""
    assert isinstance(judge("POST", target, JSON, host="api.github.com", git=False), str)
    assert isinstance(judge("GET", target, host="api.github.com", git=False), str)
    assert isinstance(judge("GET", "/user", JSON, host="api.github.com", git=False, body=True), str)


def test_reading_is_open_everywhere_unless_it_is_narrowed() -> None:
    for target, own in (("/repos/owner/repo/contents/a", True), ("/user", True), ("/repos/a/b", False), ("/search/code?q=x", False),
                        ("/repos/owner/repo/../../a/b", False), ("/repositories/1", False)):  # fmt: skip
        assert judge("GET", target, host="api.github.com", git=False) is None
        assert (judge("GET", target, host="api.github.com", git=False, fetch="remotes") is None) == own


def test_gitlabs_projects_are_named_in_one_segment() -> None:
    own = "/api/v4/projects/Group%2FSub%2fRepo"
    for method, rest, may in (("POST", "merge_requests", True), ("PUT", "merge_requests/1", True), ("PUT", "merge_requests/1/merge", False),
                              ("POST", "merge_requests/1/notes", True), ("POST", "merge_requests/1/discussions/ab/notes", True),
                              ("POST", "hooks", False), ("POST", "variables", False), ("POST", "trigger/pipeline", False)):  # fmt: skip
        assert isinstance(judge(method, f"{own}/{rest}", JSON, host="git.test", git=False), str) != may
        for other in (
            "Group%2FSub%2FOther",
            "1",
            "Group/Sub/Repo",
            "Group%252FSub%252FRepo",
            "Group%2F..%2FRepo",
            "group%2Fsub%2Frepo",
        ):
            assert isinstance(
                judge(method, f"/api/v4/projects/{other}/{rest}", JSON, host="git.test", git=False), str
            )


MERGE = b'{"body": "/merge", "merge_request_diff_head_sha": "ab"}'


@pytest.mark.parametrize(
    ("body", "rest", "fields", "may"),
    [
        (b'{"body": "see /merge, and\\n/usr/bin/x"}', "merge_requests/1/notes", JSON, True),
        (b'{"title": "x", "description": "y", "source_branch": "z"}', "merge_requests", JSON, True),
        (MERGE, "merge_requests/1/notes", JSON, False),
        (MERGE, "merge_requests/1/discussions", JSON, False),
        (b'{"note": "ok\\n /tag v1 text"}', "repository/commits/ab/comments", JSON, False),
        (b'{"description": "ok\\r\\n\\u002fmerge"}', "merge_requests", JSON, False),
        (b'{"x": [{"body": "/target_branch main\\n"}]}', "merge_requests/1/notes", JSON, False),
        (b"body=/merge", "merge_requests/1/notes", {"content-type": "application/x-www-form-urlencoded"}, False),
        (b'{"body": "x", "body": "/merge"}', "merge_requests/1/notes", JSON, False),
        (b"{}", "merge_requests/1/notes?body=/merge", JSON, False),
        (b'{"body": ' + b"[" * 900 + b'"/merge"' + b"]" * 900 + b"}", "merge_requests/1/notes", JSON, False),
        (b'{"body": "' + b"\\n" * 400_000 + b'"}', "merge_requests/1/notes", JSON, True),
    ],
)  # fmt: skip
def test_no_text_merges_at_gitlab(body: bytes, rest: str, fields: dict[str, str], may: bool) -> None:
    """Seen to fail without the gate: GitLab obeys a comment's line, with all the rights of the token."""
    target = f"/api/v4/projects/Group%2FSub%2FRepo/{rest}"
    assert (_ask(body, target, fields, host="git.test") is None) == may


def _ask(
    body: bytes,
    target: str = "/graphql",
    fields: dict[str, str] | None = None,
    host: str = "api.github.com",
    **more: object,
) -> str | None:
    gate = judge("POST", target, fields or JSON, host=host, git=False, **more)  # type: ignore[arg-type]
    if gate is None or isinstance(gate, str):
        return gate
    try:
        for at in range(0, len(body), 7):
            assert gate.feed(body[at : at + 7]) is False
        gate.end()
    except Problem as problem:
        return problem.what
    return None


def test_graphql_may_ask_and_not_change() -> None:
    """Seen to fail with every mutation allowed."""
    assert _ask(b'{"query": "{ viewer { login } }"}') is None
    assert "mergePullRequest" in (_ask(b'{"query": "mutation { mergePullRequest(input: {}) { x } }"}') or "")
    assert "mergePullRequest" in (
        _ask(b'{"query": "mutation { addComment: mergePullRequest }"}', mutations=("addComment",)) or ""
    )
    assert _ask(b'{"query": "mutation { addComment(input: {}) { x } }"}', mutations=("addComment",)) is None
    assert "not clear" in (_ask(b'{"id": "abc"}') or "")
    assert "not clear" in (_ask(b"x" * ((1 << 20) + 1)) or "")
    for fields in ({"content-type": "application/x-www-form-urlencoded"}, {**JSON, "content-encoding": "gzip"}, {"x": "y"},
                   {"content-type": "application/json; charset=utf-16"}, {**JSON, "Content_Type": "text/plain"}):  # fmt: skip
        assert _ask(b'{"query": "{a}"}', fields=fields) is not None
    for target in ("/graphql?query=%7Ba%7D", "/GraphQL?id=1"):
        assert isinstance(judge("POST", target, JSON, host="api.github.com", git=False), str)
    for target, may in (
        ("/graphql?query=%7Ba%7D", True),
        ("/graphql?query=mutation%7Ba%7D", False),
        ("/graphql/?id=1", False),
        ("/graphql", True),
    ):
        assert (judge("GET", target, host="api.github.com", git=False) is None) == may
    assert isinstance(_ask(b'{"query": "{a}"}', fetch="remotes"), str)


_SEGMENT = st.text("abAB./%2eF-;\\\x7f ~", max_size=6)
# The own path, or what it is made of, comes often: of any text hardly one leads there.
_BEGIN = st.sampled_from(["", "a/", "a/b", "a/b/", "a/b.git/"])
_OFTEN = st.sampled_from(["a", "b", "b.git", "c", "..", ".", "", "%2e%2e", "b%2f..", "b;x", "..;", "%61"])


@given(begin=_BEGIN, path=st.lists(_OFTEN | _SEGMENT, max_size=4).map("/".join))
def test_no_spelling_of_another_place_passes_for_the_own_one(begin: str, path: str) -> None:
    """Whatever passes as a push is, decoded and resolved in any way, the session's own repository.

    Seen to fail with the beginning of a path compared.
    """
    reach = scope.Reach.of(("git.test/a/b",), ())
    target = "/" + begin + path.replace(" ", "") + "/git-receive-pack"
    if "\x7f" in target:
        return
    found = judge("POST", target, PUSH, host="git.test", reach=reach)
    if not isinstance(found, str):
        assert target in ("/a/b/git-receive-pack", "/a/b.git/git-receive-pack")
