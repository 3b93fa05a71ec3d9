"""The transcript file says everything of a call, and reads back as what was written."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transcripts import format as transcript_format
from tests.transcripts import placeholders
from tests.transcripts.format import Entry, Transcript

_raw = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("<>:WORKID1 \\'\"\n\t\udc80\udcff"))
)
_pieces = st.lists(st.one_of(_raw, st.tuples(st.sampled_from(["ID", "CONTAINER"]), st.integers(1, 9))))


def text(pieces: list[placeholders.Piece]) -> placeholders.Text:
    """Neighbouring strings are one piece, and an empty one is none: as parsing gives them."""
    merged: list[placeholders.Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if isinstance(piece, str) and isinstance(last, str):
            merged[-1] = last + piece
        elif piece != "":
            merged.append(piece)
    return tuple(merged)


texts = _pieces.map(text)
words = texts.filter(bool)


@given(st.lists(words, min_size=1, max_size=5), texts, texts, texts, st.sampled_from([0, 1, 255, "TERM"]))
def test_what_is_written_reads_back(
    argv: list[placeholders.Text],
    stdin: placeholders.Text,
    out: placeholders.Text,
    err: placeholders.Text,
    outcome: int | str,
) -> None:
    entry = Entry(tuple(argv), (("WORK", 0),), stdin=stdin, stdout=out, stderr=err, outcome=outcome)
    transcript = Transcript({"scenario": "x"}, (entry, entry))
    assert transcript_format.parse(transcript_format.render(transcript)) == transcript


@given(st.lists(words, min_size=1, max_size=9), st.integers(0, 400), texts)
def test_no_line_is_longer_than_a_screen_and_a_cut_one_reads_back(
    argv: list[placeholders.Text], size: int, said: placeholders.Text
) -> None:
    long = text(["x" * size, *said, "\0é\x85" * (size // 9), *said, ",{}" * size])
    macros: dict[str, tuple[str, ...]] = {"usual": ("-c", "a=b", "-c", "c.d=e f")}
    words = (
        *argv,
        *((word,) for word in macros["usual"]),
        text(["%", *argv[0]]),
        *([long] if long else []),
        ("-v",),
    )
    entry = Entry(words, (("WORK", 0),), stdin=long, stdout=long, stderr=said)
    transcript = Transcript({"scenario": "x"}, (entry,), macros)
    written = transcript_format.render(transcript)
    assert transcript_format.parse(written) == transcript
    assert "%usual" in written and max(map(len, written.splitlines())) < 1000


def test_what_another_transcript_begins_with_is_written_once() -> None:
    first, second = Entry((("git",),), ("/",)), Entry((("docker",),), ("/",), after=1)
    base = Transcript({"scenario": "base"}, (first,))
    both = Transcript({"scenario": "x", "after": "base"}, (first, second), shared=1)
    written = transcript_format.render(both)
    assert "$ git" not in written
    assert transcript_format.parse(written, {"base": base}.__getitem__) == both


@given(st.lists(st.text("aé $`;&|()\"'\\\n\t-=", min_size=1), min_size=1, max_size=4))
def test_a_shell_reads_the_argv_line_as_the_call(argv: list[str]) -> None:
    entry = Entry(tuple((word,) for word in argv), ("/",))
    whole = transcript_format.render(Transcript({}, (entry,)))
    line = whole.split("\n$ ")[1].split("\n?")[0].replace("\n+ ", "").replace("\n> ", " ")
    said = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True).stdout
    assert said.decode().split("\0")[:-1] == argv


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("hello", "line 1"),
        (f"{transcript_format.MAGIC}\n\n@ /\n$ git\n", "no '?' line"),
        (f"{transcript_format.MAGIC}\n\n@ /\n$ git\n? 0\n\n@ /\n= after 2\n$ git\n? 0\n", "after 2"),
        (f"{transcript_format.MAGIC}\n\n@ /\n$ git <NONSENSE:1>\n? 0\n", "placeholder kind"),
        (f"{transcript_format.MAGIC}\n\n@ /\n$ git 'open\n? 0\n", "cannot read the words"),
        (f"{transcript_format.MAGIC}\n\n@ /\n$ git\n$ git\n? 0\n", "a second"),
        (f"{transcript_format.MAGIC}\n\n@ /\n$ git %none\n? 0\n", "the header has no %none"),
        (f"{transcript_format.MAGIC}\n# after: x\n", "nothing is known of x"),
    ],
)
def test_a_broken_file_is_refused_with_the_reason(source: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        transcript_format.parse(source)


def test_values_get_their_number_once_and_keep_their_kind() -> None:
    numbering = placeholders.Numbering({"WORK": "/scene"})
    first = numbering.pieces("a" * 64 + " in /scene/x\n", ours=False)
    assert first == (("CONTAINER", 1), " in ", ("WORK", 0), "/x\n")
    assert numbering.pieces("a" * 12, ours=True) == (("SHORT", 1),)
    assert numbering.pieces("b" * 64, ours=False) == (("CONTAINER", 2),)
    assert numbering.pieces("sha256:" + "a" * 64, ours=False) == (("SHA256", 1),)


def test_an_address_that_docker_chose_is_one_of_its_network() -> None:
    numbering = placeholders.Numbering({})
    net = ("NET", 1)
    assert numbering.pieces("198.18.0.0/24", ours=False) == (net, ".0/24")
    assert numbering.pieces("198.18.0.1", ours=False) == (net, ".1")
    assert numbering.pieces("198.18.0.1 198.18.0.7", ours=True) == (net, ".1 ", ("IP", 1))


@pytest.mark.parametrize("kind", [kind for kind in placeholders.SHAPES if kind not in ("SHORT",)])
def test_a_made_up_value_has_the_shape_of_its_kind(kind: str) -> None:
    value = placeholders.fake(kind, 3)
    ours = kind == "IP"
    more = ".0/24" if kind == "NET" else ""
    assert placeholders.Numbering({}).pieces(value + more, ours=ours) == (
        (kind, 1),
        *([more] if more else []),
    )
