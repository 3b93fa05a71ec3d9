"""The real git pushes through the proxy to the real `git http-backend`: refs change exactly as far as the session may."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clauderon.config import defaults
from clauderon.proxy.policy.session import SessionPolicy
from clauderon.proxy.secrets.credentials import Secret
from clauderon.proxy.secrets.grants import Grants
from tests.proxy import rig as data_plane
from tests.proxy import servers
from tests.proxy.policy.pushes import pkt
from tests.proxy.rig import Rig

TOKEN = "not-a-real-token-for-the-tests-0001"
OWN = "refs/heads/clauderon/one"


@dataclass
class Forge:
    """bare: where the server's repositories are. work: a clone with commits `one` and `two` ahead of `main`."""

    rig: Rig
    site: servers.Site
    work: Path
    environ: dict[str, str]

    def git(self, *argv: str, ok: bool = True) -> str:
        done = subprocess.run(
            ["git", *argv], cwd=self.work, env=self.environ, capture_output=True, text=True, check=False
        )
        assert not ok or done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def refs(self) -> dict[str, str]:
        """Every ref of every repository of the server."""
        found: dict[str, str] = {}
        for bare in sorted(self.site.projects.glob("*/*.git")):
            said = subprocess.run(["git", "-C", str(bare), "for-each-ref", "--format=%(refname) %(objectname)"], env=self.environ,
                                  capture_output=True, text=True, check=True).stdout  # fmt: skip
            found |= {f"{bare.name}:{line.split()[0]}": line.split()[1] for line in said.splitlines()}
        return found

    def changed(self, *argv: str) -> tuple[set[str], str]:
        """What a push changed, and what it said."""
        before = self.refs()
        said = self.git("push", *argv, ok=False)
        after = self.refs()
        return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}, said

    def policy(self, **more: Any) -> SessionPolicy:
        remotes = ("github.com/owner/repo",)
        rights: dict[str, Any] = {"remotes": remotes, "refs": (OWN, "refs/heads/agents/*"), **more}
        return self.rig.policy(**rights)


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    directory, beside = tmp_path_factory.mktemp("forge"), tmp_path_factory.mktemp("rig")
    with servers.serving(directory, TOKEN) as site, data_plane.running(beside) as rig:
        ca = directory / "proxy-ca.pem"
        rig.leaves.ca.cert_pem.write_to_path(str(ca))
        rig.configure(upstream_ca=str(site.ca_file), connect_to={"github.com:443": f"127.0.0.1:{site.port}"})
        rig.grants.real = Grants(defaults().credentials, {"github-git": Secret(TOKEN)})
        made = Forge(rig, site, directory / "work", {})
        port = rig.session(remotes=("github.com/owner/repo",), refs=(OWN, "refs/heads/agents/*"))
        made.environ = {
            "PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C",
            "https_proxy": f"http://127.0.0.1:{port}", "GIT_SSL_CAINFO": str(ca), "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b",
        }  # fmt: skip
        made.work.mkdir()
        made.git("init", "-q", "-b", "main")
        for word in ("zero", "one", "two"):
            (made.work / "file").write_text(word)
            made.git("add", "file")
            made.git("commit", "-qm", word)
        made.git("tag", "v1")
        for name in ("repo", "other"):
            bare = site.projects / "owner" / f"{name}.git"
            made.git("init", "-q", "--bare", str(bare))
            made.git("-C", str(bare), "config", "receive.advertisePushOptions", "true")
            made.git("push", "-q", str(bare), "HEAD~2:refs/heads/main", "HEAD~2:refs/heads/old")
        made.git("remote", "add", "origin", "https://github.com/owner/repo.git")
        yield made


def test_a_session_pushes_to_its_own_branch_and_to_those_that_are_opened(forge: Forge) -> None:
    for argv, ref in (
        (("origin", f"HEAD~1:{OWN}"), OWN),
        (("origin", f"HEAD:{OWN}"), OWN),
        (("--force", "origin", f"HEAD~1:{OWN}"), OWN),
        (
            ("--atomic", "-o", "ci.skip", "https://github.com/owner/repo", "HEAD:refs/heads/agents/a"),
            "refs/heads/agents/a",
        ),
    ):
        changed, said = forge.changed(*argv)
        assert changed == {f"repo.git:{ref}"}, said


