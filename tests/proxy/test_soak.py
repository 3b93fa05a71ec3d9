"""The soak, short. The long one is `scripts/soak`, five minutes with 200 sessions of 5 tunnels."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.standins.engine import reserved_ports

SOAK = Path(__file__).parents[2] / "scripts/soak"


@pytest.mark.slow
def test_a_short_soak_ends_without_an_error_or_growth() -> None:
    with reserved_ports() as ports:
        argv = [
            str(SOAK),
            "--minutes",
            "0.2",
            "--sessions",
            "20",
            "--tunnels",
            "3",
            "--pause",
            "0.2",
        ]
        answer = subprocess.run(
            [*argv, "--ports", str(ports[0])], env=os.environ, capture_output=True, text=True, check=False
        )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert " 0 errors" in answer.stdout
