"""The database of what models were asked and what it cost: `usage.db`.

Apart from the sessions' database, so that neither waits for the other, and because it outlives its sessions. The
proxy's worker alone writes: it folds the lines of the journal (`usage_journal`) into rows of an hour. Readers add the
lines that are not folded yet.
"""

from __future__ import annotations

import contextlib
import json
import operator
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from clauderon.errors import BackendError
from clauderon.paths import Home
from clauderon.usage_journal import COUNTED, numbers

HOUR_S = 3600
BUSY_TIMEOUT_S = 5.0
# A journal is done with when its successor exists and nobody has written to it for so long.
_QUIET_S = 60.0
SUMS = (*COUNTED, "guessed")
_SCHEMA = f"""
CREATE TABLE usage (
    session TEXT NOT NULL, name TEXT NOT NULL, team TEXT NOT NULL, api TEXT NOT NULL, model TEXT NOT NULL,
    hour INTEGER NOT NULL, {", ".join(f"{one} INTEGER NOT NULL DEFAULT 0" for one in SUMS)},
    PRIMARY KEY (session, name, team, api, model, hour)
);
CREATE TABLE begun (id TEXT PRIMARY KEY, worker TEXT NOT NULL, line TEXT NOT NULL);
CREATE TABLE window (
    api TEXT NOT NULL, credential TEXT NOT NULL, name TEXT NOT NULL, used REAL NOT NULL, resets_at REAL NOT NULL,
    seen_at REAL NOT NULL, PRIMARY KEY (api, credential, name)
);
CREATE TABLE folded (journal INTEGER PRIMARY KEY, offset INTEGER NOT NULL);
"""
_VERSION = 2
# The line of a request that begins, as `usage_journal` writes it.
_BEGUN = re.compile(rb'{"id":"([\w-]+)","end":false,"worker":"(\w+)",')
_MIGRATION = "ALTER TABLE usage ADD COLUMN guessed INTEGER NOT NULL DEFAULT 0"


class Row(NamedTuple):
    """What one session used of one model in one hour. hour: seconds since the epoch; nano: billionths of a dollar.

    unknown: requests whose usage could not be read; unpriced: those of a model without a price. team: the session's
    group. guessed: what budgets count besides `nano`, for answers whose usage could not be read.
    """

    session: str
    name: str
    team: str
    api: str
    model: str
    hour: int
    requests: int = 0
    unknown: int = 0
    unpriced: int = 0
    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    nano: int = 0
    guessed: int = 0

    def plus(self, other: Row) -> Row:
        """This row with another's sums added."""
        return Row._make((*self[:_KEYS], *map(operator.add, self[_KEYS:], other[_KEYS:])))

    @property
    def key(self) -> tuple[str, str, str, str, str, int]:
        """What the row is about: session, name, group, API, model, hour."""
        return self[:6]


_KEYS = len(Row._fields) - len(SUMS)


class Window(NamedTuple):
    """The newest word about a limit. used: 0 to 1; the times in seconds since the epoch, 0 if not said."""

    api: str
    credential: str
    name: str
    used: float
    resets_at: float
    seen_at: float


def midnight() -> int:
    """When today began by this machine's clock, in seconds since the epoch."""
    now = time.localtime()
    return int(time.mktime((now.tm_year, now.tm_mon, now.tm_mday, 0, 0, 0, 0, 0, -1)))


