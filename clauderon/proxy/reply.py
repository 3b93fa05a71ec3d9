"""Read the heads of HTTP/1.x responses strictly. Pure; nothing in a response's head is ever changed here."""

from __future__ import annotations

import re

from clauderon.proxy.head import CHUNKED, CRLF, UNTIL_CLOSE, HeadError, parse_length, split_lines

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?")

LENGTH, TRANSFER, CONNECTION, ENCODING = range(1, 5)
_CODES: dict[bytes, int] = {
    b"content-length": LENGTH,
    b"transfer-encoding": TRANSFER,
    b"connection": CONNECTION,
    b"content-encoding": ENCODING,
}


class ResponseHead:
    """A response's head. `length`: bytes of the body, 0 for none, CHUNKED or UNTIL_CLOSE; 1xx have none."""

    __slots__ = ("close", "encoding", "length", "lines", "raw", "status", "upgrade")

    def __init__(self, raw: bytes, lines: list[bytes], status: int, close: bool) -> None:
        self.raw = raw
        self.lines = lines
        self.status = status
        self.close = close
        self.length = UNTIL_CLOSE
        self.encoding = b""
        self.upgrade = status == 101


def parse_response(raw: bytes, method: bytes) -> ResponseHead:
    """Parse the head of a response to `method`; `raw` without its empty line. Raises HeadError (502)."""
    line, _, _ = raw.partition(CRLF)
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise HeadError(502, "the status line is not HTTP/1.1 CODE REASON")
    status = int(match[2])
    old = match[1] == b"0"
    lines = split_lines(raw, 502)
    head = ResponseHead(raw, lines, status, old)
    length: bytes | None = None
    transfer: bytes | None = None
    get = _CODES.get
    for index in range(1, len(lines)):
        name, _, value = lines[index].partition(b":")
        code = get(name.lower())
        if code is None:
            continue
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
        else:
            head.encoding = value.strip(b" \t").lower()
    if transfer is not None:
        if length is not None:
            raise HeadError(502, "both Content-Length and Transfer-Encoding")
        if old:
            raise HeadError(502, "Transfer-Encoding in HTTP/1.0")
        if transfer != b"chunked" and not transfer.endswith((b",chunked", b" chunked")):
            raise HeadError(502, "a Transfer-Encoding that does not end in chunked")
        head.length = CHUNKED
    elif length is not None:
        head.length = parse_length(length, 502)
    if status < 200 or status == 204 or status == 304 or method == b"HEAD":
        head.length = 0
    elif head.length == UNTIL_CLOSE:
        head.close = True
    return head
