"""Renews the CA while the service runs, under the same key."""

from __future__ import annotations

import asyncio
import logging

from clauderon.errors import ClauderonError
from clauderon.paths import Home
from clauderon.proxy.ca import authority, leaves

CHECK_S = 6 * 3600.0

log = logging.getLogger("clauderon.proxy")


async def run(home: Home, holder: leaves.Authority) -> None:
    """For ever: a service runs for months, and a certificate ends."""
    while True:
        await asyncio.sleep(CHECK_S)
        try:
            await asyncio.to_thread(authority.ensure, home)
            holder.refresh(home)
        except ClauderonError as error:
            log.warning("%s", error)
