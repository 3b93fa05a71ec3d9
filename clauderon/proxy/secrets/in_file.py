"""Read a secret that lies in a file of `secrets/`: ours alone, and never waited for. Prints nothing of it."""

from __future__ import annotations

import os
import stat

from clauderon.paths import Home

# A token is a line of text; whatever is longer is not one.
MAX_SECRET_BYTES = 16 * 1024


class BadSecret(ValueError):
    """The source gave something that cannot be a secret; its text says what, never the value."""


def file_text(home: Home, name: str) -> str | None:
    """The text of a file in secrets/, None if there is none. Raises BadSecret for one that others can read."""
    try:
        # Non-blocking, so that a pipe of that name stops nobody.
        descriptor = os.open(home.secrets / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        if (home.secrets / name).is_symlink():
            raise BadSecret("it is a link to a file that does not exist") from None
        return None
    except OSError as error:
        raise BadSecret(f"it cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BadSecret("it is not a file")
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise BadSecret(f"others may read it (mode {mode:04o}); chmod 600 it, and replace the secret")
        if status.st_uid != os.getuid():
            raise BadSecret("it belongs to another user")
        data = os.read(descriptor, MAX_SECRET_BYTES + 3)
    finally:
        os.close(descriptor)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadSecret("it is not text") from None
