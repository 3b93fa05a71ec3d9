"""A record of the audit as one line of JSON, no longer than 4 KiB. Pure.

By hand, because json.dumps of a dict costs three times as much and this runs for every request.
"""

from __future__ import annotations

from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted

from clauderon.proxy.audit.record import AuditRecord

# The longest text that is written, as JSON.
LONGEST = 1024
_REMEMBERED = 1024


class Lines:
    """Makes lines, and remembers the parts that many share. One thread at a time."""

    def __init__(self) -> None:
        self._second: tuple[int, str] = (0, "")
        self._time: tuple[int, str] = (0, "")  # to the thousandth
        self._wheres: dict[tuple[str, str, str, int], str] = {}
        self._ends: dict[tuple[str, str | None, bool], str] = {}

    def line(self, record: AuditRecord) -> str:
        """With its newline."""
        (
            started, kind, session, session_name, host, port, method, path, status, up, down, duration, rule,
            credential, refused, upgrade, error,
        ) = record  # fmt: skip
        thousandth = int(started * 1000)
        if thousandth != self._time[0]:
            second, rest = divmod(thousandth, 1000)
            if second != self._second[0]:
                self._second = (second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S"))
            self._time = (thousandth, f"{self._second[1]}.{rest:03d}Z")
        tenths = int(duration * 10_000 + 0.5)
        where = self._wheres.get((session, session_name, host, port)) or self._where(record)
        end = self._ends.get((rule, credential, refused)) or self._end(rule, credential, refused)
        tail = ""
        if upgrade is not None:
            tail = f', "upgrade": {_bounded(upgrade)}'
        if error is not None:
            tail += f', "error": {_bounded(error)}'
        shown = quoted(path)
        if len(shown) > LONGEST:
            shown = _bounded(path)
            tail += ', "cut": true'
        return (
            f'{{"time": "{self._time[1]}", "kind": "{kind}"{where}'
            f' "method": {quoted(method)}, "path": {shown}, "status": {status}, "bytes_up": {up},'
            f' "bytes_down": {down}, "duration_ms": {tenths // 10}.{tenths % 10}{end}{tail}}}\n'
        )

    def _where(self, record: AuditRecord) -> str:
        """A part of a line that many share, remembered."""
        if len(self._wheres) >= _REMEMBERED:
            self._wheres.clear()
        found = self._wheres[record.session, record.session_name, record.host, record.port] = (
            f', "session": {quoted(record.session_name)}, "id": {quoted(record.session)},'
            f' "host": {_bounded(record.host)}, "port": {record.port},'
        )
        return found

    def _end(self, rule: str, credential: str | None, refused: bool) -> str:
        """Another such part."""
        if len(self._ends) >= _REMEMBERED:
            self._ends.clear()
        found = self._ends[rule, credential, refused] = (
            f', "rule": {_bounded(rule)}, "credential": {"null" if credential is None else quoted(credential)},'
            f' "refused": {"true" if refused else "false"}'
        )
        return found


def _bounded(text: str) -> str:
    """`text` as JSON of no more than `LONGEST` characters, cut between two characters of it."""
    shown = quoted(text)
    while len(shown) > LONGEST:
        text = text[: min(len(text) - 1, len(text) * LONGEST // len(shown))]
        shown = quoted(text)
    return shown
