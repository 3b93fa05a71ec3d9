"""What an agent printed for `create --print --json`, taken apart: its answer, its cost, its tokens. Pure.

One function an agent, for what its own JSON form says; what is not of that form is the answer as it is. An agent's
output is not believed: no function here raises for any text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from clauderon.agents import registry
from clauderon.config.schema import Agent

# Nothing that an agent printed before or after its result is read further than this.
_MOST_VALUES = 100_000


class Answer(NamedTuple):
    """text: the last thing the agent said, or why it failed. None is what the agent does not say.

    cost_usd: of the whole run; turns: as the agent counts them; conversation: its own id of it.
    tokens: `input` with what came from a cache, `output` with what was thought, `cached` the part of `input`.
    body: the agent's own JSON: an object, or for Codex the list of its events.
    """

    text: str
    cost_usd: float | None = None
    turns: int | None = None
    tokens: dict[str, int] | None = None
    conversation: str | None = None
    body: Any = None

    def row(self) -> dict[str, Any]:
        """Plain values, fit for JSON; `agent_result` only where there is one."""
        row: dict[str, Any] = {
            "result": self.text,
            "cost_usd": self.cost_usd,
            "tokens": self.tokens,
            "turns": self.turns,
            "conversation": self.conversation,
        }
        return row if self.body is None else {**row, "agent_result": self.body}


def read(agent: Agent, output: str) -> Answer:
    """The answer in an agent's whole stdout; of several, as after a start anew, the last one."""
    name = agent.name if registry.builtin(agent) else ""
    values = [value for value in _values(output) if isinstance(value, dict)]
    return _READERS.get(name, _claude)(values) or Answer(output)


def _claude(values: list[dict[str, Any]]) -> Answer | None:
    """`--output-format json`. An agent of one's own that prints an object with a `result` is read likewise."""
    body = next(
        (value for value in reversed(values) if "result" in value or value.get("type") == "result"), None
    )
    if body is None:
        return None
    models = _objects(_object(body.get("modelUsage")).values())
    usage = _object(body.get("usage"))
    if models:
        tokens = _tokens(
            models,
            ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens"),
            ("outputTokens",),
            ("cacheReadInputTokens",),
        )
    else:
        tokens = _tokens(
            [usage] if usage else [],
            ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
            ("output_tokens",),
            ("cache_read_input_tokens",),
        )
    errors = body.get("errors")
    why = "\n".join(str(error) for error in errors) if isinstance(errors, list) else ""
    return Answer(
        text=_first_text(body.get("result"), why),
        cost_usd=_number(body.get("total_cost_usd")),
        turns=_whole(body.get("num_turns")),
        tokens=tokens,
        conversation=_text(body.get("session_id")),
        body=body,
    )


def _codex(values: list[dict[str, Any]]) -> Answer | None:
    """The events of `codex exec --json`, one a line."""
    events = [value for value in values if isinstance(value.get("type"), str)]
    if not any(event["type"].startswith(("thread.", "turn.", "item.")) for event in events):
        return None
    said, why, ids = [], [], []
    for event in events:
        item = _object(event.get("item"))
        if event["type"] == "item.completed" and item.get("type") == "agent_message":
            said.append(item.get("text"))
        elif event["type"] == "turn.failed":
            why.append(_object(event.get("error")).get("message"))
        elif event["type"] == "error":
            why.append(event.get("message"))
        elif event["type"] == "thread.started":
            ids.append(_text(event.get("thread_id")))
    ended = [event for event in events if event["type"] == "turn.completed"]
    # Each says what its own turn used.
    usages = _objects(event.get("usage") for event in ended)
    return Answer(
        text=_first_text(*reversed(said), *reversed(why)),
        turns=len(ended),
        tokens=_tokens(usages, ("input_tokens",), ("output_tokens",), ("cached_input_tokens",)),
        conversation=ids[-1] if ids else None,
        body=events,
    )


def _gemini(values: list[dict[str, Any]]) -> Answer | None:
    """`--output-format json`: an object with a `response`, or with an `error`."""
    body = next((value for value in reversed(values) if "response" in value or "error" in value), None)
    if body is None:
        return None
    models = _objects(_object(_object(body.get("stats")).get("models")).values())
    usages = _objects(model.get("tokens") for model in models)
    return Answer(
        text=_first_text(body.get("response"), _object(body.get("error")).get("message")),
        tokens=_tokens(usages, ("prompt",), ("candidates", "thoughts"), ("cached",)),
        conversation=_text(body.get("session_id")),
        body=body,
    )


_READERS: Mapping[str, Callable[[list[dict[str, Any]]], Answer | None]] = {
    "claude": _claude,
    "codex": _codex,
    "gemini": _gemini,
}


def _values(output: str) -> Iterator[Any]:
    """The JSON objects that begin at the start of a line; other lines are words of the agent's, left out."""
    decoder = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite)
    at, found = 0, 0
    while at < len(output) and found < _MOST_VALUES:
        if output[at] == "{":
            try:
                value, at = decoder.raw_decode(output, at)
                found += 1
                yield _printable(value)
                continue
            except (ValueError, RecursionError):
                pass
        end = output.find("\n", at)
        at = len(output) if end < 0 else end + 1


def _printable(value: Any) -> Any:
    """The same without halves of UTF-16 pairs, which a cut text has and no UTF-8 can hold."""
    text = json.dumps(value, ensure_ascii=False)
    if text.isascii():
        return value
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _finite(text: str) -> float | None:
    """What JSON can say again: 1e999 is infinite here."""
    value = float(text)
    return value if math.isfinite(value) else None


def _tokens(
    usages: list[dict[str, Any]], read_in: Iterable[str], put_out: Iterable[str], cached: Iterable[str]
) -> dict[str, int] | None:
    """The sums over all usages of the keys named; None without a usage."""
    if not usages:
        return None

    def total(keys: Iterable[str]) -> int:
        names = tuple(keys)
        return sum(_whole(usage.get(key)) or 0 for usage in usages for key in names)

    return {"input": total(read_in), "output": total(put_out), "cached": total(cached)}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(values: Iterable[Any]) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _first_text(*values: Any) -> str:
    return next((value for value in values if isinstance(value, str) and value), "")


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
