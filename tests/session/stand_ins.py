"""What a use case is handed in a test: a reporter that remembers, and a docker that answers as it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, cast

from clauderon.docker import Docker
from clauderon.docker.parse import ContainerDetail, Image
from clauderon.session.context import Progress


class Bar:
    """A progress that nobody sees."""

    drawn = False

    def update(self, done: float | None = None, total: float | None = None, text: str = "") -> None:
        """Nothing to show."""


class Said:
    """The words that were said, in their order."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.titles: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    @contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        self.titles.append(title)
        yield Bar()


class Engine:
    """containers, images: what there is, by name and id. verbs: how others answer; called: those that have no answer."""

    context = ""
    env: Mapping[str, str] = MappingProxyType({})

    def __init__(self) -> None:
        self.containers: dict[str, ContainerDetail] = {}
        self.images: dict[str, Image] = {}
        self.verbs: dict[str, Callable[..., Any]] = {}
        self.called: list[tuple[str, tuple[Any, ...]]] = []

    @property
    def docker(self) -> Docker:
        return cast(Docker, self)

    def container_inspect(self, name: str) -> ContainerDetail | None:
        return self.containers.get(name)

    def image_inspect(self, reference: str) -> Image | None:
        return self.images.get(reference)

    def __getattr__(self, verb: str) -> Any:
        def call(*arguments: Any, **_options: Any) -> Any:
            self.called.append((verb, arguments))

        return self.verbs.get(verb, call)


def detail(name: str = "clauderon-fix", **changes: Any) -> ContainerDetail:
    values: dict[str, Any] = {
        "id": "c" * 64, "name": name, "running": True, "exit_status": 0, "oom_killed": False, "error": "",
        "image_id": "sha256:1", "started_at": "2026-01-01T00:00:00Z", "ip": "", "labels": {},
    }  # fmt: skip
    return ContainerDetail(**{**values, **changes})


def image(**labels: str) -> Image:
    return Image("sha256:1", (), "amd64", "linux", "", (), 0, labels)
