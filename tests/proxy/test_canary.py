"""Planted credentials are searched for in every place a secret could come to rest."""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from clauderon.errors import ClauderonError
from clauderon.proxy import service
from tests.proxy.service_rig import Service, Upstream, eventually
from tests.standins.cli import Cli

CANARIES = {
    "ANTHROPIC_API_KEY": "sk-ant-test-not-a-real-key-0001",
    "OPENAI_API_KEY": "sk-test-not-a-real-key-0002",
    "GH_TOKEN": "ghp_test_not_a_real_token_0003",
}
FILE_CANARY = "canary-from-a-file-0004"
COMMAND_CANARY = "canary-from-a-command-0005"
PLAIN = [*CANARIES.values(), FILE_CANARY, COMMAND_CANARY]
FORMS = [
    form.encode()
    for secret in PLAIN
    for form in (
        secret,
        base64.b64encode(secret.encode()).decode().rstrip("="),
        base64.b64encode(f"x-access-token:{secret}".encode()).decode(),
        secret.encode().hex(),
        json.dumps(secret)[1:-1],
    )
]


def leaks(data: bytes) -> list[bytes]:
    if data[:2] == b"\x1f\x8b":
        data += gzip.decompress(data)
    return [form for form in FORMS if form in data]


def files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.is_file() and path.parent.name != "secrets":
            yield path


def descendants(pid: int) -> list[int]:
    found = [pid]
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += descendants(int(status.parent.name))
    return found


def test_no_credential_comes_to_rest_anywhere(
    proxy: Service, echo: Upstream, tmp_path: Path, cli: Cli
) -> None:
    command = tmp_path / "print-it"
    command.write_text(f"#!/bin/sh\necho {COMMAND_CANARY}\n")
    command.chmod(0o755)
    (proxy.home.secrets / "mine").write_text(FILE_CANARY)
    (proxy.home.secrets / "mine").chmod(0o600)
    there = f"127.0.0.1:{echo.port}"
    proxy.configure(
        '[credentials.file]\nhosts = ["plain.test"]\nfile = "mine"\n'
        f'[credentials.command]\nhosts = ["command.test"]\ncommand = ["{command}"]\n',
        upstream_ca=str(echo.ca_file),
        connect_to={"api.anthropic.com:443": there, "plain.test:443": there, "command.test:443": there},
    )
    session = proxy.session("one")
    proxy.environ.update(CANARIES)
    running = proxy.ensure()
    assert set(proxy.reload(session.id).held) >= {
        "anthropic",
        "openai",
        "github",
        "github-git",
        "file",
        "command",
    }

    # Used, refused, mistyped, crashed and reloaded: whatever writes something has had its occasion.
    for host in ("api.anthropic.com", "plain.test"):
        assert proxy.request(session, host, "/path?key=value", x_api_key="placeholder")[0] == 200
    assert proxy.request(session, "command.test")[0] == 502  # the upstream's certificate has not that name
    assert any(
        value in header for _, headers, _ in echo.seen for header in headers.values() for value in PLAIN
    )
    eventually(lambda: len(proxy.audit()) >= 3, "the audit")
    good = proxy.home.config.read_text()
    proxy.home.config.write_text("[proxy]\nprot = 1\n")
    os.kill(running.supervisor_pid, signal.SIGHUP)
    eventually(lambda: "prot" in proxy.log(), "the bad configuration is reported")
    proxy.home.config.write_text(good)
    os.kill(running.pid, signal.SIGKILL)
    eventually(lambda: proxy.status().restarts, "the next worker")

    for path in files(proxy.home.root):
        assert leaks(path.read_bytes()) == [], path
    for pid in descendants(running.supervisor_pid):
        for name in ("environ", "cmdline"):
            assert leaks(Path(f"/proc/{pid}/{name}").read_bytes()) == [], (pid, name)
    for argv in (
        ("proxy", "status", "--json"),
        ("proxy", "status"),
        ("proxy", "log", "--json"),
        ("config", "credentials", "--json"),
        ("config", "show", "--json"),
    ):
        answer = cli(*argv, env=CANARIES)
        assert answer.status == 0, answer
        assert leaks(answer.out) + leaks(answer.err) == [], argv


def test_errors_on_the_way_show_no_credential(proxy: Service) -> None:
    proxy.environ["ANTHROPIC_API_KEY"] = CANARIES["ANTHROPIC_API_KEY"] + "\nsecond line"
    proxy.environ["OPENAI_API_KEY"] = CANARIES["OPENAI_API_KEY"] + "\x07"
    proxy.ensure()
    try:
        proxy.reload()
        shown = ""
    except ClauderonError as error:
        shown = f"{error} {error.detail} {error.hint}"
    shown += repr(service.status(proxy.home)) + proxy.log()
    assert leaks(shown.encode()) == []
