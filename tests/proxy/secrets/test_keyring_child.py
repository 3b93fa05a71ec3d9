"""The process that asks the system's keyring: what it says of one that is there, locked, hanging or none."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from clauderon.proxy.secrets import keyring_child
from clauderon.proxy.secrets.ring import CLOSED, NONE, NOT_FOUND
from tests.standins import keyrings

VALUE = "sk-test-not-a-real-key-0001"


def ask(
    environ: Mapping[str, str], operation: str, stdin: str = "", seconds: int = 20
) -> tuple[int, str, str]:
    argv = (sys.executable, "-P", "-m", "clauderon.proxy.secrets.keyring_child")
    words = (operation, "clauderon test", "own", str(seconds))
    root = str(Path(__file__).parents[3])
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": root, **environ}
    done = subprocess.run(
        [*argv, *words], env=environ, input=stdin, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def test_a_secret_is_set_read_and_deleted(tmp_path: Path) -> None:
    environ = keyrings.environment(tmp_path / "ring")
    assert ask(environ, "get")[0] == NOT_FOUND
    assert ask(environ, "set", VALUE) == (0, f"{keyrings.NAME}\n", "")
    assert ask(environ, "get") == (0, VALUE, "")
    assert ask(environ, "delete") == (0, "", "")
    assert ask(environ, "delete")[0] == NOT_FOUND


@pytest.mark.parametrize(
    ("how", "says"),
    [("locked", "is locked"), ("hangs", "does not answer within 1 s"), ("forgets", "give back")],
)
def test_a_keyring_that_is_there_and_cannot_be_used_is_no_missing_one(
    tmp_path: Path, how: str, says: str
) -> None:
    """`hangs` seen to fail without the alarm: it never ended."""
    status, out, error = ask(keyrings.environment(tmp_path / "ring", how), "set", VALUE, seconds=1)
    assert status == CLOSED and says in error
    assert VALUE not in out + error


@pytest.mark.parametrize(
    "backend", ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring", "no.such.Backend", "x"]
)
def test_what_keeps_nothing_is_no_keyring(backend: str) -> None:
    """Seen to fail with the backend taken as it is told: null said that it had kept the secret."""
    status, out, error = ask({"PYTHON_KEYRING_BACKEND": backend}, "set", VALUE)
    assert status == NONE and error.strip()
    assert VALUE not in out + error


def test_a_file_that_says_what_it_holds_is_no_keyring(tmp_path: Path) -> None:
    """`keyrings.alt` keeps them in plain text, or with a key that lies beside them."""
    package = tmp_path / "keyrings" / "alt"
    package.mkdir(parents=True)
    (package / "file.py").write_text(
        "from keyring.backend import KeyringBackend\n"
        "class PlaintextKeyring(KeyringBackend):\n"
        "    priority = 9\n"
        "    def get_password(self, *a): ...\n"
        "    def set_password(self, *a): ...\n"
    )
    root = str(Path(__file__).parents[3])
    environ = {
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "PYTHONPATH": f"{tmp_path}:{root}",
    }
    status, _, error = ask(environ, "set", VALUE)
    assert (status, "keeps no secret safe" in error) == (NONE, True)


def test_without_a_bus_there_is_none() -> None:
    status, out, error = ask({}, "set", VALUE)
    assert status == NONE and len(error.splitlines()) == 1
    assert VALUE not in out + error


def test_a_bus_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    """It lets everybody in, and answers no question. Seen to fail without the alarm: it never ended."""
    os.chdir(tmp_path)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as bus:
        bus.bind("bus")
        bus.listen()

        def let_in() -> None:
            client, _ = bus.accept()
            with client:
                client.recv(4096)
                client.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
                while client.recv(4096):
                    pass

        doorman = threading.Thread(target=let_in, daemon=True)
        doorman.start()
        status, _, error = ask({"XDG_RUNTIME_DIR": str(tmp_path)}, "get")
        doorman.join(60)
    assert status == NONE and f"within {keyring_child.FIND_S} s" in error
