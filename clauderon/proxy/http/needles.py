"""The forms in which a secret may come back, and finding them in a time that tells nothing about the secret. Pure.

Must not compare a text with a part of a secret that somebody could guess. `bytes.find` does: over 1 MiB of one repeated
byte it took 108 us or 371 us, depending on whether that byte was the secret's last. So a text is sampled: of every
`stride` bytes a piece of `size` bytes is looked up in a set, by a hash under a key that is random in each process
(SipHash, as Python hashes bytes). The set holds pieces of the secret's *unknown part*; each has at least BITS bits that
a container cannot know. A piece that is found leads to a comparison of the whole form, in constant time.

The unknown part is the secret without the words and numbers it begins with (`github_pat_`, `sk-ant-api03-`), without
the readable parts of a token with dots (JWT) or with OpenAI's mark, and at most its last TAIL characters.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from hmac import compare_digest
from math import ceil
from typing import NamedTuple

from clauderon.proxy.http.escapes import Escapes
from clauderon.proxy.http.room import Room

BITS = 80
TAIL = 43  # 256 bits in base64. What is before them may be a payload that anybody can read.
# Shorter texts would be found everywhere by chance.
SHORTEST = 8
_AT_ONCE = 512  # pieces of a large text, and of what is left
_FEW = 64

_WORDS = re.compile(r"(?:(?:[A-Za-z]{1,12}[0-9]{0,3}|[0-9]+)[-_.:/])+")
_PREFIXES = ("AIza", "AKIA", "ya29.", "dapi")
_MARKS = (".", "T3BlbkFJ")
# Bits a character has at least, by what the unknown part is made of. Letters of one case may be words.
_ALPHABETS = (
    (re.compile(r"[0-9]+"), 3.32),
    (re.compile(r"[0-9a-f]+|[0-9A-F]+"), 4.0),
    (re.compile(r"[0-9a-f._-]+|[0-9A-F._-]+"), 3.5),
    (re.compile(r"[a-z ._-]+|[A-Z ._-]+"), 1.6),
    (re.compile(r"[0-9a-z]+|[0-9A-Z]+"), 5.16),
)
_MIXED = 5.95
_FOLDED = 5.16

# The bytes that all forms of nearly every secret are made of, those that escapes of them are made of as well, and
# those any secret may be made of.
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="
_TOKEN = _LETTERS + b"%\\&#;"
_PRINTABLE = bytes(range(0x20, 0x7F))
# What nobody escapes; whether a secret has more belongs to its kind, which shows (`mask`). Nor has base64 of such a
# secret a `+` or `/`: those come from six low bits of `>`, `?` or `~`.
_NEVER_ESCAPED = re.compile(r"[A-Za-z0-9_.-]*")
_LONGEST_ESCAPE = 8  # `&#x002B;`

Data = bytes | bytearray | memoryview
Spans = list[tuple[int, int]]


class Form(NamedTuple):
    """One way to write a secret.

    first, last: where its unknown part is; size: how many of that part's bytes have BITS bits, wherever they are taken;
    lead, trail: how many bytes before and after it hold some bits of the secret too.
    """

    text: bytes
    first: int
    last: int
    size: int
    lead: int = 0
    trail: int = 0


class _Sampler:
    """Looks for some forms at once. weak: one has too few unknown bits; then all of the shortest is a piece."""

    __slots__ = ("_disjoint", "_pieces", "_size", "_step", "_unpackers", "stride", "weak")

    def __init__(self, forms: list[Form]) -> None:
        size = max(form.size for form in forms)
        self.weak = min(form.last - form.first for form in forms) < size
        if self.weak:
            size = min(len(form.text) for form in forms)
            forms = [form._replace(first=0, last=len(form.text)) for form in forms]
        self._size = size
        self.stride = stride = min(form.last - form.first for form in forms) - size + 1
        self._pieces: dict[bytes, list[tuple[Form, int]]] = {}
        for form in forms:
            # As many as there are bytes from one sample to the next: one of them is met wherever the form begins.
            for at in range(form.last - size - stride + 1, form.last - size + 1):
                self._pieces.setdefault(form.text[at : at + size], []).append((form, at))
        self._disjoint = frozenset(self._pieces).isdisjoint
        # Samples that overlap are taken in turns, as one unpacking takes none that do.
        self._step = ceil(size / stride) * stride
        self._unpackers: dict[int, Callable[[Data, int], tuple[bytes, ...]]] = {}

    def find(self, text: Data) -> Spans:
        """As `Needles.find`."""
        found: Spans = []
        stride, step, last = self.stride, self._step, len(text) - self._size
        block = 0
        while block <= last:
            most = _AT_ONCE if last - block >= _AT_ONCE * step else _FEW
            for at in range(block, min(block + step, last + 1), stride):
                pieces = self._unpack(min((last - at) // step + 1, most))(text, at)
                if not self._disjoint(pieces):
                    found += self._verified(text, at, pieces)
            block += most * step
        return found

    def _unpack(self, number: int) -> Callable[[Data, int], tuple[bytes, ...]]:
        """What takes so many pieces out of a text, from a place on."""
        unpack = self._unpackers.get(number)
        if unpack is None:
            piece = f"{self._size}s"
            layout = struct.Struct(f"{piece}{self._step - self._size}x" * (number - 1) + piece)
            unpack = self._unpackers[number] = layout.unpack_from
        return unpack

    def _verified(self, text: Data, at: int, pieces: Sequence[bytes]) -> Iterator[tuple[int, int]]:
        for number, piece in enumerate(pieces):
            for form, offset in self._pieces.get(piece, ()):
                start = at + number * self._step - offset
                end = start + len(form.text)
                if start >= 0 and end <= len(text) and compare_digest(bytes(text[start:end]), form.text):
                    yield max(0, start - form.lead), end + form.trail


def _samplers(forms: list[Form]) -> list[_Sampler]:
    """One for all, or one each for those that tell more and less by their bytes, if that makes for fewer samples."""
    together = _Sampler(forms)
    least = max(form.size for form in forms)
    dense, wide = ([form for form in forms if (form.size < least) is fewer] for fewer in (True, False))
    if dense and wide:
        apart = [_Sampler(dense), _Sampler(wide)]
        weak = any(sampler.weak for sampler in apart)
        if not weak and sum(1 / sampler.stride for sampler in apart) < 1 / together.stride:
            return apart
    return [together]


class Needles:
    """All forms of one secret, which is sent with the name `user` if it is sent by Basic.

    keep: no form is longer, with what is beside it; shortest: none is shorter. weak: fewer than BITS bits of the secret
    are unknown. Then nothing shorter than it is looked for, at every byte, which is slow; and it can be guessed.
    """

    __slots__ = ("_alphabet", "_escapes", "_room", "_samplers", "keep", "shortest", "weak")

    def __init__(self, secret: str, user: str | None = None) -> None:
        forms = _forms(secret, user)
        self._samplers = _samplers(forms)
        self.weak = any(sampler.weak for sampler in self._samplers)
        self.shortest = min(len(form.text) for form in forms)
        longest = max(form.lead + len(form.text) + form.trail for form in forms)
        token = all(not set(form.text) - set(_LETTERS) for form in forms)
        self._alphabet = _TOKEN if token else _PRINTABLE
        self._room = Room(_LETTERS if token else bytes(range(256)), self.shortest)
        self._escapes: Escapes | None = None
        if not _NEVER_ESCAPED.fullmatch(secret):
            longest *= _LONGEST_ESCAPE
            self._escapes = _escapes(self._alphabet, self.shortest, longest)
        # The length is rounded, so that it does not even say how long the secret is.
        self.keep = -(-longest // 64) * 64

    def find(self, text: Data) -> Spans:
        """Where a whole form is in `text`, with the bytes beside it that hold bits of it.

        The last span may end beyond the text: by what comes after it.
        """
        found = self._found(text)
        if self._escapes is not None:
            text = bytes(text)
            for word in self._escapes.words(text):
                inside = self._found(word.read)
                if inside:
                    places = word.places(text)
                    for start, end in inside:
                        after = end - len(word.read)
                        found.append((places[start], word.end + after if after > 0 else places[end]))
        return found

    def _found(self, text: Data) -> Spans:
        found: Spans = []
        if not self._room.in_text(text):
            return found
        for sampler in self._samplers:
            found += sampler.find(text)
        return found

    def growing(self, text: Data) -> int:
        """How many bytes at the end of `text` may be the beginning of a form, whatever the secret is.

        They are those after the last byte that no secret of this kind holds, and fewer than `keep`.
        """
        tail = bytes(text[-self.keep + 1 :])
        return len(tail) - len(tail.rstrip(self._alphabet))


def joined(several: Sequence[Needles]) -> Needles:
    """What looks for each of several secrets."""
    if all(each is several[0] for each in several):
        return several[0]
    made = object.__new__(Needles)
    widest = max(several, key=lambda each: len(each._alphabet))
    made._samplers = [sampler for each in several for sampler in each._samplers]
    made._alphabet = widest._alphabet
    most, least = max(each.keep for each in several), min(each.shortest for each in several)
    escaped = any(each._escapes is not None for each in several)
    made._escapes = _escapes(widest._alphabet, least, most) if escaped else None
    made.keep, made.shortest = most, least
    made.weak = any(each.weak for each in several)
    made._room = Room(max((each._room.letters for each in several), key=len), least)
    return made


def _escapes(alphabet: bytes, least: int, most: int) -> Escapes:
    return Escapes(_LETTERS if alphabet is _TOKEN else alphabet, alphabet, least, most)


def _unknown(secret: str) -> int:
    """Where the unknown part of a secret begins."""
    start = 0
    match = _WORDS.match(secret)
    while match is not None and len(secret) - match.end() < 20:
        match = _WORDS.match(secret, 0, match.end() - 1)
    if match is not None:
        start = match.end()
    for prefix in _PREFIXES:
        if secret.startswith(prefix, start):
            start += len(prefix)
    for mark in _MARKS:
        after = secret.rfind(mark) + len(mark)
        if after > start and mark in secret and len(secret) - after >= 20:
            start = after
    return max(start, len(secret) - TAIL)


def _forms(secret: str, user: str | None) -> list[Form]:
    """The secret as it is first, each text once; as it is once escapes are undone."""
    first = _unknown(secret)
    bits = next((bits for alphabet, bits in _ALPHABETS if alphabet.fullmatch(secret[first:])), _MIXED)
    size = ceil(BITS / bits)
    size64 = _whole_characters(size)
    folded = ceil(BITS / min(bits, _FOLDED))
    forms = [Form(secret.encode(), first, len(secret), size)]
    forms += [Form(text.encode(), first, len(secret), folded) for text in _folded(secret)]
    if user is not None:
        whole = f"{user}:{secret}".encode()
        start, end = ceil((len(whole) - len(secret) + first) * 8 / 6), len(whole) * 8 // 6
        basic = base64.b64encode(whole)
        forms += [Form(basic, start, end, size64), *_coded(basic, start, end, size64)]
    forms += _coded(secret.encode(), first, len(secret), size)
    once: dict[bytes, Form] = {}
    for form in forms:
        once.setdefault(form.text, form)
    return list(once.values())


def _folded(secret: str) -> list[str]:
    """As the name of a host, of a variable, and of a field by Go's and Node's rules."""
    names = (part[:1].upper() + part[1:].lower() for part in secret.split("-"))
    return [secret.lower(), secret.upper(), secret.upper().replace("-", "_"), "-".join(names)]


def _coded(text: bytes, first: int, last: int, size: int) -> list[Form]:
    """In base64 and base64url, behind any number of other bytes. first, last, size: as of a Form."""
    forms = []
    for shift in range(3):
        core, lead, trail = _core(text, shift)
        before = ceil(shift * 8 / 6)
        start, end = ceil((shift + first) * 8 / 6) - before, (shift + last) * 8 // 6 - before
        for form in (core, core.translate(bytes.maketrans(b"+/", b"-_"))):
            forms.append(Form(form, start, end, _whole_characters(size), lead, trail))
    return forms


def _whole_characters(size: int) -> int:
    """How many of base64 hold as much as so many bytes, wherever in one of them these begin."""
    return ceil((size * 8 + 6) / 6)


def _core(secret: bytes, shift: int) -> tuple[bytes, int, int]:
    """What base64 makes of the secret behind `shift` other bytes, whatever is around it; and how many characters
    before and after that have bits of it as well."""
    coded = base64.b64encode(bytes(shift) + secret + bytes(2))
    first, last = ceil(shift * 8 / 6), (shift + len(secret)) * 8 // 6
    return coded[first:last], int(shift > 0), int((shift + len(secret)) * 8 % 6 > 0)
