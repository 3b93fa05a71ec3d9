"""The limits the service sets itself: room for descriptors, and no core dumps, which would hold secrets."""

from __future__ import annotations

import contextlib
import resource

# Two for each connection through the proxy and some for each session; the usual soft limit is 1024.
WANTED_DESCRIPTORS = 65_536


def apply() -> None:
    """Raise the soft limit of descriptors as far as we may, and forbid core dumps."""
    with contextlib.suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(WANTED_DESCRIPTORS, hard)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
