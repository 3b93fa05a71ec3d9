"""Qwen Code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clauderon.known.kind import PLATFORMS, Conversation, Install, Known, Lent
from clauderon.known.rows import Credential

if TYPE_CHECKING:
    from clauderon.known.answers import Answer
    from clauderon.known.start import Launch, Place

# Both APIs speak Chat Completions, which Qwen Code calls "openai".
_MODELS = {
    "dashscope": {
        "id": "qwen3-coder-plus",
        "baseUrl": "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "envKey": "DASHSCOPE_API_KEY",
    },
    "openai": {"id": "gpt-5", "baseUrl": "https://api.openai.com/v1", "envKey": "OPENAI_API_KEY"},
}


def _environment(_uid: int | None) -> dict[str, str]:
    # It sits in a sandbox, which it cannot know.
    return {"QWEN_CODE_SUPPRESS_YOLO_WARNING": "1"}


def _commands(launch: Launch) -> tuple[str, str]:
    session = launch.session
    mode = "plan" if session.plan else "yolo" if launch.unasked else "default"
    words = [*launch.program, f"--approval-mode={mode}", *launch.arguments]
    begin = launch.line([*words, "--session-id", session.conversation])
    again = [*words, "--resume", session.conversation]
    if session.print_mode:
        return f"{begin} {launch.prompt_input}", launch.line([*again, f"--prompt={launch.go_on}"])
    if launch.by == "argument":
        return f"{begin} --prompt-interactive={launch.prompt_argument}", launch.line(again)
    if launch.by == "input":
        return f"{begin} {launch.prompt_input} && resume", launch.line(again)
    return begin, launch.line(again)


def _write(place: Place) -> None:
    """A key as the way in, nothing asked, nothing sent home; a model of each provider, of which one is chosen."""
    chosen = next((name for name in _MODELS if name in place.supplied), "dashscope")
    settings = {
        "modelProviders": {"openai": list(_MODELS.values())},
        "model": {"name": _MODELS[chosen]["id"]},
        "security": {"auth": {"selectedType": "openai"}, "folderTrust": {"enabled": False}},
        "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
    }
    place.once(".qwen/settings.json", json.dumps(settings))


def _answer(values: list[dict[str, Any]]) -> Answer | None:
    """`--output-format json`: a list of events, of which the last is like Claude Code's result."""
    from clauderon.known.answers import first_text, object_of, result_object, sums

    answer = result_object(values)
    if answer is None:
        return None
    # What came from a cache is a part of its input.
    used = object_of(answer.body.get("usage"))
    tokens = sums([used] if used else [], ("input_tokens",), ("output_tokens",), ("cache_read_input_tokens",))
    why = object_of(answer.body.get("error")).get("message")
    return answer._replace(text=first_text(answer.text, why), tokens=tokens)


AGENT = Known(
    title="Qwen Code",
    program="qwen",
    install=Install(
        launch="cli-entry.js",
        npm=dict.fromkeys(PLATFORMS, "@qwen-code/qwen-code@{version}"),
        dist_tags="@qwen-code/qwen-code",
        static=True,
        runtime="node",
        runtime_image="node:22",
    ),
    credentials=("dashscope", "openai"),
    lends=(
        Lent(
            credential=Credential(
                name="dashscope",
                hosts=("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com"),
                env=("DASHSCOPE_API_KEY",),
                file="dashscope_api_key",
                model_api=True,
            ),
            placeholder="sk-clauderon-placeholder-the-proxy-has-the-real-key",
            variables=("DASHSCOPE_API_KEY",),
            api="openai",
        ),
    ),
    conversation=Conversation(files=".qwen/projects/*/chats/*", answered='"type":"assistant"'),
    commands=_commands,
    answer=_answer,
    write=_write,
    environment=_environment,
    plan=True,
    tried="0.24.4",
    notes=(
        "DashScope's key is lent, or OpenAI's.",
        (
            "It begins with `qwen3-coder-plus`, or with `gpt-5` where there is only the latter key; "
            "`.qwen/settings.json` in the session's home has the list."
        ),
        "A key of its Coding Plan needs a `[credentials.NAME]` of its own.",
        "It adds two newlines to a prompt that it reads from its input.",
        "Its own `rg` is not executable in its package; it searches without.",
        "A prompt over 120 KiB runs its first turn headless; then the terminal opens on it.",
        "`list` shows `working` from its start to its end.",
    ),
)
