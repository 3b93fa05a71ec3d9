"""The control endpoint: for its owner alone, and it quotes nothing that it cannot read."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proxy.service_rig import CANARY, Service, eventually


def test_files_and_socket_are_the_owners_alone(pointed: Service) -> None:
    pointed.environ["ANTHROPIC_API_KEY"] = CANARY
    session = pointed.session("one")
    pointed.ensure()
    pointed.request(session, "api.anthropic.com")
    eventually(pointed.audit)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (
            pointed.home.control_socket,
            pointed.home.ca_key,
            pointed.home.audit,
            pointed.home.logs / "proxy.log",
            pointed.home.locks / "proxy.lock",
        )
    }
    assert set(modes.values()) == {0o600}, modes


def test_control_answers_its_owner_only(proxy: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root to become somebody else")
    proxy.ensure()
    # As if a careless chmod had opened the way.
    for path in [proxy.home.root, *proxy.home.root.parents]:
        if path == Path("/tmp"):
            break
        path.chmod(path.stat().st_mode | 0o755)
    proxy.home.control_socket.chmod(0o666)
    script = (
        "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); os.chdir(sys.argv[1]); s.connect('proxy.sock')\n"
        "s.sendall(b'GET /status HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'); print(s.recv(65536).decode())"
    )
    argv = [sys.executable, "-I", "-c", script, str(proxy.home.root)]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert " 403 " in answer.stdout, answer
