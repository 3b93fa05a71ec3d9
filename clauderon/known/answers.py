"""An agent's answer as `create --print --json` says it, and what its parts are read with. Pure.

An agent's output is not believed: no function here raises for any value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """text: the last thing the agent said, or why it failed. None is what the agent does not say.

    cost_usd: of the whole run; turns: as the agent counts them; conversation: its own id of it.
    tokens: `input` with what came from a cache, `output` with what was thought, `cached` the part of `input`.
    body: the agent's own JSON: an object, or a list of its events.
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


def result_object(values: list[dict[str, Any]]) -> Answer | None:
    """The last object that has a `result`, with `usage`, `total_cost_usd`, `num_turns` and `session_id` beside it.

    An agent of one's own is read in this way, too.
    """
    body = next(
        (value for value in reversed(values) if "result" in value or value.get("type") == "result"), None
    )
    if body is None:
        return None
    models = objects(object_of(body.get("modelUsage")).values())
    usage = object_of(body.get("usage"))
    if models:
        tokens = sums(
            models,
            ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens"),
            ("outputTokens",),
            ("cacheReadInputTokens",),
        )
    else:
        tokens = sums(
            [usage] if usage else [],
            ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
            ("output_tokens",),
            ("cache_read_input_tokens",),
        )
    errors = body.get("errors")
    why = "\n".join(str(error) for error in errors) if isinstance(errors, list) else ""
    return Answer(
        text=first_text(body.get("result"), why),
        cost_usd=number(body.get("total_cost_usd")),
        turns=whole(body.get("num_turns")),
        tokens=tokens,
        conversation=text(body.get("session_id")),
        body=body,
    )


def sums(
    usages: list[dict[str, Any]], read_in: Iterable[str], put_out: Iterable[str], cached: Iterable[str]
) -> dict[str, int] | None:
    """The sums over all usages of the keys named; None without a usage."""
    if not usages:
        return None

    def total(keys: Iterable[str]) -> int:
        names = tuple(keys)
        return sum(whole(usage.get(key)) or 0 for usage in usages for key in names)

    return {"input": total(read_in), "output": total(put_out), "cached": total(cached)}


def object_of(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(values: Iterable[Any]) -> list[dict[str, Any]]:
    """Those of the values that are objects."""
    return [value for value in values if isinstance(value, dict)]


def text(value: Any) -> str | None:
    """The value if it is a text."""
    return value if isinstance(value, str) else None


def first_text(*values: Any) -> str:
    """The first of the values that is a text and not empty, or an empty one."""
    return next((value for value in values if isinstance(value, str) and value), "")


def number(value: Any) -> float | None:
    """The value if it is a number."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def whole(value: Any) -> int | None:
    """The value if it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
