"""`~/.clauderon/claude.json`, the person's to change: what a session's own `.claude.json` begins with.

Every session has it mounted, whichever agent it runs: so it is no agent's own.
"""

from __future__ import annotations

import json
from typing import Any

from clauderon import confined
from clauderon.confined import Tree
from clauderon.known.agents import claude
from clauderon.known.start import parsed
from clauderon.paths import Home

_FILE_BYTES = 64 << 20


def read(home: Home) -> dict[str, Any]:
    """What is in it, an empty object if it is damaged; made if it is missing."""
    if not home.claude_json.exists():
        home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps(claude.seed(), indent=2) + "\n"
        Tree(home.root).write(home.claude_json.name, text.encode())
    return parsed(confined.read(home.root, home.claude_json.name, _FILE_BYTES))
