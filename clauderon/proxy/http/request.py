"""Read the heads of HTTP/1.x requests strictly and write them back with as little changed as can be. Pure.

A head is the bytes before the empty line. Whatever two parsers could read differently is refused, not repaired.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product

from clauderon.proxy.http.fields import CRLF, END, FieldTable, HeadError, parse_length, split_head

_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}) ([^\x00-\x20\x7f#]+) HTTP/([0-9])\.([0-9])")
_TARGET = re.compile(rb"(https?)://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)

# Codes of the fields that mean something to a proxy.
HOST, LENGTH, TRANSFER, CONNECTION, HOP, UPGRADE, CREDENTIAL, EXPECT, PART, CODINGS = range(1, 11)

_CODES: dict[bytes, int] = {
    b"host": HOST,
    b"content-length": LENGTH,
    b"transfer-encoding": TRANSFER,
    b"connection": CONNECTION,
    b"proxy-connection": HOP,
    b"proxy-authorization": HOP,
    b"proxy-authenticate": HOP,
    b"proxy-features": HOP,
    b"http2-settings": HOP,
    b"upgrade": UPGRADE,
    b"expect": EXPECT,
    b"accept-encoding": CODINGS,
}
# Each asks for a part of an answer, somewhere: RFC 9110, Netscape's, Azure's and S3's, proxies' own. Or for another
# text: its difference to an older one (RFC 3229), another character set, a checksum of few bits (RFC 3230, 9530).
PARTS = (
    b"range", b"if-range", b"request-range", b"x-range", b"x-ms-range", b"x-amz-range", b"x-goog-range",
    b"x-http-range", b"x-original-range", b"a-im", b"accept-charset",
    b"want-digest", b"want-content-digest", b"want-repr-digest",
)  # fmt: skip
# These are kept even where a `Connection` field names them.
_PROTECTED = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"upgrade", b"expect", b"connection"}
)
_HARMLESS = frozenset({b"keep-alive", b"upgrade", b"te"})
# Upgrades to another HTTP: declined by not passing them on, as RFC 9110 7.8 lets any recipient do.
_DECLINED = (b"h2c", b"h2", b"http/", b"tls/")

CHUNKED = -1  # the length of a body framed by chunks
UNTIL_CLOSE = -2  # of a response body that ends with its connection


def request_table(credential_headers: Iterable[bytes]) -> FieldTable:
    """The table `parse_request` needs: its own fields, and each credential header in every spelling.

    Servers that turn fields into variables read `X_API_KEY` as `X-API-Key`.
    """
    codes = dict(_CODES)
    for header, code in [
        *((name, CREDENTIAL) for name in credential_headers),
        *((name, PART) for name in PARTS),
    ]:
        parts = header.replace(b"_", b"-").split(b"-")
        for joints in product(b"-_", repeat=len(parts) - 1):
            name = parts[0] + b"".join(bytes([j]) + part for j, part in zip(joints, parts[1:], strict=True))
            codes.setdefault(name, code)
    codes.setdefault(b"accept_encoding", CODINGS)
    return FieldTable(codes, status=400, forgotten=frozenset({CREDENTIAL, HOP}))


class RequestHead:
    """A request's head. `length` is the body's: a number of bytes, 0 for none, or CHUNKED.

    wire: the head as it came, with its empty line. lines: the request line and the fields; a line that does not
    travel on is empty, and `edited` is set.
    credentials, parts, codings: the indices of the lines that hold a credential of the client's, that ask for a part
    of the answer, and that say which codings the client can undo; None for none.
    """

    # Class-level defaults: cheaper than assigning them per instance.
    host: bytes | None = None
    length = 0
    upgrade = b""
    expects = False  # the client may wait for 100 before it sends the body
    edited = False
    credentials: list[int] | None = None
    parts: list[int] | None = None
    codings: list[int] | None = None

    def __init__(self, wire: bytes, lines: list[bytes], method: bytes, target: bytes, minor: int) -> None:
        self.wire = wire
        self.lines = lines
        self.method = method
        self.target = target
        self.minor = minor
        self.close = minor == 0

    def render(
        self, *, injected: bytes | None, strip: bool, plain: bool = False, first_line: bytes | None = None
    ) -> bytes:
        """The head as it goes to the upstream, with its empty line.

        injected: a whole field line to add, in the place of the first credential removed. strip: remove the
        client's credential headers. plain: ask for the whole answer (any server may ignore Range, RFC 9110 14.2) and
        for no coding, so that it can be looked through. What is neither is passed on byte for byte.
        """
        if not (strip or plain or first_line or self.edited) and injected is None:
            return self.wire
        credentials = self.credentials if strip else None
        parts, codings = (self.parts, self.codings) if plain else (None, None)
        if not (credentials or parts or codings or first_line or self.edited):
            if injected is None:
                return self.wire
            return b"%b%b\r\n\r\n" % (self.wire[:-2], injected)
        lines = self.lines.copy()
        if first_line is not None:
            lines[0] = first_line
        if parts is not None:
            for index in parts:
                lines[index] = b""
        if codings is not None:
            for index in codings:
                lines[index] = b""
            lines[codings[0]] = b"Accept-Encoding: identity"
        if credentials is not None:
            for index in credentials:
                lines[index] = b""
            if injected is not None:
                lines[credentials[0]] = injected
                injected = None
        if injected is not None:
            lines.append(injected)
        return CRLF.join(filter(None, lines)) + END


def parse_request(wire: bytes, table: FieldTable) -> RequestHead:
    """Parse a request's head, given with its empty line. Raises HeadError."""
    lines = split_head(wire, 400)
    match = _REQUEST_LINE.fullmatch(lines[0])
    if match is None:
        raise HeadError(400, "the request line is not METHOD TARGET HTTP/1.1")
    method, target, major, minor = match.groups()
    if major != b"1" or minor not in b"01":
        raise HeadError(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    head = RequestHead(wire, lines, method, target, 1 if minor == b"1" else 0)
    length: bytes | None = None
    transfer: bytes | None = None
    connection = upgrade = 0
    known = table.known.get
    for index, meaning in enumerate(map(known, lines)):
        if not meaning:
            if meaning is False or not index:
                continue
            meaning = table.meaning(lines[index])
            if not meaning:
                continue
        code, value = meaning
        if code == HOST:
            if head.host is not None:
                raise HeadError(400, "more than one Host")
            head.host = value.strip(b" \t")
        elif code == CREDENTIAL:
            if head.credentials is None:
                head.credentials = [index]
            else:
                head.credentials.append(index)
        elif code == LENGTH:
            if length is not None:
                raise HeadError(400, "more than one Content-Length")
            length = value.strip(b" ")  # some parsers would take a tab for a part of the value
        elif code == TRANSFER:
            if transfer is not None:
                raise HeadError(400, "more than one Transfer-Encoding")
            transfer = value.strip(b" ").lower()
        elif code == CONNECTION:
            if connection:
                lines[connection] += b"," + value
                lines[index] = b""
                head.edited = True
            else:
                connection = index
        elif code == HOP:
            lines[index] = b""
            head.edited = True
        elif code == UPGRADE:
            if upgrade:
                raise HeadError(400, "more than one Upgrade")
            upgrade = index
        elif code == CODINGS:
            head.codings = [*(head.codings or ()), index]
        elif code == PART:
            head.parts = [*(head.parts or ()), index]
        else:
            head.expects = True
    if head.host is None and minor == b"1":
        raise HeadError(400, "no Host")
    if length is not None or transfer is not None:
        head.length = _request_length(length, transfer, head.minor)
    if connection or upgrade:
        _settle_connection(head, connection, upgrade)
    return head


def _request_length(length: bytes | None, transfer: bytes | None, minor: int) -> int:
    if transfer is not None:
        if length is not None:
            raise HeadError(400, "both Content-Length and Transfer-Encoding")
        if minor == 0:
            raise HeadError(400, "Transfer-Encoding in HTTP/1.0")
        if transfer != b"chunked":
            raise HeadError(501, "a Transfer-Encoding other than chunked")
        return CHUNKED
    assert length is not None
    return parse_length(length, 400)


def _settle_connection(head: RequestHead, connection: int, upgrade: int) -> None:
    """Act on `Connection` and `Upgrade`: both concern one hop, and persistence is each side's own business."""
    lines = head.lines
    name, _, value = lines[connection].partition(b":") if connection else (b"Connection", b"", b"")
    tokens = [token for part in value.split(b",") if (token := part.strip(b" \t").lower())]
    kept = tokens
    if upgrade:
        wanted = lines[upgrade].partition(b":")[2].strip(b" \t")
        declined = any(each.strip(b" \t").startswith(_DECLINED) for each in wanted.lower().split(b","))
        if b"upgrade" in tokens and head.minor == 1 and not declined:
            head.upgrade = wanted
        else:
            lines[upgrade] = b""
            head.edited = True
            kept = [token for token in kept if token != b"upgrade"]
    elif b"upgrade" in tokens:
        kept = [token for token in kept if token != b"upgrade"]
    if head.minor == 0:
        kept = [token for token in kept if token != b"keep-alive"]
    elif b"close" in tokens:
        head.close = True
    if kept is tokens and _HARMLESS.issuperset(tokens):
        return
    named = {token for token in kept if token not in _HARMLESS and token not in _PROTECTED}
    kept = [token for token in kept if token in _HARMLESS]
    head.edited = True
    if connection:
        lines[connection] = name + b": " + b", ".join(kept) if kept else b""
    if named:
        for index in range(1, len(lines)):
            if lines[index].partition(b":")[0].lower() in named:
                lines[index] = b""


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Path and query of an origin-form or absolute-form target."""
    if not target.startswith(b"/"):
        match = _TARGET.fullmatch(target)
        if match is not None:
            target = match[3] or b"/"
    path, _, query = target.partition(b"?")
    return path, query


def split_absolute(target: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Scheme (lower case), authority and origin-form of an absolute-form target, else None."""
    match = _TARGET.fullmatch(target)
    if match is None:
        return None
    rest = match[3]
    if not rest.startswith(b"/"):
        rest = b"/" + rest
    return match[1].lower(), match[2], rest


def absolute_form(message: bytes, host: bytes, authorization: bytes) -> bytes:
    """The absolute form, for an upstream that is itself a proxy."""
    line, _, rest = message.partition(b"\r\n")
    method, target, version = line.split(b" ")
    if authorization:
        rest = b"Proxy-Authorization: %b\r\n%b" % (authorization, rest)
    return b"%b http://%b%b %b\r\n%b" % (method, host, target, version, rest)
