"""How a command says what words it takes: `Annotated[str, Option("--name", ...)]`. Data only; reads no command line.

typer's import alone takes longer than most commands. `parsing` reads a plain command line from these; `typed` makes
typer's own of them, for help and for what is wrong with a line.
"""

from __future__ import annotations


class Option:
    """names: every spelling, `--on/--off` for a switch of two; metavar: what its value is called.

    min, max: bounds of a number.
    """

    __slots__ = ("help", "max", "metavar", "min", "names", "show_default")

    def __init__(
        self,
        *names: str,
        help: str = "",
        metavar: str | None = None,
        show_default: bool = True,
        min: int | None = None,
        max: int | None = None,
    ) -> None:
        self.names = names
        self.help = help
        self.metavar = metavar
        self.show_default = show_default
        self.min = min
        self.max = max


class Argument:
    """A word by its place; of a list's type, all that are left."""

    __slots__ = ("help", "metavar", "show_default")

    def __init__(
        self, *, metavar: str | None = None, help: str | None = None, show_default: bool = True
    ) -> None:
        self.metavar = metavar
        self.help = help
        self.show_default = show_default


class Exit(Exception):
    """Ends the command with this status, which has been explained or needs no words."""

    def __init__(self, status: int = 0) -> None:
        super().__init__(status)
        self.status = status
