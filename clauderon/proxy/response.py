"""Pass one response on as its bytes come: interim heads, the head, the body. Knows no sockets, only where to send."""

from __future__ import annotations

from collections.abc import Callable

from clauderon.proxy.echo import EchoError, Mask
from clauderon.proxy.fields import END, MAX_HEAD, HeadError
from clauderon.proxy.framing import Framing, FramingError, UntilClose, response_framing
from clauderon.proxy.inflate import SwollenError, UnreadableError, codings_of
from clauderon.proxy.reply import ResponseHead, parse_response

MAX_INTERIM = 64

# What `feed` says: more must come, the response is whole, or the protocol was switched.
MORE, WHOLE, SWITCHED = range(3)


class ResponseError(Exception):
    """The response makes no sense. code: for the audit; the text continues "HOST sent ..."."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Response:
    """The response to one request.

    method, minor: the request's; send: takes what the client is to get; may_switch: an upgrade was asked for;
    needles: the forms of the secret the request carried; `accepts`: says which codings the client can undo. After the
    head `status` is set; `close`: the upstream closes after it; `extra`: it sent more than a response; `rest`: what
    came after a switch; `passed`: bytes sent.
    """

    # As they are at first, so that making a response costs little.
    accepts: Callable[[], frozenset[bytes]] = frozenset
    _mask: Mask | None = None
    _framing: Framing | None = None
    _held = b""
    _interim = 0
    status = 0
    close = False
    extra = False
    rest = b""
    passed = 0

    def __init__(
        self,
        method: bytes,
        minor: int,
        send: Callable[[bytes | memoryview], None],
        may_switch: bool = False,
        needles: tuple[bytes, ...] = (),
    ) -> None:
        self._method = method
        self._minor = minor
        self.send = send
        self._may_switch = may_switch
        if needles:
            self._mask = Mask(needles)

    @property
    def begun(self) -> bool:
        """Whether any byte of it has come."""
        return bool(self.status or self._held or self._interim)

    @property
    def until_close(self) -> bool:
        """Whether the end of the connection is the end of the response."""
        return type(self._framing) is UntilClose

    @property
    def echoed(self) -> bool:
        """Whether a secret was found in it."""
        return self._mask is not None and self._mask.found

    def feed(self, data: memoryview) -> int:
        """Take what the upstream sent; says MORE, WHOLE or SWITCHED. Raises ResponseError."""
        framing = self._framing
        if framing is None:
            return self._heads(self._held + bytes(data) if self._held else bytes(data))
        if self._mask is not None:
            return self._masked(data)
        try:
            used = framing.feed(data)
        except FramingError as error:
            raise ResponseError("upstream-framing", f"a malformed body: {error}") from None
        self.passed += used
        if used == len(data):
            self.send(data)
        else:
            self.extra = True
            self.send(data[:used])
        return WHOLE if framing.done else MORE

    def end(self) -> None:
        """The connection ended where that ends the response: pass on what was held back."""
        if self._mask is not None:
            self._pass(self._mask.body(b"", [], True))

    def _masked(self, data: memoryview | bytes) -> int:
        """As `feed` for a body in which the secret must not pass."""
        framing, mask = self._framing, self._mask
        assert framing is not None and mask is not None
        framing.spans = []
        try:
            used = framing.feed(data)
            clean = mask.body(data[:used], framing.spans, framing.done)
        except FramingError as error:
            raise ResponseError("upstream-framing", f"a malformed body: {error}") from None
        except EchoError:
            raise ResponseError("credential-echo", "the credential back, in a compressed body") from None
        except SwollenError:
            raise ResponseError("upstream-coding", "a compressed body that swells beyond reason") from None
        self.extra = used < len(data)
        self._pass(clean)
        return WHOLE if framing.done else MORE

    def _pass(self, data: bytes) -> None:
        if data:
            self.passed += len(data)
            self.send(data)

    def _heads(self, data: bytes) -> int:
        """Read the interim responses and the final one's head; pass them on with what there is of the body."""
        while True:
            end = data.find(END)
            if end > MAX_HEAD or (end < 0 and len(data) > MAX_HEAD):
                raise ResponseError("upstream-head", f"a head of more than {MAX_HEAD} bytes")
            if end < 0:
                self._held = data
                return MORE
            size = end + 4
            try:
                head = parse_response(data[:size], self._method)
            except HeadError as error:
                raise ResponseError("upstream-head", f"a malformed response: {error}") from None
            if head.status >= 200:
                break
            if head.status == 101:
                if not self._may_switch:
                    raise ResponseError("upstream-head", "a switch of protocols, which nobody asked for")
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
        mask = self._mask
        if mask is not None:
            if head.encoding or not 0 <= head.length <= len(data) - size:
                return self._masked_head(head, data, size)
            # All of it is here, in the plain: one look is enough.
            data = mask.whole(data)
        return self._final(head, data, size)

    def _final(self, head: ResponseHead, data: bytes, size: int) -> int:
        """The head, and in the same breath what came of the body."""
        length = head.length
        if 0 <= length <= len(data) - size:
            size += length
            state = WHOLE
        else:
            self._framing = framing = response_framing(length)
            if size < len(data):
                try:
                    size += framing.feed(memoryview(data)[size:])
                except FramingError as error:
                    raise ResponseError("upstream-framing", f"a malformed body: {error}") from None
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
        assert self._mask is not None
        parts: list[bytes | memoryview] = []
        send, self.send = self.send, parts.append
        try:
            self._framing = response_framing(head.length)
            if head.encoding and head.length:
                self._begin_coded(head.encoding)
            self._pass(self._mask.whole(data[:size]))
            state = self._masked(data[size:]) if size < len(data) or self._framing.done else MORE
        finally:
            self.send = send
        self.status = head.status
        send(b"".join(parts))
        return state

    def _begin_coded(self, encoding: bytes) -> None:
        """What cannot be looked into goes only to a client that asked for it: models answer in such codings too."""
        assert self._mask is not None
        try:
            self._mask.begin_body(encoding)
        except UnreadableError:
            accepted = self.accepts()
            if b"*" not in accepted and not accepted.issuperset(codings_of(encoding)):
                raise ResponseError("upstream-coding", "its body in a coding nobody asked for") from None
        except SwollenError:
            raise ResponseError("upstream-coding", "its body in too many codings at once") from None
