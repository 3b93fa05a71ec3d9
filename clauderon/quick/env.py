"""`env`, `path` and `shell-init` without typer: they run at every prompt and in every Makefile.

Reads the database and the files beside this one; anything it does not recognise at once is left to `cli.shells`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from clauderon import streams
from clauderon.errors import ClauderonError, NoSuchSession, UsageError
from clauderon.paths import Home

_SHARE = Path(__file__).parent.parent / "share"
_FILES = {
    "sh": "clauderon.sh",
    "mk": "clauderon.mk",
    "bash": "completion.bash",
    "zsh": "completion.zsh",
    "fish": "completion.fish",
    "man": "clauderon.1",
}
_INIT = {
    "sh": ("clauderon.sh",),
    "bash": ("clauderon.sh", "completion.bash"),
    "zsh": ("clauderon.sh", "completion.zsh"),
    "fish": ("clauderon.fish", "completion.fish"),
}
PATHS = (*_FILES, "home", "worktree")


def run(argv: Sequence[str]) -> int | None:
    """Answer `env [NAME] [--shell S] [--unset]`, `path WHAT [NAME]` or `shell-init [SHELL]`; None for anything else."""
    command, *words = argv
    try:
        text = _answer(command, words)
    except ClauderonError as error:
        if command == "env":
            sys.stdout.write(failure(words, error))
        from clauderon.output import Output

        Output(command=command).fail(error, error.exit_status)
        return error.exit_status
    if text is None:
        return None
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        streams.silence(1)
        return 141
    return 0


def _answer(command: str, words: list[str]) -> str | None:
    plain = [word for word in words if not word.startswith("-")]
    if command == "env":
        shell = option(words, "--shell")
        rest = [w for w in words if w not in ("--unset", "--")]
        if shell:
            rest = [w for w in rest if not w.startswith("--shell")]
            if "--shell" in words and shell in rest:
                rest.remove(shell)
        if (
            len(rest) > 1
            or any(word.startswith("-") for word in rest)
            or (not rest and "--unset" not in words)
        ):
            return None
        return statements(Home.of_process(), rest[0] if rest else None, shell or "sh", "--unset" in words)
    if len(plain) != len(words):
        return None
    if command == "path" and len(words) in (1, 2):
        return path(Home.of_process(), words[0], words[1] if len(words) == 2 else None) + "\n"
    if command == "shell-init" and len(words) <= 1:
        return shell_init(words[0] if words else "sh")
    return None


def failure(words: Sequence[str], error: ClauderonError) -> str:
    """What `env` prints when it fails: `eval "$(clauderon env NAME)"` would succeed if it printed nothing.

    words: the command line, of which only `--shell` is read.
    """
    from clauderon.quick import shell_syntax

    shell = option(words, "--shell") or "sh"
    known = shell if shell in shell_syntax.SHELLS else "sh"
    return shell_syntax.failing_statement(known, error.exit_status, str(error))


def variables(home: Home, name: str) -> Mapping[str, str]:
    """A session's variables. Raises NoSuchSession."""
    from clauderon import spec
    from clauderon.store import Store

    if home.database.exists():
        with Store.open(home) as store:
            return spec.host_variables(store.named(name), home)
    raise NoSuchSession(f"session {name}", "no session has this name", hint="clauderon list")


def statements(home: Home, name: str | None, shell: str, unset: bool) -> str:
    """What `clauderon env` prints. Raises NoSuchSession, and UsageError for an unknown shell.

    name: may be left out with `unset`, which takes the variables of any session away.
    """
    from clauderon.quick import shell_syntax

    if shell not in shell_syntax.SHELLS:
        raise UsageError(
            f"--shell {shell}", "use sh, fish or make", hint=f"clauderon env {name or '--unset'} --shell sh"
        )
    if name is None:
        from clauderon import spec

        return shell_syntax.unset(spec.HOST_VARIABLES, shell)
    found = variables(home, name)
    return shell_syntax.unset(found, shell) if unset else shell_syntax.exports(found, shell)


def path(home: Home, what: str, name: str | None) -> str:
    """The path of one of our files, of the home, or of a session's worktree. Raises UsageError, NoSuchSession."""
    if what == "worktree" and name is not None:
        return variables(home, name)["CLAUDERON_SESSION_WORKTREE"]
    if name is None and what in _FILES:
        return str(_SHARE / _FILES[what])
    if name is None and what == "home":
        return str(home.root)
    raise UsageError(
        f"path {what}", "use one of " + ", ".join(PATHS[:-1]) + " or worktree NAME", hint="clauderon path sh"
    )


def shell_init(shell: str) -> str:
    """What a start file evaluates: the functions, and that shell's completion."""
    if shell not in _INIT:
        raise UsageError(
            f"shell-init {shell}", "use sh, bash, zsh or fish", hint='eval "$(clauderon shell-init bash)"'
        )
    return "".join((_SHARE / name).read_text("utf-8") for name in _INIT[shell])


def option(words: Sequence[str], flag: str) -> str:
    """What `--flag VALUE` or `--flag=VALUE` says, the last of them; "" without one."""
    value = ""
    for index, word in enumerate(words):
        if word == flag and index + 1 < len(words):
            value = words[index + 1]
        elif word.startswith(f"{flag}="):
            value = word[len(flag) + 1 :]
    return value
