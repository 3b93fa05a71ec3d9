"""The sqlite database: what was intended, and what Docker cannot know. The only importer of sqlite3.

Docker's labels are the truth about containers; a row here survives a wiped engine and a label survives a lost
database, and `session.reconcile` puts the two together again. What narrows a session is in a file beside it as well
(`rights`), written here along with the row.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clauderon import rights
from clauderon.errors import BackendError, Conflict, NoSuchSession
from clauderon.paths import Home
from clauderon.record import Session

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 10.0
# sqlite works with files of a few pages; with less room than this it fails in many ways.
_LEAST_ROOM_BYTES = 128 << 10

_SCHEMA = """
CREATE TABLE session (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE COLLATE NOCASE,
    state       TEXT NOT NULL,
    step        TEXT NOT NULL DEFAULT '',
    port        INTEGER NOT NULL UNIQUE,
    archived    INTEGER NOT NULL DEFAULT 0,
    idempotency TEXT UNIQUE,
    created_at  REAL NOT NULL,
    updated_at  REAL NOT NULL,
    record      TEXT NOT NULL
);
CREATE TABLE image (
    id    TEXT PRIMARY KEY,
    facts TEXT NOT NULL
);
CREATE TABLE fact (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
"""


class Store:
    """The open database. Every method is one transaction."""

    def __init__(self, connection: sqlite3.Connection, home: Home) -> None:
        self._db = connection
        self._home = home
        self.path = home.database

    @classmethod
    def open(cls, home: Home) -> Store:
        """Open, creating the schema if the file is new. Raises BackendError for a damaged or newer file."""
        path = home.database
        try:
            db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            db.row_factory = sqlite3.Row
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version == 0:
                _create(db)
            elif version > SCHEMA_VERSION:
                db.close()
                raise BackendError(
                    str(path),
                    f"written by a newer clauderon (schema {version}, this one knows {SCHEMA_VERSION})",
                    hint="pip install --upgrade clauderon",
                )
            db.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.DatabaseError as error:
            raise _damaged(path, error) from error
        return cls(db, home)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error

    def add(self, session: Session, ports: range | None = None) -> Session:
        """Record a new session. Raises Conflict if its name, its port or its idempotency key is in use.

        ports: where another port may come from, should its own be taken by now or not be one of these.
        """
        try:
            with self._transaction() as db:
                if ports is not None and (session.port not in ports or session.port in _taken(db)):
                    session = session.changed(port=self.free_port(ports, f"create {session.name}"))
                db.execute(
                    "INSERT INTO session (id, name, state, step, port, archived, idempotency, created_at,"
                    " updated_at, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        session.id,
                        session.name,
                        session.state,
                        session.step,
                        session.port,
                        session.archived,
                        session.idempotency,
                        session.created_at,
                        session.updated_at,
                        session.to_json(),
                    ),
                )
                # No container has these rights yet, and `create` has no time to wait for the disk.
                self.keep_rights(session, durable=False)
        except sqlite3.IntegrityError as error:
            if "idempotency" in str(error):
                other = self.by_idempotency(session.idempotency or "")
                raise Conflict(
                    f"create {session.name}",
                    "the idempotency key is in use",
                    hint=f"clauderon status {other.name}"
                    if other is not None
                    else "clauderon list --archived",
                ) from error
            if "session.port" in str(error) and self.get(session.name) is None:
                raise Conflict(
                    f"create {session.name}",
                    f"another session has taken port {session.port}",
                    hint="clauderon create --dry-run ...   # a new script",
                ) from error
            raise Conflict(
                f"create {session.name}",
                "the name is in use",
                hint=f"clauderon status {session.name}",
            ) from error
        return session

    def update(self, session_id: str, **changes: Any) -> Session:
        """Change the named fields of one session; returns it as it now is. Raises NoSuchSession."""
        with self._transaction() as db:
            row = db.execute("SELECT * FROM session WHERE id = ?", (session_id,)).fetchone()
            if row is None:
                raise NoSuchSession(session_id, "no such session", hint="clauderon list")
            before = _session(row)
            session = before.changed(**changes, updated_at=time.time())
            db.execute(
                "UPDATE session SET name = ?, state = ?, step = ?, port = ?, archived = ?, updated_at = ?,"
                " record = ? WHERE id = ?",
                (
                    session.name,
                    session.state,
                    session.step,
                    session.port,
                    session.archived,
                    session.updated_at,
                    session.to_json(),
                    session_id,
                ),
            )
            was, now = rights.of(before._asdict()), rights.of(session._asdict())
            both = rights.narrower(was, now)
            if both != was:
                self.keep_rights(session.changed(**both))
        if both != now:
            self.keep_rights(session)
        return session

    def keep_rights(self, session: Session, *, durable: bool = True) -> None:
        """Write what narrows the session beside it. durable: as for `rights.write`. Raises BackendError."""
        try:
            rights.write(self._home, session.id, rights.of(session._asdict()), durable=durable)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            what = str(error.filename or self._home.session_dir(session.id))
            raise BackendError(what, why, hint="clauderon doctor") from error

    def remove(self, session_id: str) -> None:
        """Forget a session; no error if it is not there."""
        with self._transaction() as db:
            db.execute("DELETE FROM session WHERE id = ?", (session_id,))

    def get(self, name: str) -> Session | None:
        """The session with this name; None if there is none. Raises StateError."""
        row = self._one("SELECT * FROM session WHERE name = ?", (name,))
        return None if row is None else _session(row)

    def named(self, name: str) -> Session:
        """The session of that name. Raises NoSuchSession."""
        session = self.get(name)
        if session is None:
            raise NoSuchSession(f"session {name}", "no session has this name", hint="clauderon list")
        return session

    def by_idempotency(self, key: str) -> Session | None:
        """The session with this idempotency key; None if there is none. Raises StateError."""
        row = self._one("SELECT * FROM session WHERE idempotency = ?", (key,))
        return None if row is None else _session(row)

    def free_port(self, ports: range, what: str) -> int:
        """The lowest of `ports` that no session has. Raises Conflict, about `what`, if there is none."""
        try:
            taken = _taken(self._db)
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error
        found = next((port for port in ports if port not in taken), None)
        if found is None:
            raise Conflict(
                what, f"all {len(ports)} session ports are in use", hint="clauderon list --archived"
            )
        return found

    def is_empty(self) -> bool:
        """Whether there is no session at all."""
        try:
            return self._db.execute("SELECT 1 FROM session LIMIT 1").fetchone() is None
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error

    def all(self) -> list[Session]:
        """Every session, oldest first, archived ones included."""
        try:
            return [
                _session(row) for row in self._db.execute("SELECT * FROM session ORDER BY created_at, name")
            ]
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error

    def unfinished(self) -> list[Session]:
        """The sessions some command began to make, refresh or delete and has not finished."""
        try:
            return [
                _session(row) for row in self._db.execute("SELECT * FROM session WHERE state != 'running'")
            ]
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error

    def names(self) -> list[tuple[str, str, bool]]:
        """Name, state and whether archived of every session, newest first; what completion needs, and no more."""
        query = "SELECT name, state, archived FROM session ORDER BY created_at DESC, name"
        try:
            return [(row[0], row[1], bool(row[2])) for row in self._db.execute(query)]
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error

    def image_facts(self, image_id: str) -> dict[str, Any] | None:
        """What was found out about an image by looking inside it once, by its content id."""
        row = self._one("SELECT facts FROM image WHERE id = ?", (image_id,))
        return None if row is None else json.loads(row[0])

    def keep_image_facts(self, image_id: str, facts: Mapping[str, Any]) -> None:
        """Keep what was found in an image, by its id. Raises StateError."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO image VALUES (?, ?)", (image_id, json.dumps(dict(facts))))

    def fact(self, key: str) -> Any:
        """A cached fact about the engine (JSON), or None."""
        row = self._one("SELECT value FROM fact WHERE key = ?", (key,))
        return None if row is None else json.loads(row[0])

    def facts(self, prefix: str) -> dict[str, Any]:
        """Every cached fact whose key begins with `prefix`, by key."""
        query = "SELECT key, value FROM fact WHERE substr(key, 1, ?) = ? ORDER BY key"
        try:
            return {key: json.loads(value) for key, value in self._db.execute(query, (len(prefix), prefix))}
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error

    def keep_fact(self, key: str, value: Any) -> None:
        """Remember a fact; None forgets it."""
        with self._transaction() as db:
            if value is None:
                db.execute("DELETE FROM fact WHERE key = ?", (key,))
            else:
                db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (key, json.dumps(value)))

    def _one(self, query: str, arguments: tuple[Any, ...]) -> Any:
        try:
            return self._db.execute(query, arguments).fetchone()
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error) from error


