"""What a model would answer: pure functions from a request's JSON to the events of its answer.

Four shapes: Anthropic's Messages, OpenAI's Responses and Chat Completions, Google's generateContent. A script of steps decides
what is said: the first step for a user's prompt, the next one for every tool result that came back since.
"""

from __future__ import annotations

import json
import re
import shlex
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Event = dict[str, Any]

DEFAULT_COMMAND = (
    "printf 'Hello from turn {turn}.\\n' >> HELLO.md && git add HELLO.md"
    " && git commit -q -m 'Add a greeting' && git log --oneline -1"
)
# The names under which the agents offer their shell tool, and the argument that takes the command.
_SHELL_TOOLS: dict[str, str] = {
    "Bash": "command",
    "bash": "command",
    "exec_command": "cmd",
    "shell_command": "command",
    "shell": "command",
    "run_shell_command": "command",
}
_ARGV_TOOLS = {"shell"}
# What Copilot puts before a prompt.
_TAGGED = re.compile(r"\A<current_datetime>.*?</current_datetime>\s*", re.DOTALL)
# How the agents' own questions on the side begin (a title for the session); nobody expects a tool there.
_ASIDE = ("Generate a concise, single-line task title",)
# Codex offers its shell inside a tool that takes JavaScript.
_JAVASCRIPT_TOOL = "exec"


@dataclass(frozen=True, slots=True)
class Step:
    """One answer of the model: run a command with the agent's shell tool, or say a text."""

    run: str = ""
    say: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """The steps answered to each user prompt; the last one repeats."""

    steps: tuple[Step, ...] = (Step(run=DEFAULT_COMMAND), Step(say="Done: turn {turn} is committed."))

    @classmethod
    def from_json(cls, text: str) -> Script:
        """`{"steps": [{"run": "..."}, {"say": "..."}]}`; `{turn}`, `{prompt}` and `{prompt_quoted}` are replaced."""
        return cls(tuple(Step(**step) for step in json.loads(text)["steps"]))

    def step(self, talk: Talk) -> Step:
        if not talk.tool or talk.prompt.startswith(_ASIDE):
            # A question on the side (a title, a probe of the quota): never a tool.
            return Step(say="ok")
        step = self.steps[min(talk.results, len(self.steps) - 1)]
        words = {
            "{turn}": str(talk.turn),
            "{prompt_quoted}": shlex.quote(talk.prompt),
            "{prompt}": talk.prompt,
        }
        run, say = step.run, step.say
        for mark, word in words.items():
            run, say = run.replace(mark, word), say.replace(mark, word)
        return Step(run, say)


@dataclass(frozen=True, slots=True)
class Talk:
    """Where a conversation stands.

    turn:    how many prompts the user has typed so far.
    results: how many tool results came back since the last of them.
    prompt:  the last prompt's text.
    tool:    the name of the shell tool on offer, empty if there is none.
    """

    turn: int
    results: int
    prompt: str
    tool: str


def shell_input(tool: str, command: str) -> dict[str, Any]:
    """The tool's arguments that make it run `command`."""
    if tool in _ARGV_TOOLS:
        return {"command": ["sh", "-c", command]}
    arguments: dict[str, Any] = {_SHELL_TOOLS[tool]: command}
    if tool in ("Bash", "bash", "run_shell_command"):
        arguments["description"] = "Run the scripted command"
    if tool == "run_shell_command":
        arguments["is_background"] = False
    return arguments


def javascript(command: str) -> str:
    """The program that makes Codex's `exec` tool run `command`."""
    arguments = json.dumps({"cmd": command})
    return f"const done = await tools.exec_command({arguments});\ntext(done.output ?? done);\n"


def _shell_tool(tools: list[Any]) -> str:
    names = {tool.get("name", "") for tool in tools if isinstance(tool, Mapping)}
    return next((name for name in (*_SHELL_TOOLS, _JAVASCRIPT_TOOL) if name in names), "")


# Anthropic Messages ---------------------------------------------------------------------------------------


def anthropic_talk(request: Mapping[str, Any]) -> Talk:
    turn, results, prompt = 0, 0, ""
    for message in request.get("messages", []):
        if message.get("role") != "user":
            continue
        content = message.get("content", "")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        results += sum(block.get("type") == "tool_result" for block in blocks)
        texts = [block["text"] for block in blocks if block.get("type") == "text"]
        typed = [text for text in texts if not text.startswith("<system-reminder>")]
        if typed and not any(block.get("type") == "tool_result" for block in blocks):
            turn, results, prompt = turn + 1, 0, typed[-1]
    return Talk(turn, results, prompt, _shell_tool(request.get("tools", [])))


