"""A mount of the container, as `spec`, `airlock` and `agents` describe it and `docker` spells it."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Mount(NamedTuple):
    """kind `bind`: source is an absolute path on the host; kind `volume`: source is a volume's name."""

    source: str
    target: str
    read_only: bool = False
    kind: Literal["bind", "volume"] = "bind"
