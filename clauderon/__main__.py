"""The program's entry: answers the few questions that must be instant, and hands everything else to `cli`.

`--version`, `--help`, `env`, `path` and completion run at every prompt and in every Makefile, so they import neither
typer nor plumbum; `docs/performance.md` has the figures.
"""

from __future__ import annotations

import gc
import os
import sys

from clauderon import aliases, streams


def console_main() -> None:
    """The console script: `main`, without the 10 ms that taking all the modules down costs. Does not return."""
    # A short life makes little garbage, and importing looks like a lot of it.
    gc.set_threshold(100_000, 20, 20)
    status = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or 1
    os._exit(status)


entry = console_main  # what the scripts of an installation made before the name changed still call


def main() -> int:
    """Run the command line of this process; returns the exit status."""
    try:
        status = _main(aliases.expand(sys.argv[1:]))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130  # a Ctrl-C while modules were still being imported; `cli.run` handles any later one
    except BrokenPipeError:
        # The reader went away, as `| head` does: end as a program that SIGPIPE ended, without a word.
        streams.silence(1)
        return 141
    except OSError as error:
        streams.silence(1)
        sys.stderr.write(
            f"clauderon: {error.filename or 'stdout'}: {(error.strerror or str(error)).lower()}\n"
        )
        return 1


def _main(argv: list[str]) -> int:
    streams.open_missing()
    if argv in (["--version"], ["-V"]):
        from clauderon import __version__

        sys.stdout.write(f"clauderon {__version__}\n")
        return 0
    if not argv or argv[-1] in ("--help", "-h"):
        from clauderon.quick import help

        text = help.answer(argv, os.environ)
        if text is not None:
            sys.stdout.write(text)
            return 0
    if argv[:1] == ["__complete"]:
        from clauderon.quick import complete

        sys.stdout.write(complete.complete(argv[1:], os.environ))
        return 0
    if argv[:1] in (["env"], ["path"], ["shell-init"]):
        from clauderon.quick import env

        status = env.run(argv)
        if status is not None:
            return status
    if argv[:1] in (["list"], ["create"], ["status"]) and not {"--help", "-h"} & set(argv):
        from clauderon.cli.prefetch import asking

        with asking(argv, os.environ):
            return _run(argv)
    return _run(argv)


def _run(argv: list[str]) -> int:
    from clauderon.cli.run import run

    return run(argv)


if __name__ == "__main__":
    console_main()