def anthropic_message(request: Mapping[str, Any], step: Step, tool: str) -> Event:
    """The whole answer, as a request without `stream` gets it."""
    if step.run:
        block: Event = {
            "type": "tool_use",
            "id": f"toolu_{uuid.uuid4().hex[:24]}",
            "name": tool,
            "input": shell_input(tool, step.run),
        }
    else:
        block = {"type": "text", "text": step.say}
    return {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": request.get("model", "claude-stand-in"),
        "content": [block],
        "stop_reason": "tool_use" if step.run else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 7},
    }


def anthropic_events(message: Event) -> Iterator[Event]:
    """The same answer as server-sent events."""
    start = {**message, "content": [], "stop_reason": None}
    yield {"type": "message_start", "message": start}
    block = message["content"][0]
    if block["type"] == "tool_use":
        yield {"type": "content_block_start", "index": 0, "content_block": {**block, "input": {}}}
        arguments = json.dumps(block["input"])
        half = len(arguments) // 2
        for part in (arguments[:half], arguments[half:]):
            delta = {"type": "input_json_delta", "partial_json": part}
            yield {"type": "content_block_delta", "index": 0, "delta": delta}
    else:
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        for word in block["text"].split(" "):
            yield {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": f"{word} "},
            }
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
        "usage": {"output_tokens": 7},
    }
    yield {"type": "message_stop"}


# OpenAI Responses -----------------------------------------------------------------------------------------


def openai_talk(request: Mapping[str, Any], earlier: list[Any]) -> Talk:
    """earlier: the input items of this connection so far; a WebSocket client sends only what is new."""
    turn, results, prompt = 0, 0, ""
    items = request.get("input", [])
    if isinstance(items, str):
        items = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": items}]}]
    tools = list(request.get("tools", []))
    for item in [*earlier, *items]:
        if item.get("type") == "additional_tools":
            for tool in item.get("tools", []):
                tools += tool.get("tools", [tool])
        elif item.get("type") in ("function_call_output", "custom_tool_call_output"):
            results += 1
        elif item.get("type", "message") == "message" and item.get("role") == "user":
            text = "".join(part.get("text", "") for part in item.get("content", []))
            # Codex puts its own context in user messages that begin with a tag or a heading.
            if not text.startswith(("<", "# AGENTS.md")):
                turn, results, prompt = turn + 1, 0, text
    return Talk(turn, results, prompt, _shell_tool(tools))


