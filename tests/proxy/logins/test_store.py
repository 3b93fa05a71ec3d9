"""Where a login lies: read whole or not at all, and replaced so that a kill at any moment leaves a whole one."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.logins.store import MOST_BYTES, BadLogin, InFile, InKeychain, parse

SECRET = "test-not-a-real-token-0001"
CONTENT = {"token": SECRET, "text": "\u00e9\u2028"}


@pytest.fixture
def store(tmp_path: Path) -> InFile:
    path = tmp_path / "auth.json"
    path.write_text(json.dumps(CONTENT))
    path.chmod(0o600)
    return InFile(path)


def refusal(store: InFile) -> str:
    with pytest.raises(BadLogin) as caught:
        store.read()
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_what_is_there_is_read(store: InFile) -> None:
    assert store.read() == CONTENT
    assert store.place == str(store.beside)


def test_no_file_is_no_login_and_no_error(tmp_path: Path) -> None:
    assert InFile(tmp_path / "gone.json").read() is None
    (tmp_path / "file").touch()
    assert InFile(tmp_path / "file/auth.json").read() is None


@pytest.mark.parametrize("data", [b"", b" \n"])
def test_an_empty_file_is_no_login(store: InFile, data: bytes) -> None:
    store.beside.write_bytes(data)
    assert store.read() is None


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"{", "not JSON"), (b"[" * 100_000, "not JSON"), (b"[]", "not a JSON object"), (b"\xff", "not JSON"),
     (b"x" * (MOST_BYTES + 1), "more than")],
)  # fmt: skip
def test_what_is_no_login_is_refused_in_words(store: InFile, data: bytes, why: str) -> None:
    store.beside.write_bytes(data)
    assert why in refusal(store)


@given(st.binary())
def test_any_bytes_are_an_object_nothing_or_a_word_of_ours(data: bytes) -> None:
    try:
        found = parse(data)
    except BadLogin:
        return
    assert found is None or isinstance(found, dict)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_to_is_refused_with_what_to_type(store: InFile, mode: int) -> None:
    """Whoever may write it decides as whom the sessions work. Reading is the client's own affair."""
    store.beside.chmod(mode)
    assert refusal(store).endswith(f"chmod 600 {store.beside}")
    store.beside.chmod(0o644)
    assert store.read() == CONTENT


def test_a_file_of_another_user_is_refused(store: InFile) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root to give a file away")
    os.chown(store.beside, 65534, 65534)
    assert "another user" in refusal(store)


def test_a_pipe_is_refused_and_not_waited_for(store: InFile) -> None:
    """Seen to hold `create` up for ever with an open that waits."""
    store.beside.unlink()
    os.mkfifo(store.beside)
    assert "not a file" in refusal(store)


def test_it_is_replaced_in_one_step_with_the_owner_and_the_mode_it_had(store: InFile) -> None:
    store.beside.chmod(0o640)
    inode = store.beside.stat().st_ino
    store.replace({"token": "new"})
    status = store.beside.stat()
    assert store.read() == {"token": "new"}
    assert (stat.S_IMODE(status.st_mode), status.st_ino != inode) == (0o640, True)
    assert [path.name for path in store.beside.parent.glob("auth.json*")] == ["auth.json"]


def test_a_replacement_that_breaks_off_leaves_what_was_there(
    store: InFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to leave an empty file where the file itself is written to."""

    def broken(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("clauderon.proxy.logins.store.os.fsync", broken)
        with pytest.raises(OSError, match="No space"):
            store.replace({"token": "new"})
    assert store.read() == CONTENT
    store.replace({"token": "new"})  # over the draft that was left
    assert store.read() == {"token": "new"}


def test_a_draft_that_is_a_link_is_not_followed(store: InFile, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    store.beside.with_name("auth.json.clauderon-draft").symlink_to(victim)
    store.replace({"token": "new"})
    assert (victim.read_text(), store.read()) == ("kept", {"token": "new"})


def test_a_link_stays_a_link_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/auth.json").write_text("{}")
    (tmp_path / "auth.json").symlink_to("real/auth.json")
    InFile(tmp_path / "auth.json").replace(CONTENT)
    assert (tmp_path / "auth.json").is_symlink()
    assert json.loads((tmp_path / "real/auth.json").read_text()) == CONTENT


def test_a_login_that_was_removed_meanwhile_is_not_brought_back(tmp_path: Path) -> None:
    """Its person has logged out."""
    with pytest.raises(OSError, match="No such file"):
        InFile(tmp_path / "auth.json").replace(CONTENT)
    assert list(tmp_path.glob("auth.json*")) == []


def test_the_keychain_is_read_and_written_without_a_word_in_an_argv(tmp_path: Path) -> None:
    """A stand-in for macOS's `security`. Seen to fail with the login as a word of `add-generic-password`."""
    item, said = tmp_path / "item", tmp_path / "said"
    program = tmp_path / "security"
    program.write_text(
        f'#!/bin/sh\necho "$@" >>{said}\n'
        f"case $1 in -i) cat >{tmp_path}/line ;; *) [ -f {item} ] || exit 44; cat {item} ;; esac\n",
    )
    program.chmod(0o755)
    store = InKeychain("Claude Code-credentials", tmp_path / ".claude/.credentials.json", "me", str(program))
    assert store.read() is None
    item.write_text(json.dumps(CONTENT))
    assert store.read() == CONTENT
    store.replace(CONTENT)
    line = (tmp_path / "line").read_text()
    assert line.startswith('add-generic-password -U -a "me" -s "Claude Code-credentials" -X "')
    assert json.loads(bytes.fromhex(line.split('"')[-2])) == CONTENT
    assert SECRET not in said.read_text()
    assert json.dumps(CONTENT).encode().hex() not in said.read_text()


@pytest.mark.parametrize("servers", [0, 40], ids=["short", "with the logins of many MCP servers"])
def test_a_login_in_the_keychain_is_replaced_however_long_it_is(tmp_path: Path, servers: int) -> None:
    """A stand-in that reads a line as macOS's does. Seen to fail: a long login was refused for ever."""
    item, program = tmp_path / "item", tmp_path / "security"
    program.write_text(
        f"#!{sys.executable}\nimport shlex, sys\nwords = sys.argv[1:]\n"
        "if words == ['-i']: words = shlex.split(sys.stdin.buffer.read(4096).decode())\n"
        f"if words[0] == 'find-generic-password': print(open({str(item)!r}).read())\n"
        f"else: open({str(item)!r}, 'w').write(words[words.index('-X') + 1])\n"
    )
    program.chmod(0o755)
    store = InKeychain("Claude Code-credentials", tmp_path / ".claude/.credentials.json", "me", str(program))
    content = {**CONTENT, "mcpOAuth": {f"server {number}": {"kept": "x" * 50} for number in range(servers)}}
    store.replace(content)
    # And printed in hexadecimal, as the real one does where it is not ASCII.
    assert store.read() == content


def test_a_keychain_that_does_not_take_it_is_an_error_without_a_word_of_it(tmp_path: Path) -> None:
    program = tmp_path / "security"
    program.write_text("#!/bin/sh\ncat >/dev/null; exit 1\n")
    program.chmod(0o755)
    with pytest.raises(OSError, match="keychain did not take it") as caught:
        InKeychain("item", tmp_path, "me", str(program)).replace(CONTENT)
    assert SECRET.encode().hex() not in str(caught.value)
