"""What Codex and Gemini must find at home so that they start without a question. Texts only; writes nothing."""

from __future__ import annotations

import json

from clauderon import paths


def codex_config() -> str:
    """`~/.codex/config.toml`: the workspace trusted, no questions about updates, a turn's end told to `list`."""
    activity = f"{paths.CONTAINER_HOME}/.clauderon/activity"
    return f"""\
# Written by clauderon once, when the session was made; yours to change.
check_for_update_on_startup = false
# Codex appends the event as one more argument, which the script leaves alone.
notify = ["sh", "-c", "echo waiting >{activity}"]

[projects."{paths.WORKSPACE}"]
trust_level = "trusted"
"""


def codex_hooks() -> str:
    """`~/.codex/hooks.json`: the same form as Claude Code's; only a Codex we brought is told to trust it."""
    activity = f"{paths.CONTAINER_HOME}/.clauderon/activity"
    words = {
        "UserPromptSubmit": "working",
        "PreToolUse": "working",
        "PermissionRequest": "waiting",
        "Stop": "waiting",
    }
    hooks = {
        event: [{"hooks": [{"type": "command", "command": f"echo {word} >{activity}"}]}]
        for event, word in words.items()
    }
    return json.dumps({"hooks": hooks})


def codex_auth(placeholder: str) -> str:
    """`~/.codex/auth.json`: its terminal form takes no key from the environment."""
    return json.dumps({"auth_mode": "apikey", "OPENAI_API_KEY": placeholder})


def gemini_settings() -> str:
    """`~/.gemini/settings.json`: a key as the way in, nothing asked, nothing sent home."""
    return json.dumps(
        {
            "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
            "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
            "privacy": {"usageStatisticsEnabled": False},
            "ui": {"hideTips": True},
        }
    )
