"""What `create` loads: its interpreter's time is most of its own, and nearly all of that is importing.

Measured with `python -X importtime`: a module of ours costs a quarter of a millisecond and one of the standard library
up to six (`dataclasses` brings `inspect`, `ast` and `tokenize`).
"""

from __future__ import annotations

import subprocess
import sys

# Loaded where it is used: for help and mistakes, when a create fails, for options that few sessions have.
NEVER = [
    "typer",
    "inspect",
    "dataclasses",
    "ast",
    "tokenize",
    "tomllib",
    "plumbum",
    "sh",
    "rich",
    "asyncio",
    "ssl",
    "aiohttp",
    "h11",
    "uuid",
    "tempfile",
    "logging",
    "http",
    "email",
    "clauderon.netrules",
    "clauderon.runoptions",
    "clauderon.docker.failures",
    "clauderon.docker.pulling",
    "clauderon.session.remove",
    "clauderon.session.rescues",
    "clauderon.session.given",
    "clauderon.session.protected",
    "clauderon.session.own_network",
    "clauderon.session.idempotency",
    "clauderon.session.reconcile",
    "clauderon.session.several",
    "clauderon.airlock.closing",
    "clauderon.airlock.rescuing",
    "clauderon.airlock.syncing",
    "clauderon.airlock.quarantine",
    "clauderon.airlock.removal",
    "clauderon.airlock.private_refs",
    "clauderon.proc.terminal",
    "clauderon.proc.forked",
    "clauderon.cli.typed",
]
# Beside the worktree's git, so at no time of its own.
MEANWHILE = ["clauderon.session.launch", "clauderon.airlock.settled", "clauderon.airlock.private", "hashlib"]
MOST_OF_OURS = 135


def loaded(*modules: str) -> set[str]:
    code = f"import sys\nimport {', '.join(modules)}\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_create_loads_nothing_that_it_does_not_use() -> None:
    """Seen to fail with `from clauderon.session import remove` at the top of `session.create`."""
    found = loaded(
        "clauderon.cli.prefetch", "clauderon.cli.run", "clauderon.cli.create", "clauderon.session.create"
    )
    assert sorted(found & {*NEVER, *MEANWHILE}) == []
    found = loaded("clauderon.cli.run", "clauderon.session.create", "clauderon.session.launch")
    assert sorted(found & set(NEVER)) == []
    ours = [name for name in found if name.startswith("clauderon")]
    assert len(ours) <= MOST_OF_OURS, "import late what only a rare way needs"
