"""Tell which large texts cannot hold a secret of some kind, from a few bytes of each. Pure.

Must not know a secret: its kind's letters and the length of its shortest form are all that is asked for.
"""

from __future__ import annotations

# From this size on the look is worth it, and at about so many bytes of each run.
LARGE = 4096
_LOOKS = 12


class Room:
    """letters: all that forms of such a secret are made of; shortest: no form has fewer of them."""

    __slots__ = ("_apart", "_every", "_run", "letters")

    def __init__(self, letters: bytes, shortest: int) -> None:
        self.letters = letters
        self._every = max(1, shortest // _LOOKS)
        self._run = bytes(shortest // self._every)
        self._apart = bytes(byte not in letters for byte in range(256))

    def in_text(self, text: bytes | bytearray | memoryview) -> bool:
        """Whether it may have a run of letters as long as a form: then the bytes at equal steps in it are letters too.

        Packed files have few such runs. Small texts always may.
        """
        return len(text) < LARGE or self._run in bytes(text)[:: self._every].translate(self._apart)
