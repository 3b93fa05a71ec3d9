"""Say what a GraphQL request may change: the names of its mutations. Pure.

Reads a document only as far as that needs. What it cannot read for certain is refused: another reader might find in
it what this one does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

_TOKEN = re.compile(
    r"[\s,\ufeff]+|#[^\n\r]*|(?P<name>[_A-Za-z][_0-9A-Za-z]*)|(?P<spread>\.\.\.)|(?P<sign>[!$&():=@\[\]{|}])"
    r'|"""(?:\\"""|[^"]|"(?!""))*"""|"(?:[^"\\\n\r]|\\.)*"|-?[0-9][0-9.eE+-]*'
)
# A request's parts. Others (a stored document's id, extensions) make a server run what is not here.
_KNOWN = frozenset({"query", "variables", "operationName"})
_MOST_BATCHED = 100


class Unclear(ValueError):
    """The request is not surely a document that is read here. Its text says why."""


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8 that every reader takes for the same. Raises Unclear."""
    found = _json(body)
    if not isinstance(found, dict):
        raise Unclear("the body is not a JSON object")
    return found


def mutations_of_body(body: bytes) -> set[str]:
    """The root fields of the mutations in a JSON body, a batch's too; empty where it only asks. Raises Unclear."""
    data = _json(body)
    requests = data if isinstance(data, list) else [data]
    if not 0 < len(requests) <= _MOST_BATCHED:
        raise Unclear("a batch of that size")
    found: set[str] = set()
    for request in requests:
        found |= _mutations_of_request(request)
    return found


def mutations_of_query(query: bytes) -> set[str]:
    """The same for what is after a URL's `?`. Raises Unclear."""
    if b";" in query:
        raise Unclear("a `;`, which parts parameters to some servers")  # Rack before 3, PHP by a setting
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise Unclear("the parameters cannot be read") from None
    return _mutations_of_request(_object(pairs))


def mutations(document: str) -> set[str]:
    """The root fields of every mutation in a document. Raises Unclear, for a subscription as well."""
    tokens = _tokens(document)
    found: set[str] = set()
    empty = True
    for kind, text in tokens:
        empty = False
        if text == "{":
            _selection(tokens, None)
        elif kind == "name" and text in ("query", "fragment", "mutation"):
            _to_selection(tokens)
            _selection(tokens, found if text == "mutation" else None)
        else:
            raise Unclear(f"a {text}" if text == "subscription" else "a document of another form")
    if empty:
        raise Unclear("no document")
    return found


def _mutations_of_request(request: Any) -> set[str]:
    if not isinstance(request, dict) or not isinstance(request.get("query"), str):
        raise Unclear("no document")
    other = sorted(request.keys() - _KNOWN)
    if other:
        raise Unclear(f"{other[0][:40]!a} beside the document")
    return mutations(request["query"])


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_object)
    except Unclear:
        raise
    except (ValueError, RecursionError):
        raise Unclear("the body is not JSON") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unclear("a key that is there twice")
    return found


def _tokens(document: str) -> Iterator[tuple[str, str]]:
    """The names and signs of a document, without its strings and comments."""
    at = 0
    while at < len(document):
        match = _TOKEN.match(document, at)
        if match is None:
            raise Unclear("a character that no document has there")
        at = match.end()
        if match.lastgroup is not None:
            yield match.lastgroup, match[0]


def _to_selection(tokens: Iterator[tuple[str, str]]) -> None:
    """Skip an operation's name, variables and directives, up to where its fields begin."""
    depth = 0
    for _, text in tokens:
        if text in ("(", "["):
            depth += 1
        elif text in (")", "]"):
            depth -= 1
        elif text == "{" and not depth:
            return
    raise Unclear("a document that breaks off")


def _selection(tokens: Iterator[tuple[str, str]], names: set[str] | None) -> None:
    """Skip what is in braces, the first of which was read; add its root fields to `names`, if given."""
    depth, arguments, directive, candidate = 1, 0, False, ""
    for kind, text in tokens:
        if candidate and names is not None and text != ":":  # with one, it was an alias
            names.add(candidate)
        candidate = ""
        at_root = depth == 1 and not arguments and names is not None
        if text in ("{", "}") and not arguments:
            depth += 1 if text == "{" else -1
            if not depth:
                return
        elif text in ("(", "["):
            arguments += 1
        elif text in (")", "]"):
            arguments -= 1
        elif at_root and kind == "spread":
            raise Unclear("a fragment instead of a mutation's fields")
        elif at_root and kind == "name" and not directive:
            candidate = text
        directive = text == "@"
    raise Unclear("a document that breaks off")
