"""A request that is sent on only once the beginning of its body has passed a gate; what is refused is sent nowhere."""

from __future__ import annotations

from clauderon.proxy.dataplane.exchange import Exchange, Front
from clauderon.proxy.http.framing import FramingError, request_framing
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import RequestHead
from clauderon.proxy.net.upstream import Key
from clauderon.proxy.policy.gate import Gate
from clauderon.proxy.policy.grant import Grant

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class GatedExchange(Exchange):
    """An exchange behind a gate. Holds back what the gate has to see, and nothing after that."""

    _refusal: Problem | None = None

    def __init__(
        self, client: Front, head: RequestHead, key: Key, rule: str, grant: Grant | None, gate: Gate
    ) -> None:
        super().__init__(client, head, key, rule, grant)
        self._gate: Gate | None = gate
        self._pieces: list[bytes] = []

    def start(self, message: bytes, rest: bytes) -> int:
        """Like an exchange's, but nothing is sent before the gate has said yes."""
        self._pieces.append(message)
        if not self.sent:
            self._body = request_framing(self.head.length, self.client.session.shared.credentials.headers)
            self._body.spans = []
            if self.head.expects:
                # The upstream is not asked yet, and the client may wait.
                self.client.send_now(_CONTINUE)
        return self._collect(memoryview(rest))

    def client_data(self, data: memoryview) -> int:
        """More of the request's body; returns how many bytes were its."""
        return super().client_data(data) if self._gate is None else self._collect(data)

    def _collect(self, data: memoryview) -> int:
        used, spans = 0, []
        body = self._body
        if body is not None:
            try:
                used = body.feed(data)
            except FramingError as error:
                self._bad_body(error)
                return len(data)
            spans, body.spans = body.spans or [], []
            self.sent = body.done
        if self._refusal is None:
            self._pieces.append(bytes(data[:used]))
            self._ask([bytes(data[first:last]) for first, last in spans])
        if self._refusal is not None and (self.sent or self._refusal.answer is None):
            # git reads the answer only once it has sent its pack; whoever speaks HTTP stops at a status like 403.
            self.sent = False  # so that the connection ends after the refusal
            self.fail(self._refusal)
        return used

    def _ask(self, pieces: list[bytes]) -> None:
        gate, body = self._gate, self._body
        assert gate is not None
        try:
            passed = any(gate.feed(piece) for piece in pieces)
            if not passed and self.sent:
                gate.end()
                passed = True
        except Problem as problem:
            self._refusal = problem
            self._pieces = []
            self.grant = None  # the audit must not say that a credential was lent
            return
        if passed:
            self._gate = None
            self._message, self._pieces = b"".join(self._pieces), []
            if body is not None:
                body.spans = None
            self._send_on()
