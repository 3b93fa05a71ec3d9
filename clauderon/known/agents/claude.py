"""Claude Code.

It starts without a question where it finds its `.claude.json`; our hooks come in with `--settings`, so that the
repository's own `.claude/` is never touched.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clauderon import files, paths, placeholders
from clauderon.errors import UsageError
from clauderon.known.kind import PLATFORMS, Channel, Conversation, Install, Known, Lent
from clauderon.known.rows import Credential

if TYPE_CHECKING:
    from clauderon.known.answers import Answer
    from clauderon.known.start import Launch, Place

SETTINGS = "settings.json"
# It asks the vendor nothing but the model, and does not try to update a binary that is mounted read-only.
_QUIET = (
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL",
    "DISABLE_AUTOUPDATER",
    "DISABLE_INSTALLATION_CHECKS",
)
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
    "PermissionRequest": "waiting permission",
    "Stop": "waiting answer",
    "StopFailure": "waiting answer",
    "SessionEnd": "done",
}
# By the type of the notification. With other types, such as a login that succeeded, it waits for nobody.
_NOTIFICATIONS = {"permission_prompt": "permission", "idle_prompt|elicitation_dialog": "answer"}
# Claude Code keeps this many characters of an API key to know whether its use was approved.
_KEY_TAIL = 20


def _environment(uid: int | None) -> dict[str, str]:
    # Claude Code refuses to skip permissions as root, unless it is told that it sits in a sandbox.
    return dict.fromkeys(_QUIET, "1") | ({} if uid else {"IS_SANDBOX": "1"})


def _commands(launch: Launch) -> tuple[str, str]:
    session = launch.session
    words = [*launch.program]
    if session.print_mode:
        words.append("--print")
    words += ["--settings", f"{paths.CONTAINER_SESSION}/{SETTINGS}"]
    # In plan mode the option to bypass is left out: even where it is only offered, Claude Code acts without asking.
    mode = "plan" if session.plan else launch.agent.permission_mode
    if mode == "bypassPermissions":
        words.append("--dangerously-skip-permissions")
    elif mode:
        words += ["--permission-mode", mode]
    words += launch.arguments
    first = launch.line([*words, "--session-id", session.conversation])
    if launch.by == "argument":
        first += f" -- {launch.prompt_argument}"
    elif launch.by == "input":
        # Without --print it reads the prompt from its input too, and opens the terminal by itself.
        first += f" {launch.prompt_input}"
    again = [*words, "--resume", session.conversation]
    return first, launch.line([*again, "--", launch.go_on] if session.print_mode else again)


def _answer(values: list[dict[str, Any]]) -> Answer | None:
    """`--output-format json`."""
    from clauderon.known.answers import result_object

    return result_object(values)


def _write(place: Place) -> None:
    api_key = place.lent[place.kind] if place.kind == "anthropic" else ""
    value = claude_json(place.read_object(".claude.json"), dict(place.template), api_key)
    place.home.write(".claude.json", json.dumps(value, indent=2).encode(), 0o600)
    _write_login(place)
    found = settings(place.hooks, place.hooks_inside)
    place.folder.write(SETTINGS, json.dumps(found, indent=1).encode())


def _write_login(place: Place) -> None:
    """A login that never ends, so that it is not asked to renew one; what it shows of the plan is true."""
    path = ".claude/.credentials.json"
    if place.login is not None:
        kept = {"accessToken": placeholders.CLAUDE_ACCESS, "refreshToken": placeholders.CLAUDE_REFRESH}
        plan = {"scopes": ["user:inference", "user:profile"], **place.login}
        login = {"claudeAiOauth": {**kept, "expiresAt": placeholders.FAR_S * 1000, **plan}}
        place.home.write(path, json.dumps(login).encode(), 0o600)
        return
    left = place.read_object(path).get("claudeAiOauth")
    if isinstance(left, dict) and left.get("accessToken") == placeholders.CLAUDE_ACCESS:
        place.home.write(path, b"{}", 0o600)  # from a time when a login was lent


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
    hooks["Notification"] = [
        {"matcher": kinds, **_entry(f"echo waiting {what} >{report}")}
        for kinds, what in _NOTIFICATIONS.items()
    ]
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


AGENT = Known(
    title="Claude Code",
    program="claude",
    install=Install(
        launch="claude",
        npm={platform: f"@anthropic-ai/claude-code-{platform}@{{version}}" for platform in PLATFORMS},
        dist_tags="@anthropic-ai/claude-code",
        channel=Channel(
            url="https://downloads.claude.ai/claude-code-releases",
            variable="CLAUDERON_RELEASES_URL",
            file="claude",
        ),
    ),
    credentials=("anthropic", "anthropic-oauth"),
    lends=(
        Lent(
            credential=Credential(
                name="anthropic",
                hosts=("api.anthropic.com",),
                header="x-api-key",
                format="{secret}",
                env=("ANTHROPIC_API_KEY",),
                file="anthropic_api_key",
                model_api=True,
            ),
            placeholder="sk-ant-api03-clauderon-placeholder-the-proxy-has-the-real-key",
            variables=("ANTHROPIC_API_KEY",),
            free=r"/api/(event_logging(/v\d+)?/batch|eval/[\w.-]+|hello|claude_cli_feedback|oauth/account/[a-z_]+"
            r"|claude_code/(metrics|(user_)?settings|policy_limits|team_memory|notification/preferences))"
            r"|/v1/(logs|metrics|traces|privacy-consents(/[a-z]+)?)",
        ),
        # It has the same host as `anthropic`. Where both are set, the API key is used, as in Claude Code itself.
        Lent(
            credential=Credential(
                name="anthropic-oauth",
                hosts=("api.anthropic.com",),
                header="authorization",
                format="Bearer {secret}",
                env=("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_AUTH_TOKEN"),
                file="claude_code_oauth_token",
                login="claude",
                model_api=True,
            ),
            placeholder="sk-ant-oat01-clauderon-placeholder-the-proxy-has-the-real-token",
            variables=("CLAUDE_CODE_OAUTH_TOKEN",),
        ),
    ),
    # The kinds send different headers and show their user a different plan; with both set Claude Code complains.
    either={"api-key": "anthropic", "oauth": "anthropic-oauth"},
    conversation=Conversation(
        files=".claude/projects/-workspace/{conversation}.jsonl", answered='"type":"assistant"'
    ),
    commands=_commands,
    answer=_answer,
    write=_write,
    environment=_environment,
    shell_variable="CLAUDE_CODE_SHELL",
    plan=True,
    tried="2.1.330, glibc and musl",
)
