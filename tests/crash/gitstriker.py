"""Runs the real git in the place of a stand-in of its name, under `strace`, and kills one call where it is about to write.

A caller's environment does not come this far, so the orders are files in a directory, the first argument: `real` (the
real git's path), `at` (`MARK SYSCALL N`, where SYSCALL is `exec` for a call that is killed before it does anything, or `end` for one
that is killed when it has done all; and `us` where its caller is killed at the same moment), `log` (a directory: without
`at`, what every call writes goes there, to a file of its mark).
Standard library only; the product knows nothing of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

WRITES = (
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat,ftruncate"
)
QUIET = ("strace", "-f", "-qq", "--signal=none")


def main(argv: list[str]) -> None:
    here = Path(argv[1])
    real = here.joinpath("real").read_text().strip()
    mark = _mark(here, argv[2:])
    words = ["git", *argv[2:]]
    try:
        at = here.joinpath("at").read_text().split()
    except OSError:
        at = []
    if at and at[0] == mark:
        here.joinpath("at").unlink()
        here.joinpath("struck").write_text(" ".join(words))
        inject = f"--inject={at[1]}:error=EIO:signal=KILL:when={at[2]}"
        if at[1] == "end":
            subprocess.run([real, *words[1:]], check=False)
        elif at[1] != "exec":
            subprocess.run(
                [*QUIET, f"--trace={at[1]}", "-o", "/dev/null", inject, real, *words[1:]], check=False
            )
        if at[3:] == ["us"]:
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    log = here / "log"
    if at or not log.exists():
        os.execv(real, words)
    log.joinpath(f"{mark}.argv").write_text(" ".join(words))
    os.execvp("strace", [*QUIET, f"--trace={WRITES},openat", "-o", str(log / mark), real, *words[1:]])


def _mark(here: Path, words: list[str]) -> str:
    """The same for the same call in every run: of its words without ids, and of how many alike came before."""
    text = re.sub(r"(cldn-[a-z]+-|tmp|merge-\d+-|scratch-\d+-)\w+", "*", " ".join(words))
    alike = hashlib.sha256(re.sub(r"\w*\d\w*", "*", text).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    with here.joinpath("counts").open("a+") as counts:
        fcntl.flock(counts, fcntl.LOCK_EX)
        counts.seek(0)
        number = counts.read().split().count(alike) + 1
        counts.write(f"{alike}\n")
    return f"{alike}.{number}"


if __name__ == "__main__":
    main(sys.argv)
