"""A keyring for tests: it keeps what it is given in a file that FAKE_KEYRING names, and does as FAKE_KEYRING_IS says.

Used through `PYTHON_KEYRING_BACKEND`, in the process that asks keyrings.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

NAME = "tests.standins.keyrings.Keyring"


def environment(file: Path, how: str = "open") -> dict[str, str]:
    """The variables that make it the keyring of a process. how: `open`, `locked`, `hangs` or `forgets`."""
    root = str(Path(__file__).parents[2])
    return {
        "PYTHON_KEYRING_BACKEND": NAME,
        "PYTHONPATH": root,
        "FAKE_KEYRING": str(file),
        "FAKE_KEYRING_IS": how,
    }


class Keyring(KeyringBackend):
    """Keeps secrets in a file of JSON."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        """The secret, or None."""
        found: dict[str, str] = self._all()
        return found.get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep it."""
        if os.environ["FAKE_KEYRING_IS"] != "forgets":
            self._keep({**self._all(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        """Remove it."""
        self._keep({name: secret for name, secret in self._all().items() if name != f"{service}/{username}"})

    def _all(self) -> dict[str, str]:
        how = os.environ["FAKE_KEYRING_IS"]
        if how == "locked":
            raise KeyringLocked("Failed to unlock the collection!")
        if how == "hangs":
            time.sleep(3600)
        try:
            found: dict[str, str] = json.loads(Path(os.environ["FAKE_KEYRING"]).read_text())
        except FileNotFoundError:
            return {}
        return found

    def _keep(self, found: dict[str, str]) -> None:
        Path(os.environ["FAKE_KEYRING"]).write_text(json.dumps(found))
