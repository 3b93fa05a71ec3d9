"""Whether the engine can lay an overlay over the objects: what its container says, and what is remembered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clauderon.errors import CommandFailed
from clauderon.mount import Mount
from clauderon.session import touching

OPTIONS = "rw,relatime,lowerdir=/a,upperdir=/b,workdir=/c"


class Facts(dict[str, Any]):
    """The store, as far as it is asked."""

    def fact(self, key: str) -> Any:
        return self.get(key)

    def keep_fact(self, key: str, value: Any) -> None:
        self[key] = value


def context(host: str = "unix:///x") -> Any:
    return SimpleNamespace(store=Facts(), docker=SimpleNamespace(context="", env={"DOCKER_HOST": host}))


@pytest.mark.parametrize(
    ("said", "works"),
    [
        (f"overlay=overlay {OPTIONS},redirect_dir=on,metacopy=on\noverlay-default=N\n", True),
        (
            f"overlay=overlay {OPTIONS}\noverlay-default=Y\n",
            True,
        ),  # what is the default is not among the options
        (
            f"overlay=overlay {OPTIONS}\noverlay-default=N\n",
            False,
        ),  # the file system cannot: data would be copied
        (f"overlay=overlay {OPTIONS},metacopy=off\noverlay-default=Y\n", False),
        ("overlay=ext4 rw,metacopy=on\noverlay-default=Y\n", False),
        ("overlay-default=Y\n", False),
        ("", False),
        (None, False),
    ],
)
def test_it_works_only_where_an_inode_is_copied_without_its_data(said: str | None, works: bool) -> None:
    asked = context()
    assert touching.is_unasked(asked)
    touching.heard(asked, None if said is None else f"clauderon-probe=1\n{said}")
    assert list(asked.store.values()) == [{"works": works}]
    assert not touching.is_unasked(asked)


def test_another_engine_is_asked_again() -> None:
    asked = context()
    touching.heard(asked, None)
    asked.docker.env["DOCKER_HOST"] = "unix:///y"
    assert touching.is_unasked(asked)


REFUSALS = (
    "error while mounting volume '/v/_data': failed to mount local volume: mount overlay:/v/_data: invalid argument",
    'invalid argument "..." for "--mount" flag: unexpected key \'volume-opt\'',
)


@pytest.mark.parametrize("text", REFUSALS)
def test_an_engine_that_refuses_the_overlay_is_asked_for_none_any_more(text: str) -> None:
    asked = context()
    failure = CommandFailed(["docker", "run"], 125, b"", f"docker: {text}\n".encode())
    overlay = Mount("lowerdir=/a", "/clauderon/objects/0", kind="overlay")
    assert not touching.refused(asked, (Mount("/a", "/b"),), failure)
    assert touching.is_unasked(asked)
    assert touching.refused(asked, (overlay,), failure)
    assert list(asked.store.values()) == [{"works": False}]


def test_another_failure_is_none_of_the_overlays() -> None:
    asked = context()
    failure = CommandFailed(["docker", "run"], 125, b"", b"docker: Address already in use\n")
    assert not touching.refused(asked, (Mount("x", "/y", kind="overlay"),), failure)
    assert touching.is_unasked(asked)
