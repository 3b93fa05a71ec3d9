"""The words people bring from other tools: `ls`, `ps`, `rm`, `run`, `version`, `help`. It runs nothing."""

from __future__ import annotations

from collections.abc import Sequence

# docker's words on the left, ours on the right. None of them may be the name of a command.
ALIASES = {"ls": "list", "ps": "list", "rm": "delete", "run": "create"}


def expand(argv: Sequence[str]) -> list[str]:
    """The command line with our own command in the place of another tool's word for it.

    argv: the words after the program's name. Only the command's own word is looked at: a session may be named `ls`.
    """
    words = list(argv)
    place = next((index for index, word in enumerate(words) if not word.startswith("-")), None)
    if place is None:
        return words
    command, rest = words[place], words[place + 1 :]
    if command == "help":
        return [*words[:place], *[word for word in rest if not word.startswith("-")], "--help"]
    if command == "version" and not rest:
        return [*words[:place], "--version"]
    words[place] = ALIASES.get(command, command)
    return words