def openai_events(request: Mapping[str, Any], step: Step, tool: str) -> Iterator[Event]:
    """The answer's events, the same over SSE and over a WebSocket."""
    response: Event = {
        "id": f"resp_{uuid.uuid4().hex[:24]}",
        "object": "response",
        "status": "in_progress",
        "model": request.get("model", "gpt-stand-in"),
        "output": [],
    }
    if step.run:
        item: Event = {
            "type": "function_call",
            "id": f"fc_{uuid.uuid4().hex[:24]}",
            "call_id": f"call_{uuid.uuid4().hex[:24]}",
            "name": tool,
            "status": "completed",
        }
        if tool == _JAVASCRIPT_TOOL:
            item |= {"type": "custom_tool_call", "input": javascript(step.run)}
        else:
            item["arguments"] = json.dumps(shell_input(tool, step.run))
    else:
        item = {
            "type": "message",
            "id": f"msg_{uuid.uuid4().hex[:24]}",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": step.say, "annotations": []}],
        }
    yield {"type": "response.created", "response": response}
    yield {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress"}}
    if not step.run:
        yield {
            "type": "response.output_text.delta",
            "item_id": item["id"],
            "output_index": 0,
            "content_index": 0,
            "delta": step.say,
        }
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    usage = {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 19,
    }
    yield {
        "type": "response.completed",
        "response": {**response, "status": "completed", "output": [item], "usage": usage},
    }


# What Copilot asks before it asks its model: who the person is, and which models there are.
_COPILOT_MODEL: Mapping[str, Any] = {
    "object": "model",
    "vendor": "test",
    "version": "1",
    "preview": False,
    "is_chat_default": True,
    "model_picker_enabled": True,
    "policy": {"state": "enabled"},
    "supported_endpoints": ["/chat/completions"],
    "capabilities": {
        "type": "chat",
        "family": "gpt-4.1",
        "object": "model_capabilities",
        "tokenizer": "o200k_base",
        "limits": {
            "max_context_window_tokens": 128000,
            "max_prompt_tokens": 120000,
            "max_output_tokens": 8000,
        },
        "supports": {"tool_calls": True, "streaming": True, "parallel_tool_calls": True},
    },
}
GITHUB: Mapping[str, Mapping[str, Any]] = {
    "/copilot_internal/user": {
        "id": 1,
        "login": "ada",
        "copilot_plan": "individual",
        "chat_enabled": True,
        "endpoints": {"api": "https://api.githubcopilot.com"},
    },
    "/models": {
        "data": [{**_COPILOT_MODEL, "id": name, "name": name} for name in ("claude-sonnet-5", "gpt-5-mini")]
    },
}

# OpenAI Chat Completions ----------------------------------------------------------------------------------


def chat_talk(request: Mapping[str, Any]) -> Talk:
    turn, results, prompt = 0, 0, ""
    for message in request.get("messages", []):
        if message.get("role") == "tool":
            results += 1
        elif message.get("role") == "user":
            content = message.get("content") or ""
            parts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
            # What the agents add of their own begins with a tag.
            parts = [_TAGGED.sub("", text) for text in parts]
            typed = [text for text in parts if text and not text.startswith("<")]
            if typed:
                turn, results, prompt = turn + 1, 0, typed[-1]
    tools = [tool.get("function", {}) for tool in request.get("tools") or []]
    return Talk(turn, results, prompt, _shell_tool(tools))


def chat_message(request: Mapping[str, Any], step: Step, tool: str) -> Event:
    """The whole answer, as a request without `stream` gets it."""
    message: Event = {"role": "assistant", "content": step.say or None}
    if step.run:
        function = {"name": tool, "arguments": json.dumps(shell_input(tool, step.run))}
        call = {"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}
        message["tool_calls"] = [call]
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex[:24]}",
        "object": "chat.completion",
        "created": 1700000000,
        "model": request.get("model", "gpt-stand-in"),
        "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls" if step.run else "stop"},
        ],
        "usage": {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19},
    }


def chat_events(whole: Event) -> Iterator[Event]:
    """The same answer as server-sent events; `[DONE]` ends them."""
    common = {**whole, "object": "chat.completion.chunk"}
    del common["usage"]
    choice = whole["choices"][0]
    delta = {**choice["message"]}
    if "tool_calls" in delta:
        delta["tool_calls"] = [{"index": 0, **delta["tool_calls"][0]}]
    yield {**common, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**common, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    yield {**common, "choices": [], "usage": whole["usage"]}


# Google generateContent -----------------------------------------------------------------------------------


def google_talk(request: Mapping[str, Any]) -> Talk:
    turn, results, prompt = 0, 0, ""
    for content in request.get("contents", []):
        if content.get("role") != "user":
            continue
        parts = content.get("parts", [])
        answered = sum("functionResponse" in part for part in parts)
        texts = [part["text"] for part in parts if "text" in part]
        if answered:
            results += answered
        elif texts and not texts[-1].startswith("<session_context>"):
            turn, results, prompt = turn + 1, 0, texts[-1]
    tools = [
        declared for tool in request.get("tools", []) for declared in tool.get("functionDeclarations", [])
    ]
    return Talk(turn, results, prompt, _shell_tool(tools))


def google_answer(request: Mapping[str, Any], step: Step, tool: str) -> Event:
    wanted = request.get("generationConfig", {}).get("responseJsonSchema")
    if wanted is not None and not tool:
        # Gemini's question on the side: which model suits the prompt.
        step = Step(say=json.dumps(_instance(wanted)))
    if step.run:
        part: Event = {"functionCall": {"name": tool, "args": shell_input(tool, step.run)}}
    else:
        part = {"text": step.say}
    return {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 7, "totalTokenCount": 19},
    }


def _instance(schema: Mapping[str, Any]) -> Any:
    """Some value that a JSON schema allows, of the few shapes that occur."""
    if "enum" in schema:
        return schema["enum"][0]
    match str(schema.get("type")).lower():
        case "object":
            return {name: _instance(part) for name, part in schema.get("properties", {}).items()}
        case "array":
            return []
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case _:
            return "ok"
