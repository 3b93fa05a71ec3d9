"""The limits that the service sets itself."""

from __future__ import annotations

import subprocess
import sys


def test_the_service_may_open_many_descriptors_and_dumps_no_core() -> None:
    script = (
        "import resource; from clauderon.proxy.daemon import rlimits\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)); rlimits.apply()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 256, resource.getrlimit(resource.RLIMIT_CORE))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout == "True (0, 0)\n"
