"""Many sessions without an engine: rows, a docker that answers from files and notes what it was asked, an audit, usage."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clauderon import config, names, spec
from clauderon.docker import Docker
from clauderon.output import Output
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session.context import Context
from clauderon.store import Store
from clauderon.usage_journal import Journal
from tests.standins.repository import git

_DOCKER = """#!/bin/sh
here='{here}'
printf '%s\\n' "$*" >>"$here/asked"
for last do :; done
case "$*" in *label=clauderon.session=*) exit 0 ;; esac
case "$1 $2" in
'container ls') cat "$here/containers" ;;
'stats --no-stream') cat "$here/stats" ;;
logs*) cat "$here/logs-$last" 2>/dev/null || exit 0 ;;
esac
"""


class Fleet:
    """`docker` is in `bin`, to be put first on PATH."""

    def __init__(self, home: Home, place: Path, repo: Path | None = None) -> None:
        self.home = home
        self.place = place
        self.bin = place / "bin"
        self.bin.mkdir(parents=True)
        self._repo = repo
        for name in ("asked", "containers", "stats"):
            (place / name).touch()
        program = self.bin / "docker"
        program.write_text(_DOCKER.format(here=place))
        program.chmod(0o755)
        self.environ = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"}

    def add(
        self,
        name: str,
        number: int,
        *,
        state: str = "running",
        status: str = "Up 2 hours",
        activity: str = "working",
        own_status: str = "",
        cpu: str = "12.50%",
        memory: str = "128MiB / 2GiB",
        output: bytes = b"",
        commits: Sequence[str] = (),
        **fields: Any,
    ) -> Session:
        """A session with its container. number: makes its id and its port. commits: names of files, one a commit."""
        id_ = f"{number:012x}"
        base = git("rev-parse", "HEAD", cwd=self._repo).strip() if self._repo else "0" * 40
        git_dir = str(self._repo / ".git") if self._repo else "/none/.git"
        session = Session(
            id=id_, name=name, state="running", step="", port=3100 + number, repo=str(self._repo or "/none"),
            git_dir=git_dir, branch=names.branch(name), base=base, agent="claude", image="x",
            created_at=time.time() - 7200, updated_at=time.time() - 7200,
        ).changed(**fields)  # fmt: skip
        with Store.open(self.home) as store:
            store.add(session)
        files = self.home.session_home(id_) / ".clauderon"
        files.mkdir(parents=True)
        (files / "activity").write_text(f"{activity}\n")
        if own_status:
            (files / "status").write_text(own_status)
        container = {
            "ID": f"{number:064x}", "Names": names.container(name), "State": state, "Status": status, "Image": "x",
            "Labels": {spec.LABEL_SESSION: name, spec.LABEL_ID: id_, spec.LABEL_HOME: str(self.home.root)},
        }  # fmt: skip
        self._append("containers", container)
        if state == "running":
            self._append("stats", {"id": container["ID"], "cpu": cpu, "memory": memory})
        (self.place / f"logs-{names.container(name)}").write_bytes(output)
        if self._repo and commits:
            self._commit(session, commits)
        return session

    def _commit(self, session: Session, commits: Sequence[str]) -> None:
        assert self._repo is not None
        git("checkout", "--quiet", "-b", session.branch, cwd=self._repo)
        for name in commits:
            (self._repo / name).write_text(f"{name} of {session.name}\n")
            git("add", "--all", cwd=self._repo)
            git("commit", "--quiet", "--message", f"Add {name}", cwd=self._repo)
        git("checkout", "--quiet", "main", cwd=self._repo)

    def request(self, session: Session, host: str = "api.anthropic.com", **more: Any) -> None:
        """A line of the audit."""
        line = {
            "time": "2026-01-02T03:04:05.678Z", "kind": "request", "session": session.name, "id": session.id,
            "host": host, "port": 443, "method": "POST", "path": "/v1/messages", "status": 200, "bytes_up": 100,
            "bytes_down": 900, "duration_ms": 1.5, "rule": "open", "credential": None, "refused": False, **more,
        }  # fmt: skip
        with self.home.audit.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def use(self, session: Session, *, nano: int = 10**9, **more: Any) -> None:
        """A line of the ledger's journal: what one answer of a model used."""
        journal = Journal(self.home)
        record = {
            "id": f"{time.monotonic_ns()}", "end": True, "worker": "w", "time": time.time(), "session": session.id,
            "name": session.name, "team": "", "api": "anthropic", "model": "claude-x", "requests": 1, "input": 10,
            "cache_read": 1000, "output": 5, "nano": nano, **more,
        }  # fmt: skip
        journal.append(record)
        journal.close()

    def context(self, store: Store) -> Context:
        settings = config.load(self.home, self.environ)
        docker = Docker.of(settings.docker, self.environ)
        return Context(self.home, settings, self.environ, docker, store, Output())

    def rows(self) -> list[Session]:
        """The sessions, oldest first."""
        with Store.open(self.home) as store:
            return store.all()

    @property
    def asked(self) -> list[str]:
        """What docker was asked, a line each."""
        return (self.place / "asked").read_text().splitlines()

    def _append(self, name: str, value: object) -> None:
        with (self.place / name).open("a") as file:
            file.write(json.dumps(value) + "\n")
