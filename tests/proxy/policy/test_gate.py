"""What a push asks for is known before its pack comes, however it is cut, and a refusal is one that git reads."""

from __future__ import annotations

import gzip
import itertools
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clauderon.proxy.http.problem import Problem
from clauderon.proxy.policy import graphql
from clauderon.proxy.policy.gate import DocumentGate, PushGate
from clauderon.proxy.policy.receive_pack import MOST_BYTES
from tests.proxy.policy.pushes import NEW, NONE, OLD, OWN, PACK, certificate, pkt, push


def outcome(
    body: bytes, cuts: list[int], *, refs: tuple[str, ...] = (OWN.decode(),), coding: bytes = b""
) -> Any:
    """What the gate says: True (sent on, at which byte it was sure), or the problem's answer."""
    gate = PushGate(refs, "github.test/o/r", coding)
    edges = sorted({0, *(cut % (len(body) + 1) for cut in cuts), len(body)})
    try:
        for first, last in itertools.pairwise(edges):
            if gate.feed(body[first:last]):
                return True
        gate.end()
    except Problem as problem:
        return (problem.status, problem.what, problem.answer)
    return True


# git reads an option there, and a reader that has not seen the capability a pack.
HIDDEN_OPTION = pkt(b"repo.private=false") + b"0000" + PACK
ALLOWED = {
    "a push": push(OWN),
    "a new branch": push(OWN, old=NONE),
    "sha256": push(OWN, old=b"a" * 64, new=b"b" * 64),
    "atomic, quiet": push(OWN, more=b" atomic quiet"),
    "push options": push(OWN, options=(b"ci.skip", b"merge_request.title=a b\n")),
    "a shallow clone": push(OWN, before=(b"shallow " + OLD, b"shallow " + NEW + b"\n")),
    "signed": certificate(OWN),
    "signed, with options": certificate(OWN, head=b"push-option ci.skip\n"),
    "the probe": b"0000",
    "without a pack": push(OWN, pack=b""),
}
REFUSED = {
    "another branch": push(b"refs/heads/main"),
    "a tag": push(b"refs/tags/v1"),
    "a tag of the branch's name": push(b"refs/tags/clauderon/one"),
    "another case": push(b"refs/heads/Clauderon/one"),
    "below it": push(OWN + b"/x"),
    "what begins with it": push(OWN + b"x"),
    "a delete": push(OWN, new=NONE),
    "a delete of what is not there": push(OWN, old=NONE, new=NONE),
    "a delete in sha256": push(OWN, old=b"a" * 64, new=b"0" * 64),
    "two, one not open": push(OWN, b"refs/heads/main"),
    "two, the other way": push(b"refs/heads/main", OWN),
    "for review": push(b"refs/for/main"),
    "a name with a newline": push(OWN + b"\n"),
    "a name with a space": push(OWN + b" x"),
    "not below refs": push(b"HEAD"),
    "old and new of two kinds": push(OWN, new=b"b" * 64),
    "an option that merges": push(OWN, options=(b"merge_request.merge_when_pipeline_succeeds",)),
    "an option that changes a setting": push(OWN, options=(b"ci.skip", b"repo.private=false")),
    "a description that GitLab obeys": push(OWN, options=(b"merge_request.description=x\\n/target_branch prod",)),
    "signed, another branch": certificate(b"refs/heads/main"),
    "signed, two": certificate(OWN, b"refs/heads/main"),
    "signed, with an option that merges": certificate(OWN, head=b"push-option merge_request.auto_merge\n"),
    "signed, and a command beside": certificate(OWN).replace(b"0000PACK", pkt(b"%b %b refs/heads/main" % (OLD, NEW)) + b"0000PACK"),
    "signed, its end without a newline": certificate(OWN).replace(pkt(b"push-cert-end\n"), pkt(b"push-cert-end")),
    "signed, a command behind the signature": certificate(OWN).replace(b"0008abc\n", pkt(b"-----BEGIN PGP SIGNATURE-----\n")),
    "the probe, and a push behind it": b"0000" + push(b"refs/heads/main"),
    "a delimiter instead of a flush": push(OWN).replace(b"0000PACK", b"0001PACK"),
    "options, the capability with a value": push(OWN, more=b" push-options=1", pack=HIDDEN_OPTION),
    "options, the capability before another NUL": push(OWN, more=b" push-options\0x", pack=HIDDEN_OPTION),
    "options, the capability before a control character": push(OWN, more=b" push-options\x01", pack=HIDDEN_OPTION),
    "options, the capability behind a form feed": push(OWN, more=b" x\x0cpush-options", options=(b"ci.skip",)),
    "shallow with a NUL": push(OWN, before=(b"shallow " + OLD + b"\0push-options",)),
    "an error": pkt(b"ERR no") + push(OWN),
    "a length with a sign": b"+04f" + push(OWN)[4:],
    "a length that is too long": b"ffff" + push(OWN)[4:],
    "nothing": b"",
    "half of it": push(OWN)[:60],
    "no flush": push(OWN, pack=b"")[:-4],
    "gzip that nobody said": gzip.compress(push(OWN)),
}  # fmt: skip


@pytest.mark.parametrize("what", ALLOWED)
def test_a_push_to_the_own_branch_passes(what: str) -> None:
    assert outcome(ALLOWED[what], []) is True