def test_everything_else_is_refused_as_git_shows_it(forge: Forge) -> None:
    """Seen to change the refs of each with the scope taken out of the grant."""
    forge.git("push", "-q", "origin", f"HEAD:{OWN}")
    own = "this session pushes to clauderon/one and agents/* alone"
    for argv, reason in (
        (("origin", "HEAD:refs/heads/main"), own),
        (("origin", "HEAD:refs/heads/new"), own),
        (("--force", "origin", "HEAD~1:refs/heads/old"), own),
        (("origin", "v1"), own),
        (("origin", f":{OWN}"), "a session removes no branch"),
        (("origin", ":refs/heads/old"), own),
        (("origin", f"HEAD~1:{OWN}", "HEAD:refs/heads/main", "--force"), own),
        (("--atomic", "origin", "HEAD:refs/heads/agents/b", "HEAD:refs/heads/main"), own),
        (("--mirror", "origin"), own),
        (("origin", "HEAD:HEAD"), own),
        (("--prune", "origin", "refs/heads/*:refs/heads/*"), own),
        (("https://x:y@github.com:443/owner/repo/", "HEAD:main"), own),
        (
            ("-o", "repo.private=false", "origin", f"HEAD~1:{OWN}", "--force"),
            "the push option repo.private is not open",
        ),
    ):
        changed, said = forge.changed(*argv)
        assert not changed, said
        assert "! [remote rejected]" in said and "(clauderon: " in said and reason in said, said
        assert f"remote: instead: git push REMOTE HEAD:{OWN}" in said
    record = forge.rig.records.all[-1]
    assert record.refused and record.rule == "credential-scope" and record.credential is None
    assert record.method == "POST" and record.status == 200


def test_a_large_push_is_judged_before_its_pack(forge: Forge) -> None:
    """git asks with an empty push first, and sends the rest in chunks. Seen to fail with the whole of it waited for."""
    (forge.work / "large").write_bytes(os.urandom(3 << 20))
    forge.git("add", "large")
    forge.git("commit", "-qm", "large")
    asked = len(forge.site.seen)
    changed, said = forge.changed("origin", "HEAD:refs/heads/main")
    assert not changed and "! [remote rejected]" in said, said
    assert [path for _, method, path, _ in forge.site.seen[asked:] if method == "POST"] == [
        "/owner/repo.git/git-receive-pack"
    ]
    changed, said = forge.changed("origin", f"HEAD:{OWN}", "--force")
    assert changed == {f"repo.git:{OWN}"}, said
    posts = [headers for _, method, _, headers in forge.site.seen[asked:] if method == "POST"]
    assert posts[-1]["Transfer-Encoding"] == "chunked"


def test_another_repository_is_fetched_from_and_not_pushed_to(forge: Forge) -> None:
    assert "refs/heads/main" in forge.git("ls-remote", "https://github.com/owner/other.git")
    forge.git("fetch", "-q", "https://github.com/owner/other.git", "main")
    changed, said = forge.changed("https://github.com/owner/other.git", f"HEAD:{OWN}")
    assert not changed
    assert (
        "clauderon: a push to github.com/owner/other.git is not what the credential github-git is lent for"
        in said
    )


def test_a_shallow_clone_pushes_too(forge: Forge) -> None:
    forge.git("clone", "-q", "--depth=1", "https://github.com/owner/repo.git", "../shallow")
    forge.git("-C", "../shallow", "commit", "-q", "--allow-empty", "-m", "more")
    before = forge.refs()
    assert "[new branch]" in forge.git("-C", "../shallow", "push", "origin", "HEAD:refs/heads/agents/shallow")
    assert forge.refs().keys() - before.keys() == {"repo.git:refs/heads/agents/shallow"}
    assert "remote rejected" in forge.git(
        "-C", "../shallow", "push", "origin", "HEAD:refs/heads/new", ok=False
    )


def _requests(forge: Forge, ref: str) -> list[tuple[str, bytes, bytes]]:
    """A delete of `ref`, in words, fields and body: it needs no pack, and whoever understands it does it."""
    old = forge.refs()[f"other.git:{ref}"].encode()
    body = pkt(b"%b %b %b\0report-status" % (old, b"0" * 40, ref.encode())) + b"0000"
    packed = gzip.compress(body)
    chunks = b"".join(b"1\r\n%b\r\n" % body[at : at + 1] for at in range(len(body))) + b"0\r\n\r\n"
    return [
        ("plain", b"Content-Length: %d\r\n" % len(body), body),
        ("chunked", b"Transfer-Encoding: chunked\r\n", chunks),
        ("gzip", b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(packed), packed),
        ("waiting", b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(body), body),
    ]


PATHS = [
    "/owner/other.git", "/owner/other", "/owner/repo/../other", "/owner/repo/../other.git", "/owner/%6fther", "/owner/repo.git/../other.git",
    "/owner%2fother.git", "//owner/other.git", "/owner/./other", "/owner/repo.git/%2e%2e/other.git", "/owner/repo.git/objects/../../other.git",
    "/owner/repo.git/info/../../other", "/OWNER/other.git", "/owner/other.GIT", "/owner/repo/..;/other.git", "/owner/repo\\..\\other.git",
    "/owner/other.git?x=/owner/repo", "/owner/repo%00/../other.git", "/owner/repo%2f..%2fother.git", "/owner/repo/%252e%252e/other.git",
]  # fmt: skip


def test_no_spelling_of_a_path_and_no_form_of_a_body_reaches_another_repository(forge: Forge) -> None:
    """Seen to remove the ref with the check of the repository taken out."""
    before = forge.refs()
    asked = len(forge.site.seen)
    for path in PATHS:
        for what, fields, body in _requests(forge, "refs/heads/old"):
            peer = forge.rig.tunnel("github.com")
            peer.send(
                b"POST %b/git-receive-pack HTTP/1.1\r\nHost: github.com\r\n" % path.encode()
                + b"Content-Type: application/x-git-receive-pack-request\r\n" + fields + b"\r\n" + body
            )  # fmt: skip
            head, _ = peer.message()
            assert head.startswith(b"HTTP/1.1 403 "), (path, what, head)
            peer.close()
    assert forge.refs() == before
    assert len(forge.site.seen) == asked


