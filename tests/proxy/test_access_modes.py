"""What a session that may only read may do, and that a change of its mode holds inside an open tunnel."""

from __future__ import annotations

import pytest

from tests.proxy.peers import GET
from tests.proxy.rig import Rig

# Which requests.

FETCH = b"\r\nContent-Type: application/x-git-upload-pack-request"
READING = [b"GET / HTTP/1.1", b"HEAD / HTTP/1.1", b"OPTIONS / HTTP/1.1", b"GET /o/r.git/info/refs?service=git-upload-pack HTTP/1.1",
           b"POST /o/r.git/git-upload-pack HTTP/1.1%b" % FETCH, b"POST /a/b/c-d_e~.git/git-upload-pack HTTP/1.1%b" % FETCH]  # fmt: skip
CHANGING = [
    b"POST / HTTP/1.1", b"PUT / HTTP/1.1", b"PATCH / HTTP/1.1", b"DELETE / HTTP/1.1", b"get / HTTP/1.1", b"PURGE / HTTP/1.1",
    b"POST /o/r.git/git-receive-pack HTTP/1.1", b"POST /o/r.git/git-upload-pack/ HTTP/1.1",
    b"POST /o/r.git/git-upload-pack?x HTTP/1.1", b"POST /o/r/../git-upload-pack HTTP/1.1",
    b"POST /o//git-upload-pack HTTP/1.1", b"POST /o/%2e%2e/git-upload-pack HTTP/1.1",
    b"POST /o/x%2Fgit-upload-pack HTTP/1.1", b"POST /o/./git-upload-pack HTTP/1.1", b"POST /git-upload-pack HTTP/1.1",
    b"POST /graphql;/git-upload-pack HTTP/1.1", b"GET /o/r.git/info/refs?service=git-receive-pack HTTP/1.1",
    b"GET / HTTP/1.1\r\nX-HTTP-Method-Override: DELETE", b"GET / HTTP/1.1\r\nX_HTTP_Method_Override: DELETE",
    b"GET / HTTP/1.1\r\nx-http_method: DELETE", b"GET / HTTP/1.1\r\nx-method-override: PUT",
    b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket",
]  # fmt: skip


def _request(line: bytes) -> bytes:
    return line + b"\r\nHost: api.test\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("line", READING)
def test_a_read_only_session_may_read(rig: Rig, line: bytes) -> None:
    rig.upstream()
    rig.grants.add("api.test", name="github", git=True)
    rig.session(access_mode="read-only")
    assert rig.ask(_request(line))[0].startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("line", CHANGING)
def test_a_read_only_session_may_not_change_anything(rig: Rig, line: bytes) -> None:
    """Seen to fail when no session was read-only."""
    upstream = rig.upstream()
    rig.grants.add("api.test", name="github")
    rig.session(access_mode="read-only")
    head, body = rig.ask(_request(line))
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"read-only" in body and b"set-access-mode" in body
    assert upstream.seen == b""
    assert rig.audited()[0].rule == "read-only"


@pytest.mark.parametrize("line", CHANGING)
def test_a_read_write_session_may(rig: Rig, line: bytes) -> None:
    rig.upstream()
    rig.grants.add("api.test", name="github", websocket=True)
    assert rig.ask(_request(line))[0].startswith(b"HTTP/1.1 200 ")


def test_read_only_leaves_models_and_hosts_without_a_credential_alone(rig: Rig) -> None:
    rig.upstream("model.test")
    rig.upstream("other.test")
    rig.grants.add("model.test", model_api=True)
    rig.session(access_mode="read-only")
    for host in ("model.test", "other.test"):
        request = b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 0\r\n\r\n" % host.encode()
        assert rig.ask(request, host)[1] == b"ok"


def test_the_access_mode_changes_inside_an_open_tunnel(rig: Rig) -> None:
    rig.upstream()
    rig.grants.add("api.test", name="github")
    client = rig.tunnel()
    post = _request(b"POST / HTTP/1.1")
    client.send(post)
    assert client.message()[1] == b"ok"
    rig.call(rig.plane.update_policy, rig.policy(access_mode="read-only"))
    client.send(post)
    assert client.message()[0].startswith(b"HTTP/1.1 403 ")
    client.send(GET)
    assert client.message()[1] == b"ok", "the tunnel itself goes on"
    rig.call(rig.plane.update_policy, rig.policy())
    client.send(post)
    assert client.message()[1] == b"ok"
