"""What Claude Code must find so that it starts without a question: `.claude.json`, and settings with our hooks.

The repository's own `.claude/` is never touched: our settings come in with `--settings`.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from clauderon import files, paths
from clauderon.errors import UsageError

HOOKS_FILE = "hooks.json"
# The events Claude Code 2.1.330 knows. A script named after any of them is wired up.
EVENTS = frozenset(
    {
        "PreToolUse",
        "PostToolUse",
        "PostToolUseFailure",
        "PostToolBatch",
        "Notification",
        "UserPromptSubmit",
        "UserPromptExpansion",
        "SessionStart",
        "SessionEnd",
        "Stop",
        "StopFailure",
        "SubagentStart",
        "SubagentStop",
        "PreCompact",
        "PostCompact",
        "PreModelSwitch",
        "PostModelSwitch",
        "PermissionRequest",
        "PermissionDenied",
        "Setup",
        "TeammateIdle",
        "TaskCreated",
        "TaskCompleted",
        "Elicitation",
        "ElicitationResult",
        "ConfigChange",
        "WorktreeCreate",
        "WorktreeRemove",
        "InstructionsLoaded",
        "CwdChanged",
        "FileChanged",
        "DirectoryAdded",
        "MessageDisplay",
    }
)
# What `list` shows after each event.
_ACTIVITY = {
    "UserPromptSubmit": "working",
    "PreToolUse": "working",
    "PostToolUse": "working",
    "Notification": "waiting",
    "PermissionRequest": "waiting",
    "Stop": "waiting",
    "StopFailure": "waiting",
    "SessionEnd": "done",
}
# Claude Code keeps this many characters of an API key to know whether its use was approved.
_KEY_TAIL = 20


def seed() -> dict[str, Any]:
    """`.claude.json` of somebody who has seen every first-run dialog."""
    return {
        "hasCompletedOnboarding": True,
        "bypassPermissionsModeAccepted": True,
        "projects": {paths.WORKSPACE: {"hasTrustDialogAccepted": True}},
    }


def claude_json(existing: dict[str, Any], template: dict[str, Any], api_key: str) -> dict[str, Any]:
    """The session's `.claude.json`: what is there, over the template, over what must hold.

    existing: what the agent wrote before, empty the first time. api_key: a placeholder to approve, or "".
    """
    must = seed()
    merged = {**template, **existing}
    projects = {**template.get("projects", {}), **existing.get("projects", {})}
    own = {**projects.get(paths.WORKSPACE, {}), **must.pop("projects")[paths.WORKSPACE]}
    merged |= must
    merged["projects"] = {**projects, paths.WORKSPACE: own}
    if api_key:
        answers = dict(merged.get("customApiKeyResponses", {}))
        tail = api_key[-_KEY_TAIL:]
        approved = [key for key in answers.get("approved", []) if key != tail]
        rejected = [key for key in answers.get("rejected", []) if key != tail]
        merged["customApiKeyResponses"] = {**answers, "approved": [*approved, tail], "rejected": rejected}
    return merged


def settings(hooks_dir: Path, inside: str = paths.HOOKS) -> dict[str, Any]:
    """Our settings: hooks that report what the agent does, and the person's own from `hooks_dir`.

    inside: where that directory is in the container.

    Raises UsageError for a `hooks.json` that is not in Claude Code's own form.
    """
    hooks: dict[str, list[Any]] = {}
    report = f"{paths.CONTAINER_HOME}/.clauderon/activity"
    for event, word in _ACTIVITY.items():
        hooks[event] = [_entry(f"echo {word} >{report}")]
    for event, command in _scripts(hooks_dir, inside):
        hooks.setdefault(event, []).append(_entry(command))
    for event, entries in _declared(hooks_dir).items():
        hooks.setdefault(event, []).extend(entries)
    return {"hooks": hooks}


def _entry(command: str) -> dict[str, Any]:
    return {"hooks": [{"type": "command", "command": command}]}


def _scripts(hooks_dir: Path, inside: str) -> list[tuple[str, str]]:
    """(event, command) of `<Event>`, `<Event>.*` and the files in `<Event>.d/`, in the order of their names."""
    found = []
    try:
        entries = sorted(hooks_dir.iterdir())
    except OSError:
        return []
    for entry in entries:
        event = entry.name.partition(".")[0]
        if event not in EVENTS:
            continue
        files = [entry]
        if entry.is_dir():
            files = sorted(entry.iterdir()) if entry.name == f"{event}.d" else []
        for file in files:
            if file.is_file() and not file.name.startswith(".") and not file.name.endswith("~"):
                word = shlex.quote(f"{inside}/{file.relative_to(hooks_dir)}")
                runnable = file.stat().st_mode & 0o111
                found.append((event, word if runnable else f"sh {word}"))
    return found


def _declared(hooks_dir: Path) -> dict[str, list[Any]]:
    path = hooks_dir / HOOKS_FILE
    try:
        text = files.text(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(
            str(path), error.strerror or str(error), hint=f"ls -l {shlex.quote(str(path))}"
        ) from error
    hint = f'put {{"hooks": {{"Stop": [{{"hooks": [...]}}]}}}} into {path}'
    try:
        hooks = json.loads(text)["hooks"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(str(path), f'not JSON with a "hooks" object: {error}', hint=hint) from error
    if not isinstance(hooks, dict) or not all(isinstance(entries, list) for entries in hooks.values()):
        raise UsageError(str(path), '"hooks" must map each event to a list', hint=hint)
    return hooks
