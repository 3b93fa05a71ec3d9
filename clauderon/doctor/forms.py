"""The forms in which a secret may lie about, and finding them in a stream of bytes. Pure.

For a person's own search of a session, where time tells nobody anything: the proxy's own search is `http/needles`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, quote_plus

# Shorter texts are found everywhere by chance.
SHORTEST = 8
_BLANK = b" \t\r\n\\\"'+"


class Form(NamedTuple):
    """One way to write a secret. kind: in words; dense: the text without what may come between its pieces."""

    credential: str
    kind: str
    text: bytes
    dense: bytes


def forms(credential: str, secret: str, user: str = "") -> list[Form]:
    """Every form that is looked for, each text once. Empty for a secret that is too short to be told from chance."""
    if len(secret) < SHORTEST:
        return []
    raw = secret.encode()
    found = [("plain", raw), ("reversed", raw[::-1]), ("hexadecimal", raw.hex().encode())]
    found.append(("hexadecimal", raw.hex().upper().encode()))
    found.append(("UTF-16", secret.encode("utf-16-le")))
    found += [("base64", text) for text in _base64(raw)]
    found += [
        ("base64, as Basic sends it", text) for text in _base64(f"{user}:{secret}".encode(), len(user) + 1)
    ]
    for escaped in (quote(secret, safe=""), quote_plus(secret), "".join(f"%{byte:02x}" for byte in raw)):
        found += [("URL-encoded", escaped.encode()), ("URL-encoded", escaped.upper().encode())]
    found.append(("upper case", secret.upper().encode()))
    found.append(("lower case", secret.lower().encode()))
    once: dict[bytes, Form] = {}
    for kind, text in found:
        if len(text) >= SHORTEST:
            once.setdefault(text, Form(credential, kind, text, text.translate(None, _BLANK)))
    return list(once.values())


def _base64(raw: bytes, skip: int = 0) -> Iterator[bytes]:
    """`raw` in base64 wherever it begins in what was encoded: the characters that depend on it alone.

    skip: how many bytes at its beginning are no secret, and need not be found.
    """
    for before in range(3):
        text = base64.b64encode(b"\0" * before + raw)
        first = -(-(before + skip) * 8 // 6)
        last = (before + len(raw)) * 8 // 6
        yield text[first:last]
        yield text[first:last].translate(bytes.maketrans(b"+/", b"-_"))


class Search:
    """Looks for forms in one stream: `feed` its pieces, then `found` has each form's kind by credential.

    A form that is broken into lines, quoted in pieces or joined by `+` is found as well: the stream is looked through
    once more without such characters.
    """

    def __init__(self, wanted: list[Form]) -> None:
        self._wanted = wanted
        self._keep = max((len(form.text) for form in wanted), default=1) - 1
        self._tail = self._dense = b""
        # (credential, kind), in the order they were found
        self.found: dict[tuple[str, str], None] = {}

    def feed(self, data: bytes) -> None:
        """Look through the next piece, and where it meets the one before."""
        text = self._tail + data
        dense = self._dense + data.translate(None, _BLANK)
        for form in self._wanted:
            if form.text in text:
                self.found[form.credential, form.kind] = None
            elif len(form.dense) >= SHORTEST and form.dense in dense:
                self.found[form.credential, f"{form.kind}, in pieces"] = None
        self._tail = text[-self._keep :] if self._keep else b""
        self._dense = dense[-self._keep :] if self._keep else b""
