"""What the doctor told a person to type, and doing it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from clauderon import config
from clauderon.doctor.check import Check

SETTINGS = config.defaults()


def mended(check: Check, look: Callable[[], Check]) -> None:
    """The printed command, run as it stands, turns the check into ok."""
    command = check.mend.removeprefix("sudo ")
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    assert look().outcome == "ok", look()
