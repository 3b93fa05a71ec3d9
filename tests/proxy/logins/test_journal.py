"""What an issuer answered is taken from the journal whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies

from clauderon.proxy.logins.journal import Answer, Journal, parse

CONTENT = {
    "access_token": "test-not-a-real-token",
    "refresh_token": "test-not-a-real-token-either",
    "expires_in": 3600,
}
BODY = json.dumps(CONTENT).encode()
ANSWERS = {
    "with its length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (BODY[:5], len(BODY) - 5, BODY[5:]),
    "to the end": b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
}


@pytest.mark.parametrize("how", ANSWERS)
def test_an_answer_that_was_cut_anywhere_is_none(how: str) -> None:
    """Seen to fail with what came of a body that broke off."""
    data, whole = ANSWERS[how], Answer(200, CONTENT)
    assert parse(data) == whole
    taken = [cut for cut in range(len(data)) if parse(data[:cut]) not in (None, Answer(200, {}))]
    # The last line of a body in chunks says nothing of what is in it.
    assert all(how == "in chunks" and cut > len(data) - 6 and parse(data[:cut]) == whole for cut in taken)


@given(data=strategies.binary(max_size=300))
def test_no_bytes_in_a_journal_break_anything(data: bytes) -> None:
    parse(data)
    parse(b"HTTP/1.1 200 OK\r\n" + data)


def test_a_journal_is_for_one_refresh_token_and_for_us_alone(tmp_path: Path) -> None:
    """Seen to fail without the token's mark, and with links followed."""
    folder = tmp_path / "client"
    folder.mkdir()
    beside = folder / "auth.json"
    journal = Journal(beside)
    journal.begin("first-test-token")
    journal.take(ANSWERS["with its length"])
    journal.keep()
    assert Journal(beside).left("first-test-token") == Answer(200, CONTENT)
    assert Journal(beside).left("second-test-token") is None
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert b"first-test-token" not in journal.path.read_bytes()
    whole = journal.path.read_bytes()
    journal.end()
    assert list(folder.iterdir()) == []
    # Somebody else's file, or a link to one, is not believed.
    (tmp_path / "planted").write_bytes(whole)
    journal.path.symlink_to(tmp_path / "planted")
    assert Journal(beside).left("first-test-token") is None
    journal.begin("first-test-token")
    assert (tmp_path / "planted").read_bytes() == whole
    journal.end()