def test_what_is_asked_for_is_seen_in_every_form_of_a_body(forge: Forge) -> None:
    """A delete of another branch of the own repository. Seen to remove it with the scope taken out of the grant."""
    before = forge.refs()
    asked = len(forge.site.seen)
    for what, fields, body in _requests(forge, "refs/heads/old"):
        peer = forge.rig.tunnel("github.com")
        peer.send(
            b"POST /owner/repo.git/git-receive-pack HTTP/1.1\r\nHost: github.com\r\n"
            b"Content-Type: application/x-git-receive-pack-request\r\n" + fields + b"\r\n" + body
            + b"GET /owner/other.git/info/refs HTTP/1.1\r\nHost: github.com\r\n\r\n"
        )  # fmt: skip
        head, answer = peer.message()
        while head.startswith(b"HTTP/1.1 100 "):
            head, answer = peer.message()
        assert head.startswith(b"HTTP/1.1 200 "), (what, head)
        assert b"X-Clauderon-Refusal: credential-scope" in head and b"ng refs/heads/" in answer
        assert peer.at_end()
        peer.close()
    assert forge.refs() == before
    assert len(forge.site.seen) == asked  # nor was the request behind it taken for another


# How else a delete in the own repository may be asked for: what is behind its path, the method, further fields.
OTHERWISE = [
    *((tail, b"POST", b"") for tail in (b"?service=git-receive-pack", b"/", b";x", b"%20", b"/../git-receive-pack")),
    *((b"", method, b"") for method in (b"post", b"Post", b"PUT", b"GET")),
    *((b"", b"POST", b"Content-Encoding: %b\r\n" % coding) for coding in (b"GZIP", b"deflate", b"br", b"identity", b"gzip, gzip")),
    (b"", b"POST", b"Content-Encoding: gzip\r\nContent-Encoding: identity\r\n"),
]  # fmt: skip


def test_a_push_that_is_asked_for_otherwise_goes_nowhere(forge: Forge) -> None:
    """Seen to fail with the scope taken out of the grant: they reached the server."""
    before = forge.refs()
    asked = len(forge.site.seen)
    old = before["repo.git:refs/heads/old"].encode()
    body = pkt(b"%b %b refs/heads/old\0report-status" % (old, b"0" * 40)) + b"0000"
    for tail, method, fields in OTHERWISE:
        peer = forge.rig.tunnel("github.com")
        peer.send(
            b"%b /owner/repo.git/git-receive-pack%b HTTP/1.1\r\nHost: github.com\r\n" % (method, tail)
            + b"Content-Type: application/x-git-receive-pack-request\r\nContent-Length: %d\r\n" % len(body)
            + fields + b"\r\n" + body
        )  # fmt: skip
        head, _ = peer.message()
        assert head.startswith(b"HTTP/1.1 403 "), (tail, method, fields, head)
        peer.close()
    assert forge.refs() == before
    assert len(forge.site.seen) == asked


def test_sha256_repositories_are_the_same(forge: Forge) -> None:
    bare, work = forge.site.projects / "owner" / "repo.git", forge.work.parent / "sha256"
    aside = bare.rename(bare.with_name("aside"))
    try:
        forge.git("init", "-q", "--bare", "--object-format=sha256", str(bare))
        forge.git("init", "-q", "-b", "main", "--object-format=sha256", str(work))
        forge.git("-C", str(work), "commit", "-q", "--allow-empty", "-m", "x")
        url = "https://github.com/owner/repo.git"
        assert "[new branch]" in forge.git("-C", str(work), "push", url, f"HEAD:{OWN}")
        assert "remote rejected" in forge.git("-C", str(work), "push", url, "HEAD:refs/heads/main", ok=False)
        assert "remote rejected" in forge.git("-C", str(work), "push", url, f":{OWN}", ok=False)
        assert [name for name in forge.refs() if name.startswith("repo.git:")] == [f"repo.git:{OWN}"]
    finally:
        bare.rename(bare.with_name("sha256"))
        aside.rename(bare)


def test_rights_that_change_apply_to_the_next_push(forge: Forge) -> None:
    changed, _ = forge.changed("origin", f"HEAD:{OWN}", "--force")
    forge.rig.call(forge.rig.plane.update_policy, forge.policy(port=forge.rig._ports["one"], remotes=()))
    changed, said = forge.changed("--force", "origin", f"HEAD~1:{OWN}")
    assert not changed and "is not what the credential github-git is lent for" in said
    forge.rig.call(forge.rig.plane.update_policy, forge.policy(port=forge.rig._ports["one"]))
    assert forge.changed("--force", "origin", f"HEAD~1:{OWN}")[0] == {f"repo.git:{OWN}"}
