"""Pass one response on as its bytes come: interim heads, the head, the body. Knows no sockets, only where to send."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from clauderon.proxy.http.fields import END, MAX_HEAD, HeadError
from clauderon.proxy.http.framing import Framing, FramingError, UntilClose, response_framing
from clauderon.proxy.http.inflate import SwollenError, UnreadableError, codings_of
from clauderon.proxy.http.mask import Mask
from clauderon.proxy.http.needles import joined
from clauderon.proxy.http.reply import ResponseHead, parse_response, without_cookies
from clauderon.proxy.http.squeezed import EchoError, SqueezedMask

if TYPE_CHECKING:
    from clauderon.proxy.http.needles import Data, Needles

MAX_INTERIM = 64
# HTTP/2's first words are a SETTINGS frame or, to who speaks something else, GOAWAY; both for stream 0 (RFC 9113 4.1).
_FRAME = 9
_BARE_LF = re.compile(rb"(?<!\r)\n")
_FIRST_FRAMES = b"\x04\x07"


class Observer(Protocol):
    """Is told what passes: the final head, or a 101's, and the body's own bytes. Must not raise, wait or keep them."""

    def head(self, head: bytes) -> None:
        """The answer's head, as it goes to the client."""

    def body(self, data: bytes | memoryview) -> None:
        """A piece of the body, before its coding is undone; only valid during the call."""


# What `feed` says: more must come, the response is whole, or the protocol was switched.
MORE, WHOLE, SWITCHED = range(3)

# For a compressed body that holds the secret and for one too large to know: whoever can choose what is beside the
# secret must not learn how well it was compressed.
_OPAQUE = "a compressed answer, which it was asked not to send and which is too large to look into, broken or an echo"
# The length would show how well a secret in the body was compressed (BREACH), and there is no body to look into.
_LENGTH_ALONE = "the head of a compressed answer, which it was asked not to send, without the answer"


class ResponseError(Exception):
    """The response makes no sense. The text continues "HOST sent ...".

    code: what the client is told too; rule: for the audit alone, where it may not pass.
    """

    def __init__(self, code: str, text: str, rule: str = "") -> None:
        super().__init__(text)
        self.code, self.rule = code, rule