@pytest.mark.parametrize("what", REFUSED)
def test_any_other_push_is_refused(what: str) -> None:
    """Seen to pass with the line that refuses it taken out: options, deletes, what is beside a signature."""
    assert outcome(REFUSED[what], []) is not True


@pytest.mark.parametrize("body", [*ALLOWED.values(), *REFUSED.values()], ids=[*ALLOWED, *REFUSED])
def test_it_says_the_same_when_it_is_cut_at_any_byte(body: bytes) -> None:
    """Seen to fail with the first piece taken for all."""
    whole = outcome(body, [])
    for at in range(len(body)):
        assert outcome(body, [at]) == whole, at


@settings(max_examples=60)
@given(
    body=st.sampled_from([*ALLOWED.values(), *REFUSED.values()]),
    cuts=st.lists(st.integers(0, 2000), max_size=40),
)
@example(body=push(OWN), cuts=list(range(600)))
def test_it_says_the_same_in_pieces_of_any_size(body: bytes, cuts: list[int]) -> None:
    """Seen to fail with the first piece taken for all."""
    assert outcome(body, cuts) == outcome(body, [])
    packed = gzip.compress(body)
    assert (outcome(packed, cuts, coding=b"gzip") is True) == (outcome(body, []) is True)


def test_a_bomb_is_not_inflated_beyond_what_a_push_may_say() -> None:
    """Seen to fail with a piece inflated whole, however much it becomes."""
    line = pkt(b"shallow " + OLD)
    bomb = gzip.compress(line * (64 * MOST_BYTES // len(line)))
    tracemalloc.start()
    try:
        assert "bytes before its pack" in outcome(bomb, [], coding=b"gzip")[1]
        assert tracemalloc.get_traced_memory()[1] < 16 * MOST_BYTES
    finally:
        tracemalloc.stop()


def test_gzip_that_is_broken_or_followed_by_more_is_refused() -> None:
    packed = gzip.compress(push(OWN))
    assert outcome(packed, [], coding=b"gzip") is True
    assert outcome(packed[:40], [], coding=b"gzip") is not True
    assert outcome(b"x" + packed, [], coding=b"gzip") is not True
    assert (
        outcome(gzip.compress(push(OWN)[:30]) + gzip.compress(push(OWN)[30:]), [], coding=b"gzip") is not True
    )


@pytest.mark.parametrize(
    ("pattern", "ref", "may"),
    [
        ("refs/heads/agents/*", b"refs/heads/agents/a", True),
        ("refs/heads/agents/*", b"refs/heads/agents/a/b", True),
        ("refs/heads/agents/*", b"refs/heads/agents/", False),
        ("refs/heads/agents/*", b"refs/heads/agents", False),
        ("refs/heads/agents/*", b"refs/heads/agents/a..b", False),
        ("refs/heads/*-agent", b"refs/heads/x-agent", True),
        ("refs/heads/*-agent", b"refs/heads/-agent", False),
        ("refs/heads/a*a", b"refs/heads/a", False),
        ("refs/tags/v1", b"refs/tags/v1", True),
        ("refs/tags/v1", b"refs/tags/v10", False),
    ],
)
def test_more_refs_are_opened_as_refspecs_are_written(pattern: str, ref: bytes, may: bool) -> None:
    assert (outcome(push(ref), [], refs=(OWN.decode(), pattern)) is True) == may
    assert outcome(push(ref, new=NONE), [], refs=(pattern,)) is not True  # deletes never


def test_a_refusal_names_every_ref_the_way_git_reads_it() -> None:
    status, what, answer = outcome(push(OWN, b"refs/heads/main"), [])
    assert status == 200 and "refs/heads/main" in what
    kind, body = answer
    assert kind == "application/x-git-receive-pack-result"
    assert b"\x01000eunpack ok\n" in body and body.endswith(b"00000000")
    assert b"ng refs/heads/main clauderon: this session pushes to clauderon/one alone" in body
    assert b"ng %b clauderon: another ref of the same push is refused" % OWN in body


def test_a_client_that_reads_no_report_is_told_by_status() -> None:
    line = b"%b %b refs/heads/main\0quiet" % (OLD, NEW)
    status, _, answer = outcome(pkt(line) + b"0000" + PACK, [])
    assert (status, answer) == (403, None)


def unclear(what: str) -> Problem:
    return Problem.by_policy(403, "x", "x", f"not clear: {what}")


def document(body: bytes, pieces: int = 1) -> list[bytes]:
    """What the check was given, a body's pieces fed one by one."""
    seen: list[bytes] = []
    gate = DocumentGate(seen.append, unclear)
    for at in range(0, len(body), pieces):
        assert gate.feed(body[at : at + pieces]) is False
        assert seen == []
    gate.end()
    return seen


@given(body=st.binary(max_size=200), pieces=st.integers(1, 50))
def test_a_document_is_looked_at_whole_and_once(body: bytes, pieces: int) -> None:
    assert document(body, pieces) == [body]


def test_a_document_of_more_than_a_mebibyte_is_refused_before_it_is_whole() -> None:
    gate = DocumentGate(lambda _body: None, unclear)
    gate.feed(b"x" * (1 << 20))
    with pytest.raises(Problem, match="more than 1048576 bytes"):
        gate.feed(b"x")


def test_what_the_check_cannot_read_is_refused_in_its_own_words() -> None:
    def check(_body: bytes) -> None:
        raise graphql.Unclear("two of a name")

    with pytest.raises(Problem, match="not clear: two of a name"):
        DocumentGate(check, unclear).end()