def _create(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    # Two first commands may race here: the second finds the version set.
    if int(db.execute("PRAGMA user_version").fetchone()[0]) == 0:
        for statement in _SCHEMA.split(";"):
            if statement.strip():
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    db.execute("COMMIT")


def _taken(db: sqlite3.Connection) -> set[int]:
    return {row[0] for row in db.execute("SELECT port FROM session")}


def _session(row: sqlite3.Row) -> Session:
    session = Session.from_json(row["record"])
    return session.changed(
        name=row["name"],
        state=row["state"],
        step=row["step"],
        port=row["port"],
        archived=bool(row["archived"]),
    )


def _damaged(path: Path, error: sqlite3.DatabaseError) -> BackendError:
    if isinstance(error, sqlite3.OperationalError):
        # A full disk shows as an input/output error too, where sqlite cannot make the file it works with.
        code = getattr(error, "sqlite_errorname", None) or ""
        if code == "SQLITE_FULL" or code.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
            why, words = _lack(path) or ("the disk is full" if code == "SQLITE_FULL" else "", "df -h")
            if why:
                return BackendError(str(path), why, hint=f"{words} {shlex.quote(str(path.parent))}")
        return BackendError(str(path), str(error), hint="clauderon doctor")
    return BackendError(
        str(path),
        f"not a readable database ({error}); containers keep their own record",
        hint="clauderon reconcile --rebuild-database",
    )


def _lack(path: Path) -> tuple[str, str] | None:
    """(what the disk has no more of, the command that shows it); None where there is room."""
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return None
    if disk.f_files > 0 and disk.f_favail == 0:
        return "the disk is full: it has no inodes left, so no file can be made", "df -i"
    return ("the disk is full", "df -h") if disk.f_bavail * disk.f_frsize < _LEAST_ROOM_BYTES else None


def set_aside(home: Home) -> Path | None:
    """Rename the database (and its journal) out of the way; returns its new path, None if there was none."""
    path = home.database
    if not path.exists():
        return None
    kept = path.with_name(f"{path.name}.{time.strftime('%Y%m%dT%H%M%S')}")
    path.rename(kept)
    for suffix in ("-wal", "-shm"):
        journal = path.with_name(path.name + suffix)
        if journal.exists():
            journal.rename(kept.with_name(kept.name + suffix))
    return kept
