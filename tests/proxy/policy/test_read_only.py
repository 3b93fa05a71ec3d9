"""Ways round `read-only`: what is git's fetch and what is not, other methods in disguise, bodies, models."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clauderon.proxy.http.request import parse_request, request_table
from clauderon.proxy.policy import read_only
from clauderon.proxy.policy.grant import Grant
from clauderon.proxy.secrets.grants import ALWAYS_REMOVED
from tests.proxy.rig import CANARY, Rig

TABLE = request_table(ALWAYS_REMOVED)
GIT = Grant("git", b"authorization", b"Basic x", git=True)
OTHER = Grant("api", b"authorization", b"Bearer x")
MODEL = Grant("model", b"authorization", b"Bearer x", model_api=True)
# As git 2.39 sends it.
FETCH = (
    "POST {path} HTTP/1.1\r\nHost: git.test\r\nUser-Agent: git/2.39.5\r\nAccept-Encoding: deflate, gzip, br, zstd\r\n"
    "Content-Type: application/x-git-upload-pack-request\r\nAccept: application/x-git-upload-pack-result\r\n"
    "Accept-Language: de-DE, *;q=0.9\r\nGit-Protocol: version=2\r\nContent-Length: 165\r\n\r\n"
)
PATHS = ["/o/r/git-upload-pack", "/o/r.git/git-upload-pack", "/r.git/git-upload-pack", "/a/b/c/r.git/git-upload-pack",
         "/org/project/_git/r/git-upload-pack", "/~me/r.git/git-upload-pack", "/o/r+x@1.2_3-4/git-upload-pack"]  # fmt: skip


def _passes(wire: str | bytes, grant: Grant = GIT) -> bool:
    data = wire if isinstance(wire, bytes) else wire.encode()
    return read_only.refused(parse_request(data, TABLE), grant) is None


def _asked(line: str, *fields: str) -> str:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: git.test", *fields, "", ""])


# git's fetch.


@pytest.mark.parametrize("path", PATHS)
def test_gits_fetch_passes(path: str) -> None:
    assert _passes(FETCH.format(path=path))
    assert _passes(FETCH.format(path=path).replace("Content-Length: 165", "Transfer-Encoding: chunked"))
    large = "Content-Encoding: gzip\r\nExpect: 100-continue\r\nAuthorization: Basic eA==\r\nCookie: a=b\r\nContent-Length"
    assert _passes(FETCH.format(path=path).replace("Content-Length", large))
    asked = path.replace("git-upload-pack", "info/refs?service=git-upload-pack")
    assert _passes(_asked(f"GET {asked}", "Git-Protocol: version=2", "Pragma: no-cache"))


@pytest.mark.parametrize(
    "path",
    [
        "/repos/o/r/issues/git-upload-pack", "/git-upload-pack", "/r/git-upload-pack", "//r/git-upload-pack",
        "/o//r.git/git-upload-pack", "/o/r.git//git-upload-pack", "/o/../git-upload-pack", "/o/r/../x.git/git-upload-pack",
        "/o/./git-upload-pack", "/o/%2e%2e/x.git/git-upload-pack", "/o/r%2Egit/git-upload-pack",
        "/o/r%2fgit-upload-pack", "/o/r/git%2Dupload-pack", "/o/r.git/GIT-UPLOAD-PACK", "/o/r.git/git-upload-pack/",
        "/o/r.git/git-upload-pack?", "/o/r.git/git-upload-pack?a=b", "/o/r.git;x/git-upload-pack", "/o/r.GIT/x/git-upload-pack",
        "/o/r/git-upload-pack/../../issues", "/o\\r.git/git-upload-pack", "/o/r.git/git-upload-pack;x",
        "https://git.test/repos/o/r/issues/git-upload-pack", "/api/x/y?/git-upload-pack", "/o/r.git/x/git-upload-pack",
    ],
)  # fmt: skip
def test_a_post_elsewhere_is_no_fetch(path: str) -> None:
    """Seen to fail with the former rule, any path that ends in /git-upload-pack, for the first of these."""
    assert not _passes(FETCH.format(path=path))


@pytest.mark.parametrize("grant", [OTHER, MODEL])
@pytest.mark.parametrize("path", PATHS)
def test_a_fetch_is_for_hosts_that_serve_git(grant: Grant, path: str) -> None:
    """Seen to fail when any POST to a path that ends in git-upload-pack was a fetch."""
    assert not _passes(FETCH.format(path=path), grant)


@pytest.mark.parametrize(
    "kind",
    ["", "application/json", "application/x-www-form-urlencoded", "application/x-git-receive-pack-request",
     "application/x-git-upload-pack-request, application/json", "application/x-git-upload-pack-request; a=b",
     "application/x-git-upload-pack-request\r\nContent-Type: application/json", "Application/X-Git-Upload-Pack-Request"],
)  # fmt: skip
def test_a_fetch_has_gits_content_type(kind: str) -> None:
    """Seen to fail when any POST to a path that ends in git-upload-pack was a fetch."""
    sent = FETCH.format(path="/o/r/git-upload-pack")
    line = f"Content-Type: {kind}\r\n" if kind else ""
    assert not _passes(sent.replace("Content-Type: application/x-git-upload-pack-request\r\n", line))


@pytest.mark.parametrize(
    "field",
    ["X-Original-URL: /user/repos", "X-Rewrite-URL: /user/repos", "X-Forwarded-Host: api.test", "Connection: upgrade\r\nUpgrade: websocket",
     "X-HTTP-Method-Override: PUT", "X-GitHub-Api-Version: 1", "Origin: https://git.test", "X_Original_Url: /x",
     "Content_Type: application/json", "Content-Type : x", "Range: bytes=0-1", "X-Original-Uri: /x"],
)  # fmt: skip
def test_a_fetch_has_no_field_that_git_does_not_send(rig: Rig, field: str) -> None:
    """Seen to fail when any POST to a path that ends in git-upload-pack was a fetch."""
    upstream = rig.upstream("git.test")
    rig.grants.add("git.test", git=True)
    rig.session(access_mode="read-only")
    head, _ = rig.ask(
        FETCH.format(path="/o/r/git-upload-pack").replace("\r\n\r\n", f"\r\n{field}\r\n\r\n").encode(),
        "git.test",
    )
    assert head[9:12] in (b"403", b"400")
    assert upstream.seen == b""


@given(st.text(st.sampled_from("abgit./-_%2eEfF;?&=~\\@"), max_size=30))
@example("o/r.git")
@example("o/..")
def test_no_path_that_a_server_may_read_in_another_way_is_a_fetch(middle: str) -> None:
    """Seen to fail when any POST to a path that ends in git-upload-pack was a fetch."""
    path = f"/{middle}/git-upload-pack"
    names = middle.split("/")
    plain = not set(middle) & set("%;?&=\\") and "" not in names and not {".", ".."} & set(names)
    shaped = len(names) == 2 or names[-1].endswith(".git") or names[-2:-1] == ["_git"]
    assert _passes(FETCH.format(path=path)) == (plain and shaped)


# Another method in disguise.

JOINTS = st.sampled_from(["-", "_", "", "--", "-_", "."])
WORDS = st.sampled_from(
    [["x", "http", "method", "override"], ["x", "http", "method"], ["x", "method", "override"], ["x", "original", "method"],
     ["method"], ["http", "method"], ["x", "forwarded", "method"], ["x", "rest", "method"], ["x", "http", "verb"],
     ["x", "tunneled", "method"], ["x", "request", "method"]]
)  # fmt: skip


@st.composite
def spelt(draw: st.DrawFn) -> str:
    """A name in other letters and joints."""
    joint = draw(JOINTS)
    name = draw(st.sampled_from(["", "_", "__"])) + joint.join(draw(WORDS))
    return "".join(draw(st.sampled_from([c, c.upper()])) for c in name)


@pytest.mark.parametrize("grant", [GIT, OTHER, MODEL], ids=lambda grant: grant.name)
@given(name=spelt(), method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST"]))
def test_no_header_names_another_method(grant: Grant, name: str, method: str) -> None:
    """Seen to fail with the three names that were known before: X-Original-Method passed."""
    assert not _passes(_asked(f"{method} /", f"{name.strip('.') or 'x'}: DELETE"), grant)


@pytest.mark.parametrize("grant", [GIT, OTHER, MODEL], ids=lambda grant: grant.name)
@given(name=spelt(), method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST"]), data=st.data())
def test_no_parameter_names_another_method(grant: Grant, name: str, method: str, data: st.DataObject) -> None:
    """In the query or a path parameter, in any letters and layers of percent-encoding that servers undo.

    Seen to fail without the look at parameters: WordPress takes ?_method=DELETE of a GET.
    """
    layers = data.draw(st.lists(st.booleans(), max_size=4))
    for each in layers:
        name = "".join(f"%{ord(c):02x}" if each or data.draw(st.booleans()) or c == "%" else c for c in name)
    place = data.draw(
        st.sampled_from(["/a?{}=DELETE", "/a?b=c&{}=PUT", "/a;{}=PATCH/b", "/a?b;{}", "/a?{}[]=DELETE"])
    )
    assert not _passes(_asked(f"{method} {place.format(name)}"), grant)


@pytest.mark.parametrize(
    "target",
    ["/", "/method", "/a?payment_method=card&verbose=1", "/a?q=_method", "/a?methods=1", "/a?alt=sse&beta=true", "/a%20b?c=%25",
     "/verb/override?name=method"],
)  # fmt: skip
@pytest.mark.parametrize("grant", [GIT, OTHER, MODEL], ids=lambda grant: grant.name)
def test_what_only_looks_like_it_passes(target: str, grant: Grant) -> None:
    assert _passes(_asked(f"GET {target}", "X-Stainless-Helper-Method: stream", "Accept: */*"), grant)


@pytest.mark.parametrize("body", ["Content-Length: 1", "Transfer-Encoding: chunked", "Content-Length: 00005"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_has_no_body(method: str, body: str) -> None:
    """Which a server may take for a form, with `_method` in it. Seen to fail: a GET with a body passed."""
    assert not _passes(_asked(f"{method} /", body, "Content-Type: application/x-www-form-urlencoded"), OTHER)
    assert _passes(_asked(f"{method} /", "Content-Length: 0"), OTHER)


@pytest.mark.parametrize(
    "target",
    ["/o/r/info/refs?service=git-receive-pack", "/o/r/info/refs?service=git%2dreceive-pack", "/o/r/info%2frefs?service=git-receive-pack",
     "/o/r/info/refs?service=GIT-RECEIVE-PACK", "/o/r/info/refs?a=b;service=git-receive%2Dpack"],
)  # fmt: skip
def test_a_push_is_not_even_announced(target: str) -> None:
    assert not _passes(_asked(f"GET {target}"))


@pytest.mark.parametrize("name", [b"X-Original-Method", b"X_HTTP_Method", b"x-http-verb", b"X-Rewrite-URL"])
def test_an_override_cannot_come_in_a_trailer(rig: Rig, name: bytes) -> None:
    """Seen to fail when only credentials were refused there."""
    upstream = rig.upstream("model.test")
    rig.grants.add("model.test", model_api=True)
    rig.session(access_mode="read-only")
    sent = (
        b"POST / HTTP/1.1\r\nHost: model.test\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n%b: DELETE\r\n\r\n" % name
    )
    assert rig.ask(sent, "model.test")[0].startswith(b"HTTP/1.1 400 ")
    assert name not in upstream.seen


# Models.


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "PURGE", "post", "LINK"])
def test_a_model_is_asked_and_not_changed(rig: Rig, method: str) -> None:
    """A model API has files, fine-tunings and keys of other users of the account as well.

    Seen to fail when a model API could be sent anything.
    """
    upstream = rig.upstream("model.test")
    rig.grants.add("model.test", model_api=True)
    rig.session(access_mode="read-only")
    sent = f"{method} /v1/files/x HTTP/1.1\r\nHost: model.test\r\nContent-Length: 0\r\n\r\n"
    head, body = rig.ask(sent.encode(), "model.test")
    assert head.startswith(b"HTTP/1.1 403 ") and b"set-access-mode" in body
    assert CANARY.encode() not in upstream.seen


@pytest.mark.parametrize(
    "kind",
    ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded;charset=utf-8", "multipart/form-data; boundary=x",
     "MULTIPART/mixed; boundary=x", "text/plain", "", ";", "application/json, multipart/form-data; boundary=x",
     "multipart/form-data; boundary=application/json", "application/json\r\nContent-Type: multipart/form-data; boundary=x",
     "application/json\r\ncontent_type: application/x-www-form-urlencoded", "application/jsonx", "x/json", "+json"],
)  # fmt: skip
def test_a_model_takes_no_form(kind: str) -> None:
    """Each kind of form may hold `_method`. Seen to fail: a multipart one passed, and all but one other type."""
    for body in ("Content-Length: 9", "Transfer-Encoding: chunked"):
        assert not _passes(_asked("POST /v1/files/x", f"Content-Type: {kind}", body), MODEL)
        assert not _passes(_asked("POST /v1/files/x", body), MODEL), "of no type at all"
        assert not _passes(_asked("GET /v1/files/x", body, "Content-Type: application/json"), MODEL)


@pytest.mark.parametrize(
    "kind", ["application/json", "application/JSON; charset=utf-8", "application/vnd.api+json"]
)
def test_a_model_takes_json(kind: str) -> None:
    assert _passes(_asked("POST /v1/messages", f"Content-Type: {kind}", "Content-Length: 9"), MODEL)
    squeezed = ("Content-Encoding: zstd", "Transfer-Encoding: chunked")
    assert _passes(_asked("POST /v1/messages", f"Content-Type: {kind}", *squeezed), MODEL)
    assert _passes(_asked("POST /v1/cancel", "Content-Length: 0"), MODEL)
    assert _passes(_asked("GET /v1/models"), MODEL)


def test_a_refused_fetch_says_what_to_set(rig: Rig) -> None:
    rig.upstream("git.test")
    rig.grants.add("git.test", name="forge")
    rig.session(access_mode="read-only")
    _, body = rig.ask(FETCH.format(path="/o/r/git-upload-pack").encode(), "git.test")
    assert b"set git = true in [credentials.forge]" in body
