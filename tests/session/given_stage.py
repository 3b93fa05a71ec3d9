"""A machine with protected places, and a session that is given things of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clauderon.config.builtin_credentials import BUILTIN_CREDENTIALS
from clauderon.config.schema import Config
from clauderon.config.schema import Docker as DockerConfig
from clauderon.docker.parse import Objects, Volume
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.session import unsafe
from clauderon.session.context import Context
from clauderon.store import Store

_VOLUMES = {
    "plain": Volume("plain", "", {}),
    "disguised": Volume("disguised", "", {}, options={"type": "none", "o": "bind", "device": "/"}),
    "nfs": Volume("nfs", "", {}, driver="plugin"),
    "bound": Volume("bound", "", {}, options={"type": "tmpfs", "o": "size=1g,bind", "device": "/"}),
    "sized": Volume("sized", "", {}, options={"type": "tmpfs", "o": "size=1g,uid=1000", "device": "tmpfs"}),
    "memory": Volume("memory", "", {}, options={"type": "tmpfs", "device": "tmpfs"}),
}


class _Engine:
    def inspect_by_kind(self, names: list[str]) -> Objects:
        return Objects(volumes=tuple(_VOLUMES[name] for name in names if name in _VOLUMES))


class Stage:
    """A home directory with what people have in theirs, a repository, and a session to be made."""

    def __init__(self, root: Path) -> None:
        self.user = root / "me"
        self.home = Home(self.user / ".clauderon")
        self.repo = self.user / "project"
        for made in (
            ".ssh",
            ".cache/pip",
            ".cargo/registry",
            "data/sub",
            "project/.git/objects",
            "project/src",
        ):
            (self.user / made).mkdir(parents=True)
        (self.repo / ".git/refs").mkdir()
        (self.repo / ".git/HEAD").write_text("ref: refs/heads/main\n")
        self.home.create()
        self.environ = {"HOME": str(self.user), "PATH": f"{self.user}/bin:/usr/bin"}
        self.store = Store.open(self.home)

    def session(self, **changes: Any) -> Session:
        plain = Session(
            id="0123456789ab", name="x", state="creating", step="", port=3101, repo=str(self.repo),
            git_dir=str(self.repo / ".git"), branch="b", base="c" * 40, agent="claude", image="img", created_at=1.0,
            updated_at=1.0,
        )  # fmt: skip
        return plain.changed(**changes)

    def context(self, *, unsafe_file: bool = False) -> Context:
        config = Config(docker=DockerConfig(unsafe=unsafe_file), credentials=BUILTIN_CREDENTIALS)
        return Context(self.home, config, self.environ, _Engine(), self.store, None)  # type: ignore[arg-type]

    def reasons(self, *extra_args: str, **changes: Any) -> tuple[str, ...]:
        return unsafe.reasons(self.context(), self.session(extra_args=extra_args, **changes))

    def volume(self, item: str) -> tuple[str, ...]:
        return self.reasons(volumes=(item,))
