"""A mount of the container, as `spec`, `airlock` and `agents` describe it and `docker` spells it."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Mount(NamedTuple):
    """kind `bind`: source is an absolute path on the host; kind `volume`: source is a volume's name.

    kind `overlay`: source are the options of an overlay, which the engine makes as a nameless volume of the container;
    owner: the home and the session it is for, as its labels say.
    """

    source: str
    target: str
    read_only: bool = False
    kind: Literal["bind", "volume", "overlay"] = "bind"
    owner: tuple[str, str] = ("", "")
