"""Read the heads of HTTP/1.x responses strictly. Pure; nothing in a response's head is ever changed here."""

from __future__ import annotations

import re

from clauderon.proxy.http.fields import FieldTable, HeadError, parse_length, split_head
from clauderon.proxy.http.request import CHUNKED, UNTIL_CLOSE

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_STATUS_LINES_KEPT = 256

LENGTH, TRANSFER, CONNECTION, ENCODING, TYPE, RANGE, COOKIE = range(1, 8)
_TABLE = FieldTable(
    {
        b"content-length": LENGTH,
        b"transfer-encoding": TRANSFER,
        b"connection": CONNECTION,
        b"content-encoding": ENCODING,
        b"content-type": TYPE,
        b"content-range": RANGE,
        b"set-cookie": COOKIE,
        b"set-cookie2": COOKIE,
    },
    status=502,
    forgotten=frozenset({COOKIE}),
    only={TYPE: re.compile(rb"byteranges", re.IGNORECASE)},
)
_COOKIE = re.compile(rb"(?<=\r\n)(set-cookie2?:)([^\r\n]*)", re.IGNORECASE)
_status_lines: dict[bytes, tuple[int, bool]] = {}


class ResponseHead:
    """A response's head. `length`: bytes of the body, 0 for none, CHUNKED or UNTIL_CLOSE; 1xx have none.

    encoding: the codings of the body in the order they were applied, those of the transfer last; as a list with commas.
    partial: by its status, its Content-Range or its type it holds parts of what it answers about, or changes to it.
    cookies: some are set.
    """

    length = UNTIL_CLOSE
    encoding = b""
    cookies = False

    def __init__(self, status: int, close: bool) -> None:
        self.status = status
        self.close = close
        self.partial = status == 206 or status == 226


def _parse_status_line(line: bytes) -> tuple[int, bool]:
    """The status, and whether it is HTTP/1.0. Raises HeadError."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise HeadError(502, "the status line is not HTTP/1.1 CODE REASON")
    if len(_status_lines) >= _STATUS_LINES_KEPT:
        _status_lines.clear()
    found = _status_lines[line] = (int(match[2]), match[1] == b"0")
    return found


def parse_response(wire: bytes, method: bytes) -> ResponseHead:
    """Parse the head of a response to `method`, given with its empty line. Raises HeadError (502)."""
    lines = split_head(wire, 502)
    status, old = _status_lines.get(lines[0]) or _parse_status_line(lines[0])
    head = ResponseHead(status, old)
    length: bytes | None = None
    transfer: bytes | None = None
    known = _TABLE.known.get
    for index, meaning in enumerate(map(known, lines)):
        if not meaning:
            if meaning is False or not index:
                continue
            meaning = _TABLE.meaning(lines[index])
            if not meaning:
                continue
        code, value = meaning
        if code == LENGTH:
            if length is not None:
                raise HeadError(502, "more than one Content-Length")
            length = value.strip(b" \t")
        elif code == TRANSFER:
            if transfer is not None:
                raise HeadError(502, "more than one Transfer-Encoding")
            transfer = value.strip(b" \t").lower()
        elif code == CONNECTION:
            tokens = value.lower()
            if b"close" in tokens:
                head.close = True
            elif old and b"keep-alive" in tokens:
                head.close = False
        elif code == TYPE:
            head.partial = True
        elif code == COOKIE:
            head.cookies = True
        elif code == RANGE:
            # Of 416 it says how long the whole is, of 308 how much has been uploaded.
            head.partial = head.partial or status < 300
        else:
            head.encoding = head.encoding + b"," + value if head.encoding else value.strip(b" \t")
    if transfer is not None:
        if length is not None:
            raise HeadError(502, "both Content-Length and Transfer-Encoding")
        if old:
            raise HeadError(502, "Transfer-Encoding in HTTP/1.0")
        if transfer != b"chunked" and not transfer.endswith((b",chunked", b" chunked")):
            raise HeadError(502, "a Transfer-Encoding that does not end in chunked")
        if transfer != b"chunked":
            head.encoding += b"," + transfer[:-7]
        head.length = CHUNKED
    elif length is not None:
        head.length = parse_length(length, 502)
    if status < 200 or status == 204 or status == 304 or method == b"HEAD":
        head.length = 0
    elif head.length == UNTIL_CLOSE:
        head.close = True
    return head


def without_cookies(wire: bytes) -> bytes:
    """The head with asterisks for the cookies it sets, so many that nothing moves."""
    return _COOKIE.sub(lambda match: match[1] + b"*" * len(match[2]), wire)
