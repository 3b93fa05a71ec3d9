"""Which header fields may tell a server to take a request for another method or place. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

# Servers that turn fields into variables, and PHP for parameters, take other characters for `_` or leave them out: only
# letters and digits are compared.
_OTHER = re.compile(rb"[^a-z0-9]+")
_OVERRIDING_FIELD = re.compile(
    rb".*(?:method|override).*|.*verb|(?:x|http)*(?:original|rewrite)(?:url|uri|path)"
)
# These fields say nothing about the method of their own request: those of CORS, and of the model APIs' SDKs.
_HARMLESS_FIELDS = frozenset({b"accesscontrolrequestmethod", b"xstainlesshelpermethod"})


def overrides(name: bytes) -> bool:
    """Whether a field of this name may tell a server to take the request for another method or place."""
    return _overrides(name) if len(name) <= 64 else _overrides.__wrapped__(name)


@lru_cache(maxsize=1024)
def _overrides(name: bytes) -> bool:
    known_as = plain(name)
    return _OVERRIDING_FIELD.fullmatch(known_as) is not None and known_as not in _HARMLESS_FIELDS


def plain(text: bytes) -> bytes:
    """Its letters and digits, in lower case."""
    return _OTHER.sub(b"", text.lower())
