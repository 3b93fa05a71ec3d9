"""One piece of work in a thread beside the rest of `create`. `concurrent.futures` would cost 4 ms to import."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread


class Background:
    """Work under way; `result` waits for it and raises what it raised."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._error: BaseException | None = None
        self._work = work
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self._error = error

    def result(self) -> None:
        """Wait until the work is done."""
        self._thread.join()
        if self._error is not None:
            raise self._error
