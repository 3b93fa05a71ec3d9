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


@given(st.lists(st.text("aé $`;&|()\"'\\\n\t-=", min_size=1), min_size=1, max_size=4))
def test_a_shell_reads_the_argv_line_as_the_call(argv: list[str]) -> None:
    entry = Entry(tuple((word,) for word in argv), ("/",))
    line = transcript_format.render(Transcript({}, (entry,))).split("\n$ ")[1].split("\n")[0]
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


def test_an_address_that_docker_chose_stays_as_it_is() -> None:
    numbering = placeholders.Numbering({})
    assert numbering.pieces("198.18.0.1", ours=False) == ("198.18.0.1",)
    assert numbering.pieces("198.18.0.1 198.18.0.7", ours=True) == ("198.18.0.1 ", ("IP", 1))


@pytest.mark.parametrize("kind", [kind for kind in placeholders.SHAPES if kind not in ("SHORT",)])
def test_a_made_up_value_has_the_shape_of_its_kind(kind: str) -> None:
    value = placeholders.fake(kind, 3)
    ours = kind == "IP"
    assert placeholders.Numbering({}).pieces(value, ours=ours) == ((kind, 1),)
