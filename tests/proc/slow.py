"""Programs that do not answer."""

from __future__ import annotations

ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
STUBBORN = "trap '' INT TERM; while :; do sleep 0.05; done"
