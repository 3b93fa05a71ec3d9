"""Which mutations a GraphQL request holds; whatever is not sure is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clauderon.proxy.policy import graphql

READS = [
    "{ viewer { login } }",
    "query { viewer { login } }",
    'query Q($a: In = {x: [1, 2]}, $b: [String!]!) @d(a: "}") { a(b: {c: "mutation {"}) { ...F } } fragment F on T { x }',
    "# mutation { x }\nquery { a }",
    'query { a(text: """ } mutation { x } \\""" """) { b } }',
    "\ufeff,,query{a}",
    "query { mutation { deleteIt } }",
    'query { a(b: "\\"} mutation {") }',
    "query { ...F ... on T { x } ... @include(if: true) { y } } fragment F on Q { z }",
]
CHANGES = [
    ("mutation { deleteIt(id: 1) { id } }", {"deleteIt"}),
    ("mutation{a b}", {"a", "b"}),
    ("mutation M($x: I! = {y: 1}) @d { ok: deleteIt(input: {good: 1}) { clientMutationId } }", {"deleteIt"}),
    ("mutation { good { x } good: bad }", {"good", "bad"}),
    ("mutation { good: bad good }", {"good", "bad"}),
    ("mutation { a @skip(if: false) { b } }", {"a"}),
    ("query { a } mutation { deleteIt }", {"deleteIt"}),
    ("#\rmutation { deleteIt }", {"deleteIt"}),
    ('query { a(x: "#") } mutation { deleteIt }', {"deleteIt"}),
    ("query { a(x: \"\"\"\"\"\") } mutation { deleteIt }", {"deleteIt"}),
]  # fmt: skip
UNCLEAR = [
    "", "#", "subscription { a }", "mutation { ...F } fragment F on M { deleteIt }", "mutation { ... on M { x } }", "mutation {",
    "query", "extend type Q { a: Int }", "query { a } }", "query { a(b: \"", "query { a } \x00", "mutati\u043en { a }", "é",
    'query { a(b: """) }', "type Q { a: Int }",
]  # fmt: skip


def _body(document: object, **more: object) -> bytes:
    return json.dumps({"query": document, **more}).encode()


@pytest.mark.parametrize("document", READS)
def test_a_question_changes_nothing(document: str) -> None:
    assert (
        graphql.mutations_of_body(_body(document, variables={"query": "mutation { x }"}, operationName=None))
        == set()
    )


@pytest.mark.parametrize(("document", "names"), CHANGES)
def test_a_mutation_is_known_by_its_own_name(document: str, names: set[str]) -> None:
    """Seen to fail without the look for a colon: an alias was taken for the name."""
    assert graphql.mutations(document) == names
    assert graphql.mutations_of_body(json.dumps([{"query": "{a}"}, {"query": document}]).encode()) == names


@pytest.mark.parametrize("document", UNCLEAR)
def test_what_is_not_sure_is_refused(document: str) -> None:
    """Seen to fail with fragments passed over, and with unknown characters skipped."""
    with pytest.raises(graphql.Unclear):
        graphql.mutations(document)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"1", b"[]", b"{}", b"\xff", _body(1), _body("{a}", id="abc"), _body("{a}", documentId="x"), _body("{a}", extensions={}),
        b'{"query": "{a}", "query": "mutation {x}"}', '{"query": "{a}"}'.encode("utf-16"), b"[" * 50_000,
        json.dumps([{"query": "{a}"}] * 101).encode(), json.dumps([{"query": "{a}"}, {"id": "x"}]).encode(),
        b"\xef\xbb\xbf" + _body("{a}"),
    ],
)  # fmt: skip
def test_a_body_that_another_may_read_otherwise_is_refused(body: bytes) -> None:
    """Seen to fail without the look at other keys, and at those that are there twice."""
    with pytest.raises(graphql.Unclear):
        graphql.mutations_of_body(body)


def test_the_parameters_of_a_url_are_read_as_well() -> None:
    assert graphql.mutations_of_query(b"query=%7Ba%7D") == set()
    assert graphql.mutations_of_query(b"query=mutation%7BdeleteIt%7D") == {"deleteIt"}
    for query in (
        b"query=%7Ba%7D&query=mutation%7BdeleteIt%7D",
        b"query=%7Ba%7D%23;query=mutation%7BdeleteIt%7D",  # to us a comment, to Rack a second document
        b"id=abc",
        b"query=%7Ba%7D&id=1",
        b"a",
        b"query=%ff",
        b"\xff=1",
    ):
        with pytest.raises(graphql.Unclear):
            graphql.mutations_of_query(query)


_SPACE = st.sampled_from([" ", "\n", ",", "\t", "# } mutation {\n", "\ufeff", " , "])
_ARGUMENT = st.sampled_from(
    ['(a: "}")', "(a: {b: [1, {c: 2}]})", '(a: """ "} {" """)', "", "(a: $v)", '(a: "\\\\")']
)
_FIELD = st.tuples(
    st.sampled_from(["good", "x: good", "y:good"]),
    _ARGUMENT,
    st.sampled_from(["", "{ id }", "@d(if: true) { a { b } }"]),
)


@given(fields=st.lists(_FIELD, min_size=1, max_size=4), spaces=st.lists(_SPACE, min_size=8, max_size=8),
       place=st.integers(0, 4), alias=st.sampled_from(["", "good:", "x :"]))  # fmt: skip
def test_a_mutation_hides_nowhere(
    fields: list[tuple[str, str, str]], spaces: list[str], place: int, alias: str
) -> None:
    """Seen to fail without the look for a colon."""
    words = [
        "".join((name, arguments, space, selection))
        for (name, arguments, selection), space in zip(fields, spaces, strict=False)
    ]
    document = spaces[4].join(["mutation", "{", *words, "}"])
    assert graphql.mutations(document) == {"good"}
    words.insert(place, f"{alias}bad")
    found = graphql.mutations(f"query {{ a }}{spaces[5]}mutation{{{spaces[6].join(words)}{spaces[7]}}}")
    assert "bad" in found
