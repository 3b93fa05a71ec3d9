"""The forms in which a secret may come back, and finding them in a time that says nothing of the secret. Pure.

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
import html
import json
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from hmac import compare_digest
from math import ceil
from typing import NamedTuple
from urllib.parse import quote

BITS = 80
TAIL = 43  # 256 bits in base64. What is before them may be a payload that anybody can read.
# What is shorter would be found everywhere by chance.
SHORTEST = 8
_AT_ONCE = 64  # pieces

_WORDS = re.compile(r"(?:(?:[A-Za-z]{1,12}[0-9]{0,3}|[0-9]+)[-_.:/])+")
_PREFIXES = ("AIza", "AKIA", "ya29.", "dapi")
_MARKS = (".", "T3BlbkFJ")
# How a URL, JSON and HTML write a character; of JSON and HTML also as Gson and Go do.
_WAYS: tuple[Callable[[str], str], ...] = (
    lambda text: quote(text, safe=""),
    lambda text: re.sub("%..", lambda match: match[0].lower(), quote(text, safe="")),
    lambda text: quote(text, safe="/"),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text)[1:-1].replace("/", r"\/"),
    lambda text: re.sub("[&<>]", lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text)[1:-1]),
    lambda text: re.sub("[&<>=']", lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text)[1:-1]),
    html.escape,
    lambda text: html.escape(text).replace("&#x27;", "&#39;"),
    lambda text: html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
)
_ESCAPES = (b"%", b"\\", b"&")
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

# The bytes that all forms of nearly every secret are made of, and those any secret may be made of.
_TOKEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=%\\"
_PRINTABLE = bytes(range(0x20, 0x7F))

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
        for block in range(0, last + 1, _AT_ONCE * step):
            for at in range(block, min(block + step, last + 1), stride):
                pieces = self._unpack(min((last - at) // step + 1, _AT_ONCE))(text, at)
                if not self._disjoint(pieces):
                    found += self._verified(text, at, pieces)
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

    __slots__ = ("_alphabet", "_escaped", "_plain", "keep", "shortest", "weak")

    def __init__(self, secret: str, user: str | None = None) -> None:
        plain, escaped = _forms(secret, user)
        self._plain = _samplers(plain)
        # Apart, as they are rare and make samples dense; looked for only where there is an escape of their kind.
        # In base64 there may be some or none, and which it is is not to be seen.
        marks = [mark for mark in _ESCAPES if user is not None or any(mark in form.text for form in escaped)]
        self._escaped = [(marks, _Sampler(escaped))] if escaped else []
        self.weak = any(sampler.weak for sampler in self._plain)
        self.shortest = min(len(form.text) for form in plain)
        longest = max(form.lead + len(form.text) + form.trail for form in plain + escaped)
        if user is not None:
            longest = max(longest, 4 * len(f"{user}:{secret}"))  # base64, and each character of that as three
        # In steps, so that it does not even say how long the secret is.
        self.keep = -(-longest // 64) * 64
        token = all(not set(form.text) - set(_TOKEN) for form in plain)
        self._alphabet = _TOKEN if token else _PRINTABLE

    def find(self, text: Data) -> Spans:
        """Where a whole form is in `text`, with the bytes beside it that hold bits of it.

        The last span may end beyond the text: by what comes after it.
        """
        found: Spans = []
        for sampler in self._plain:
            found += sampler.find(text)
        if self._escaped:
            text = bytes(text)
            for marks, sampler in self._escaped:
                if any(mark in text for mark in marks):
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
    made._plain = [sampler for each in several for sampler in each._plain]
    made._escaped = [pair for each in several for pair in each._escaped]
    made._alphabet = max((each._alphabet for each in several), key=len)
    made.keep, made.shortest = max(each.keep for each in several), min(each.shortest for each in several)
    made.weak = any(each.weak for each in several)
    return made


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


def _forms(secret: str, user: str | None) -> tuple[list[Form], list[Form]]:
    """Those without escapes, the secret as it is first, and those with; each text once."""
    first = _unknown(secret)
    bits = next((bits for alphabet, bits in _ALPHABETS if alphabet.fullmatch(secret[first:])), _MIXED)
    size = ceil(BITS / bits)
    size64 = ceil((size * 8 + 6) / 6)  # as many whole characters, wherever in one it begins
    forms = [Form(secret.encode(), first, len(secret), size)]
    for folded in (secret.lower(), secret.upper()):
        forms.append(Form(folded.encode(), first, len(secret), ceil(BITS / min(bits, _FOLDED))))
    escaped = _escaped(secret, first, len(secret), size)
    if user is not None:
        whole = f"{user}:{secret}".encode()
        basic = base64.b64encode(whole).decode()
        start, end = ceil((len(whole) - len(secret) + first) * 8 / 6), len(whole) * 8 // 6
        forms.append(Form(basic.encode(), start, end, size64))
        escaped += _escaped(basic, start, end, size64)
    for shift in range(3):
        core, lead, trail = _core(secret.encode(), shift)
        start = ceil((shift + first) * 8 / 6) - ceil(shift * 8 / 6)
        for text in (core, core.translate(bytes.maketrans(b"+/", b"-_"))):
            forms.append(Form(text, start, len(text), size64, lead, trail))
    plain: dict[bytes, Form] = {}
    for form in forms:
        plain.setdefault(form.text, form)
    others = {form.text: form for form in escaped if form.text not in plain}
    return list(plain.values()), list(others.values())


def _core(secret: bytes, shift: int) -> tuple[bytes, int, int]:
    """What base64 makes of the secret behind `shift` other bytes, whatever is around it; and how many characters
    before and after that have bits of it as well."""
    coded = base64.b64encode(bytes(shift) + secret + bytes(2))
    first, last = ceil(shift * 8 / 6), (shift + len(secret)) * 8 // 6
    return coded[first:last], int(shift > 0), int((shift + len(secret)) * 8 % 6 > 0)


def _escaped(text: str, first: int, last: int, size: int) -> list[Form]:
    """As a URL, JSON and HTML have it. first, last, size: as of a Form."""
    forms = []
    for way in _WAYS:
        written = [way(character) for character in text]
        start, end = len("".join(written[:first])), len("".join(written[:last]))
        # An escape tells no more than its character, and a piece may begin and end inside of one.
        lengths = [len(each) for each in written[first:last]]
        longest = max(lengths, default=1)
        windows = range(max(1, len(lengths) - size + 1))
        needed = max(sum(lengths[at : at + size]) for at in windows) + 2 * (longest - 1)
        forms.append(Form("".join(written).encode(), start, end, needed))
    return forms