class Ledger:
    """The open database. Raises BackendError for one that cannot be read or written."""

    def __init__(self, connection: sqlite3.Connection, home: Home) -> None:
        self._db = connection
        self._home = home

    @classmethod
    def open(cls, home: Home) -> Ledger:
        """Open the database, or create it. Raises StateError."""
        try:
            db = sqlite3.connect(home.usage, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            if db.execute("PRAGMA user_version").fetchone()[0] < _VERSION:
                _create_or_migrate(db)
            db.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.DatabaseError as error:
            raise BackendError(
                str(home.usage), str(error), hint=f"mv {home.usage} {home.usage}.broken"
            ) from error
        return cls(db, home)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._db.close()

    def fold(self, worker: str, *, now: float) -> None:
        """Take the journals' lines into rows. For the worker alone; what an earlier one began and never ended is
        counted as unknown."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                state = self._state()
                finished = self._read_on(state, now)
                self._write(state, worker)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        except sqlite3.DatabaseError as error:
            raise BackendError(str(self._home.usage), str(error)) from error
        for number in finished:
            (self._home.usage_journals / str(number)).unlink(missing_ok=True)

    def totals(self, midnight: int, without: str = "") -> list[Row]:
        """What each session, group and model used in all; requests that a killed worker left are among them.

        hour: `midnight` for what came since then, 0 for what came before. without: a worker whose lines in the journals
        do not count. Raises BackendError.
        """
        sums = ", ".join(f"SUM({one})" for one in SUMS)
        keys = f"session, name, team, api, model, (hour >= {int(midnight)}) * {int(midnight)}"
        try:
            state = self._state()
            kept = self._db.execute(f"SELECT {keys}, {sums} FROM usage GROUP BY 1, 2, 3, 4, 5, 6").fetchall()
        except sqlite3.DatabaseError as error:
            raise BackendError(str(self._home.usage), str(error)) from error
        state.without = without
        self._read_on(state, 0.0)
        begun = [_row(json.loads(line)) for _, line in state.begun.values()]
        late = [row._replace(hour=midnight if row.hour >= midnight else 0) for row in (*state.rows, *begun)]
        return _summed([*map(Row._make, kept), *late])

    def read(self, since: float = 0.0) -> tuple[list[Row], list[Window]]:
        """All rows of hours that end after `since`, and the windows, with what is still in the journals. Requests that
        are under way are not among them."""
        try:
            state = self._state()
            kept = self._db.execute("SELECT * FROM usage WHERE hour + ? > ?", (HOUR_S, since)).fetchall()
            windows = {row[:3]: Window._make(row) for row in self._db.execute("SELECT * FROM window")}
        except sqlite3.DatabaseError as error:
            raise BackendError(str(self._home.usage), str(error)) from error
        self._read_on(state, 0.0)
        rows = [row for row in (*map(Row._make, kept), *state.rows) if row.hour + HOUR_S > since]
        return _summed(rows), sorted((windows | state.windows).values())

    def _state(self) -> _State:
        offsets = dict(self._db.execute("SELECT journal, offset FROM folded").fetchall())
        begun = {one: (worker, line) for one, worker, line in self._db.execute("SELECT * FROM begun")}
        return _State(offsets, begun)

    def _read_on(self, state: _State, now: float) -> list[int]:
        """Read what was appended since; returns the journals that nobody will write to any more."""
        finished = []
        found = numbers(self._home.usage_journals)
        state.offsets = {number: state.offsets.get(number, 0) for number in found}
        for number in found:
            path = self._home.usage_journals / str(number)
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                file.seek(state.offsets[number])
                for line in _whole_lines(file.read()):
                    state.offsets[number] += len(line)
                    state.take(line)
                if number != found[-1] and now - os.fstat(file.fileno()).st_mtime >= _QUIET_S:
                    finished.append(number)
        state.drop_damaged()
        return finished

    def _write(self, state: _State, worker: str) -> None:
        for one, (other, line) in list(state.begun.items()):
            if other != worker:
                state.rows.append(_row(json.loads(line))._replace(requests=1, unknown=1))
                del state.begun[one]
        marks = ", ".join("?" * len(Row._fields))
        sums = ", ".join(f"{one} = {one} + excluded.{one}" for one in SUMS)
        self._db.executemany(
            f"INSERT INTO usage VALUES ({marks}) ON CONFLICT DO UPDATE SET {sums}", _summed(state.rows)
        )
        self._db.execute("DELETE FROM begun")
        self._db.executemany(
            "INSERT INTO begun VALUES (?, ?, ?)", [(one, *rest) for one, rest in state.begun.items()]
        )
        self._db.executemany("REPLACE INTO window VALUES (?, ?, ?, ?, ?, ?)", list(state.windows.values()))
        # The offset of a journal stays until its file is gone: a kill in between must not have it read again.
        self._db.execute("DELETE FROM folded")
        self._db.executemany("INSERT INTO folded VALUES (?, ?)", list(state.offsets.items()))


def _create_or_migrate(db: sqlite3.Connection) -> None:
    """Version 2 has `guessed`. Two may come here at once: the second finds it done."""
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    found = db.execute("PRAGMA user_version").fetchone()[0]
    statements = _SCHEMA.split(";") if found == 0 else [_MIGRATION] if found == 1 else []
    for statement in filter(str.strip, statements):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {max(found, _VERSION)}")
    db.execute("COMMIT")


class _State:
    """How far the journals are read, and what was found in them."""

    def __init__(self, offsets: dict[int, int], begun: dict[str, tuple[str, str]]) -> None:
        self.offsets = offsets
        self.begun = begun
        self.without = ""  # a worker whose lines are passed over
        self.rows: list[Row] = []
        self.windows: dict[tuple[str, str, str], Window] = {}

    def take(self, line: bytes) -> None:
        """A damaged line is ignored: only a machine that lost its power leaves one."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            begun = _BEGUN.match(line)
            if begun is not None:
                # Nearly all of them end in these same lines, so they are parsed only where they do not.
                one, worker = begun[1].decode(), begun[2].decode()
                if not self.without or worker != self.without:
                    self.begun[one] = (worker, line.decode())
                return
            record = json.loads(line.decode())
            if "windows" in record:
                for name, used, resets_at in record["windows"]:
                    window = Window(
                        record["api"], record["credential"], name, used, resets_at, record["time"]
                    )
                    self.windows[window[:3]] = window
            elif self.without and record.get("worker") == self.without:
                pass
            elif record["end"]:
                if "nothing" not in record:
                    self.rows.append(_row(record))
                self.begun.pop(record["id"], None)
            else:
                self.begun[record["id"]] = (record["worker"], line.decode())

    def drop_damaged(self) -> None:
        """Forget beginnings that cannot be read."""
        for one, (_, line) in list(self.begun.items()):
            try:
                _row(json.loads(line))
            except (ValueError, KeyError, TypeError):
                del self.begun[one]


def _row(record: Mapping[str, Any]) -> Row:
    hour = int(record["time"]) // HOUR_S * HOUR_S
    head = (record["session"], record["name"], record["team"], record["api"], record["model"], hour)
    said = record.get
    return Row._make((*head, *[int(said(one, 0)) for one in SUMS]))


def _summed(rows: list[Row]) -> list[Row]:
    sums: dict[Any, Row] = {}
    for row in rows:
        before = sums.get(row.key)
        sums[row.key] = row if before is None else before.plus(row)
    return list(sums.values())


def _whole_lines(data: bytes) -> Iterator[bytes]:
    for line in data.splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield line