class Response:
    """The response to one request.

    method, minor: the request's; send: takes what the client is to get; may_switch: an upgrade was asked for. Once
    the head was passed on `status` is set; `close`: the upstream closes after it; `extra`: it sent more than a
    response; `rest`: what came after a switch; `passed`: bytes sent. hides_cookies: the client is not to get those.
    """

    # Class-level defaults: cheaper than assigning them per instance.
    _mask: Mask | None = None
    _body: Mask | SqueezedMask | None = None
    _status = 0  # of a head that waits
    _framing: Framing | None = None
    _held = b""
    _interim = 0
    _streams = False
    observer: Observer | None = None
    hides_cookies = False
    status = 0
    close = False
    extra = False
    rest = b""
    passed = 0

    def __init__(
        self, method: bytes, minor: int, send: Callable[[Data], None], may_switch: bool = False
    ) -> None:
        self._method = method
        self._minor = minor
        self.send = send
        self._may_switch = may_switch

    def mask(self, needles: Needles, *, streams: bool) -> None:
        """Let no form of a secret pass. To be called first; streams: a compressed body may pass as it comes."""
        self._mask = Mask(needles)
        self._streams = streams

    def watch(self, needles: Needles) -> None:
        """Look for another secret as well. Before anything of the response came."""
        self._mask = Mask(needles if self._mask is None else joined([self._mask.needles, needles]))

    @property
    def begun(self) -> bool:
        """Whether any byte of it has come."""
        return bool(self.status or self._held or self._interim or self._status)

    @property
    def until_close(self) -> bool:
        """Whether the end of the connection is the end of the response."""
        return type(self._framing) is UntilClose

    @property
    def echoed(self) -> bool:
        """Whether a secret was found in it."""
        if self._mask is None:
            return False
        return self._mask.found or (self._body is not None and self._body.found)

    def feed(self, data: memoryview) -> int:
        """Take what the upstream sent; says MORE, WHOLE or SWITCHED. Raises ResponseError."""
        framing = self._framing
        if framing is None:
            return self._heads(self._held + bytes(data) if self._held else bytes(data))
        if self._body is not None:
            return self._masked(data)
        if self.observer is not None:
            framing.spans = []
        try:
            used = framing.feed(data)
        except FramingError as error:
            raise ResponseError("upstream-framing", f"a malformed body: {error}") from None
        if framing.spans:
            self._observe(data, framing.spans)
        self.passed += used
        if used == len(data):
            self.send(data)
        else:
            self.extra = True
            self.send(data[:used])
        return WHOLE if framing.done else MORE

    def end(self) -> None:
        """The connection ended where that ends the response: pass on what was held back. Raises ResponseError."""
        if self._body is not None:
            self._pass(self._looked_at(b"", [], True))

    def _masked(self, data: memoryview | bytes) -> int:
        """As `feed` for a body in which the secret must not pass."""
        framing = self._framing
        assert framing is not None
        framing.spans = []
        try:
            used = framing.feed(data)
        except FramingError as error:
            raise ResponseError("upstream-framing", f"a malformed body: {error}") from None
        if self.observer is not None:
            self._observe(data, framing.spans)
        self.extra = used < len(data)
        self._pass(self._looked_at(data[:used], framing.spans, framing.done))
        return WHOLE if framing.done else MORE

    def _observe(self, data: memoryview | bytes, spans: list[tuple[int, int]] | None) -> None:
        assert self.observer is not None
        if spans:
            parts = [data[first:last] for first, last in spans]
            self.observer.body(parts[0] if len(parts) == 1 else b"".join(parts))

    def _looked_at(self, data: memoryview | bytes, spans: list[tuple[int, int]], done: bool) -> Data:
        assert self._body is not None
        try:
            return self._body.body(data, spans, done)
        except EchoError:
            raise ResponseError("upstream-coding", _OPAQUE, "credential-echo") from None
        except SwollenError:
            raise ResponseError("upstream-coding", _OPAQUE) from None

    def _pass(self, data: Data) -> None:
        if data:
            self.status = self.status or self._status
            self.passed += len(data)
            self.send(data)

    def _heads(self, data: bytes) -> int:
        """Read the interim responses and the final one's head; pass them on with what there is of the body."""
        while True:
            end = data.find(END)
            if end > MAX_HEAD or (end < 0 and len(data) > MAX_HEAD):
                raise ResponseError("upstream-head", f"a head of more than {MAX_HEAD} bytes")
            if end < 0:
                _check_begin(data)
                self._held = data
                return MORE
            size = end + 4
            try:
                head = parse_response(data[:size], self._method)
            except HeadError as error:
                _check_begin(data[:size])
                raise ResponseError("upstream-head", f"a malformed response: {error}") from None
            if head.cookies and self.hides_cookies:
                data = without_cookies(data[:size]) + data[size:]
            if head.status >= 200:
                break
            if head.status == 101:
                if not self._may_switch:
                    raise ResponseError("upstream-head", "a switch of protocols that was not asked for")
                if self.observer is not None:
                    self.observer.head(data[:size])
                self.status = 101
                self._pass(data[:size] if self._mask is None else self._mask.whole(data[:size]))
                self.rest = data[size:]
                return SWITCHED
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise ResponseError("upstream-head", f"more than {MAX_INTERIM} interim responses")
            if self._minor:
                self._pass(data[:size] if self._mask is None else self._mask.whole(data[:size]))
            data = data[size:]
        self._held = b""
        self.close = head.close
        if self.observer is not None:
            self.observer.head(data[:size])
        mask = self._mask
        if mask is not None:
            if head.partial:
                raise ResponseError("partial", "a part of its answer that was not asked for", "partial")
            if head.encoding or not 0 <= head.length <= len(data) - size:
                return self._masked_head(head, data, size)
            # The whole body is here and not compressed, so one look is enough. The mask keeps its length.
            data = mask.whole(data)
        return self._final(head, data, size)

    def _final(self, head: ResponseHead, data: bytes, size: int) -> int:
        """The head, and in the same breath what came of the body."""
        length = head.length
        if 0 <= length <= len(data) - size:
            if self.observer is not None:
                self.observer.body(data[size : size + length])
            size += length
            state = WHOLE
        else:
            self._framing = framing = response_framing(length)
            if size < len(data):
                if self.observer is not None:
                    framing.spans = []
                try:
                    used = framing.feed(memoryview(data)[size:])
                except FramingError as error:
                    raise ResponseError("upstream-framing", f"a malformed body: {error}") from None
                if self.observer is not None:
                    self._observe(memoryview(data)[size:], framing.spans)
                size += used
            state = WHOLE if framing.done else MORE
        self.status = head.status
        self.passed += size
        if size == len(data):
            self.send(data)
        else:
            self.extra = True
            self.send(data[:size])
        return state

    def _masked_head(self, head: ResponseHead, data: bytes, size: int) -> int:
        """As `_final`; nothing is sent before all of it was looked at."""
        mask = self._mask
        assert mask is not None
        parts: list[Data] = []
        send, self.send = self.send, parts.append
        self._status = head.status
        try:
            self._framing = response_framing(head.length)
            self._body = body = self._body_mask(head, mask)
            first = mask.whole(data[:size])
            self._pass(body.head(first) if isinstance(body, SqueezedMask) else first)
            state = self._masked(data[size:]) if size < len(data) or self._framing.done else MORE
        finally:
            self.send = send
        if parts:
            send(b"".join(parts))
        return state

    def _body_mask(self, head: ResponseHead, mask: Mask) -> Mask | SqueezedMask:
        """What looks for the secret in the body."""
        codings = codings_of(head.encoding)
        if codings and not self._streams and (self._method == b"HEAD" or head.status == 304):
            raise ResponseError("upstream-coding", _LENGTH_ALONE)
        if not codings or not head.length:
            return mask
        try:
            return SqueezedMask(mask.needles, codings, streams=self._streams)
        except UnreadableError:
            raise ResponseError("upstream-coding", "its body in a coding that was not asked for") from None
        except SwollenError:
            raise ResponseError("upstream-coding", "its body in too many codings at once") from None


def _check_begin(data: bytes) -> None:
    """Say at once what can never become a head of HTTP/1, rather than wait for its end. Raises ResponseError."""
    if len(data) >= _FRAME and data[3] in _FIRST_FRAMES and data[5:9] == bytes(4):
        raise ResponseError("upstream-http2", "HTTP/2 in answer to HTTP/1.1")
    if _BARE_LF.search(data):
        raise ResponseError(
            "upstream-head", "a head with lines that end in LF alone, where HTTP/1.1 has CR LF"
        )
