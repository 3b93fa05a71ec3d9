"""What a request to a forge's API is about, by tables: one repository or none, and never another one's name."""

from __future__ import annotations

import json
import re
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.policy import forge_api

_SEGMENT = st.from_regex(r"[A-Za-z0-9._~+@-]{1,12}", fullmatch=True).filter(
    lambda text: text not in (".", "..")
)


@pytest.mark.parametrize(
    ("path", "kind", "repository", "rest"),
    [
        (b"/repos/o/r", "github", "o/r", ""),
        (b"/repos/o/r/pulls/7", "github", "o/r", "pulls/7"),
        (b"/api/v3/repos/o/r/pulls", "github", "o/r", "pulls"),
        (b"/api/v1/repos/o/r.git/pulls", "github", "o/r.git", "pulls"),
        (b"/api/v4/projects/o%2Fr/merge_requests", "gitlab", "o/r", "merge_requests"),
        (b"/api/v4/projects/o%2fsub%2Fr", "gitlab", "o/sub/r", ""),
    ],
)
def test_a_path_is_about_one_repository(path: bytes, kind: str, repository: str, rest: str) -> None:
    assert forge_api.about(path) == forge_api.About(kind, repository, rest)


@pytest.mark.parametrize(
    "path",
    [
        b"/", b"/repos", b"/repos/o", b"/repos/o/", b"/repos//r", b"/repos/../r", b"/repos/o/..", b"/repos/o/r/", b"/repos/o/r/../x",
        b"/repos/o/r//pulls", b"/repos/o/r/./pulls", b"/repos/%6f/r", b"/repos/o/r%2fx", b"/api/v2/repos/o/r", b"/x/repos/o/r",
        b"/repos/o/r/pulls?x=1", b"/repos/o/r;x", b"/repositories/1/pulls",
        b"/api/v4/projects/1/hooks", b"/api/v4/projects/o/r", b"/api/v4/projects/o%2F..%2Fr", b"/api/v4/projects/o%252Fr",
        b"/api/v4/projects/%2Fr", b"/api/v4/projects/o%2F", b"/api/v4/projects/o%2Fr%2F..", b"/api/v3/projects/o%2Fr",
    ],
)  # fmt: skip
def test_what_is_not_sure_to_be_about_one_is_about_none(path: bytes) -> None:
    assert forge_api.about(path) is None


@given(owner=_SEGMENT, name=_SEGMENT, rest=st.lists(_SEGMENT, max_size=3))
def test_the_repository_is_the_one_that_the_path_names(owner: str, name: str, rest: list[str]) -> None:
    """Both forges' ways to write it, read back by nothing but the standard library."""
    tail = "/".join(rest)
    github = "/".join(["/repos", owner, name, *rest])
    assert forge_api.about(github.encode()) == forge_api.About("github", f"{owner}/{name}", tail)
    project = urllib.parse.quote(f"{owner}/{name}", safe="._~+@-")
    gitlab = "/".join(["/api/v4/projects", project, *rest])
    assert forge_api.about(gitlab.encode()) == forge_api.About("gitlab", f"{owner}/{name}", tail)


@given(st.binary(max_size=80) | st.from_regex(rb"/(repos|api/v4/projects)/[ -~]{0,40}", fullmatch=True))
def test_no_path_is_about_a_repository_that_has_a_dot_segment(path: bytes) -> None:
    found = forge_api.about(path)
    if found is not None:
        assert not {".", "..", ""} & set(found.path.split("/"))
        assert not {".", ".."} & set(found.rest.split("/"))


@pytest.mark.parametrize(
    ("kind", "method", "rest", "may"),
    [
        ("github", b"POST", "pulls", True),
        ("github", b"post", "pulls", False),
        ("github", b"PUT", "pulls/7/merge", False),
        ("github", b"DELETE", "pulls/7/requested_reviewers", True),
        ("github", b"POST", "merge_requests", False),
        ("gitlab", b"POST", "merge_requests", True),
        ("gitlab", b"PUT", "merge_requests/7/merge", False),
        ("gitlab", b"POST", "pulls", False),
        ("gitlab", b"POST", "issues/7/notes", True),
        ("gitlab", b"\xff", "issues/7/notes", False),
    ],
)
def test_work_on_pull_requests_is_told_from_the_rest(kind: str, method: bytes, rest: str, may: bool) -> None:
    assert forge_api.About(kind, "o/r", rest).is_open_write(method) is may


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("/merge", "/merge"),
        ("x\n/merge", "/merge"),
        ("x\r/merge now", "/merge"),
        ("x\u2028  /tag v1", "/tag"),
        ("x\\n/merge", "/merge"),
        ("see /merge", ""),
        ("/usr/bin/x", ""),
        ("", ""),
        ({"a": [{"b": "ok"}, "\n/close"]}, "/close"),
        ({"/merge": 1}, ""),
        (7, ""),
        (None, ""),
    ],
)
def test_a_line_that_gitlab_obeys_is_found_in_any_text_of_a_document(text: object, line: str) -> None:
    assert forge_api.command_in(text) == line


@given(before=st.text(max_size=20), end=st.sampled_from(["\n", "\r", "\r\n", "\v", "\f", "\x85", "\u2028", "\u2029"]),
       space=st.sampled_from(["", " ", "\t", "\u3000", "\xa0"]))  # fmt: skip
def test_no_end_of_a_line_hides_a_command(before: str, end: str, space: str) -> None:
    body = json.loads(json.dumps({"body": f"{before}{end}{space}/merge"}))
    assert forge_api.command_in(body)


@pytest.mark.parametrize(
    ("host", "of"),
    [("api.github.com", "github.com"), ("uploads.github.com", "github.com"), ("git.test", "git.test"),
     ("api.git.test", "git.test"), ("apis.git.test", "apis.git.test")],
)  # fmt: skip
def test_the_host_of_an_api_has_its_repositories_beside_it(host: str, of: str) -> None:
    assert forge_api.forge(host) == of


@pytest.mark.parametrize(
    ("path", "neutral", "graphql"),
    [(b"/user", True, False), (b"/rate_limit", True, False), (b"/users", False, False), (b"/user/repos", False, False),
     (b"/graphql", False, True), (b"/api/GraphQL/", False, True), (b"/graphql/x", False, False)],
)  # fmt: skip
def test_a_path_about_nobodys_repository_and_one_of_graphql(
    path: bytes, neutral: bool, graphql: bool
) -> None:
    assert (forge_api.is_neutral(path), forge_api.is_graphql(path)) == (neutral, graphql)
    assert not (neutral and re.match(rb"/(repos|api/v4/projects)/", path))
