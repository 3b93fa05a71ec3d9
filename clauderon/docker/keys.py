"""docker's detach keys: which sequences it takes. Parsing only."""

from __future__ import annotations

from clauderon.errors import UsageError

ATTACH = "ctrl-p,ctrl-q"
# The keys that leave a program running. docker's own begin with ctrl-p, which shells and editors use to go up a
# line, and docker would hold it back until the next key. These two keys have hardly another use.
EXEC = "ctrl-^,ctrl-q"
_CONTROLS = frozenset("abcdefghijklmnopqrstuvwxyz@[\\]^_")


def parse_detach_keys(text: str, command: str) -> str:
    """The keys as docker takes them: single ASCII characters, `ctrl-X` or `DEL`, with commas between.

    command: who asks. Raises UsageError.
    """
    for key in text.split(","):
        is_character = len(key) == 1 and key.isascii() and key.isprintable()
        is_control = key.startswith("ctrl-") and len(key) == 6 and key[5] in _CONTROLS
        if not (is_character or is_control or key == "DEL"):
            why = f"{key!a} is no key: a character, ctrl-a to ctrl-z, ctrl-@ [ \\ ] ^ or _, or DEL"
            raise UsageError(
                f"{command} --detach-keys", why, hint=f"clauderon {command} --detach-keys ctrl-^,ctrl-q"
            )
    return text
