"""A WebSocket to a model: counted as it passes, and ended between two messages when a budget is used up.

The refusal is a frame of its own, in the shape of the API's errors, before the frame that closes.
"""

from __future__ import annotations

from collections.abc import Callable

from clauderon.proxy.dataplane import budgets
from clauderon.proxy.dataplane.tunnel import Tunnel, Tunnelled
from clauderon.proxy.http.problem import Problem, websocket_error
from clauderon.proxy.net.upstream import Upstream
from clauderon.proxy.usage.frames import Frames, frame
from clauderon.proxy.usage.meter import Metering

_TEXT, _CLOSE = 0x1, 0x8
_POLICY_VIOLATION = 1008


class ModelTunnel(Tunnel):
    """metering: counts what passes, and knows which budget is used up."""

    def __init__(
        self,
        client: Tunnelled,
        upstream: Upstream,
        record: Callable[[int, int, str | None], None],
        metering: Metering,
    ) -> None:
        self._metering = metering
        self._client_frames = Frames()
        self._upstream_frames = Frames()
        self._asked = False  # a message of the client's is not answered yet
        self._ending: Problem | None = None
        super().__init__(client, upstream, record)

    def client_data(self, data: memoryview | bytes) -> None:
        """The client's bytes; a message that begins while a budget is used up is answered here."""
        if self._client_frames.feed(data):
            if not self._asked and not self._metering.answering:
                problem = budgets.why_not_on(self._metering)
                if problem is not None:
                    self._end(problem)
                    return
            self._asked = True
        self._metering.sent(len(data))
        super().client_data(data)

    def upstream_data(self, data: memoryview | bytes) -> None:
        """The upstream's bytes, and the end of the tunnel after the answer that used a budget up."""
        if self._ending is None and self._upstream_frames.between and self._metering.is_talk(data):
            super().upstream_data(data)  # as nearly all that comes
            return
        before = self._metering.answers
        self._metering.body(data)
        self._upstream_frames.feed(data)
        super().upstream_data(data)
        if self._metering.answers != before:
            self._asked = False
            self._ending = self._ending or budgets.why_not_on(self._metering)
        if self._ending is not None and self._upstream_frames.between:
            self._end(self._ending)

    def _end(self, problem: Problem) -> None:
        if self._upstream_frames.between:
            text = websocket_error(problem)
            self.client.send(frame(_TEXT, text))
            reason = problem.what.encode()[:120]
            self.client.send(frame(_CLOSE, _POLICY_VIOLATION.to_bytes(2, "big") + reason))
            self.client.flush()
        self.over(problem.code)
