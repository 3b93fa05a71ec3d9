"""A Docker registry on loopback, for the pull policies: Debian's docker-registry with a directory of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

PROGRAM = "docker-registry"
_CONFIG = """version: 0.1
log: {{level: error}}
storage:
    filesystem: {{rootdirectory: {root}/data}}
    delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def available() -> bool:
    return shutil.which(PROGRAM) is not None


@contextlib.contextmanager
def registry(root: Path, port: int, *, prefix: Sequence[str] = ()) -> Iterator[str]:
    """Serve on 127.0.0.1:`port`; yields `127.0.0.1:port`. prefix: words that bring it into a namespace."""
    root.mkdir(parents=True)
    (root / "config.yml").write_text(_CONFIG.format(root=root, port=port))
    with (root / "log").open("wb") as log:
        child = subprocess.Popen(
            [*prefix, PROGRAM, "serve", str(root / "config.yml")],
            env={"PATH": os.environ.get("PATH", os.defpath)},
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 15
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=2).close()
                break
            assert child.poll() is None and time.monotonic() < deadline, (root / "log").read_text()
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait()
