"""A database as a store, through SQLAlchemy: an SQLite file on one machine, PostgreSQL by URL for a lab."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from harness.errors import MissingToolError, StoreError
from harness.records.run import Run, parse_run

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, MetaData, Table

    from builder.bundle import Manifest
    from harness.records.pictures import Picture

log = logging.getLogger(__name__)
# How long an append waits for another writer, and an opening for the server.
LOCK_WAIT_S = 10.0
# Any number of our own: the advisory lock under which PostgreSQL's tables are made.
CREATING = 7_340_021
PACKAGES = {"psycopg": "'edgebundle[postgres]'"}
# Ids in one query.
MOST_ASKED = 500
# Of the tables; the records inside carry a schema of their own.
LAYOUT = 1


def _tables() -> MetaData:
    """`runs` holds each record as the exact line of the exchange format; pictures are kept once by content."""
    from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, MetaData, String, Table, Text

    tables = MetaData()
    Table("layout", tables, Column("number", Integer, primary_key=True))
    Table(
        "runs",
        tables,
        Column("sequence", Integer, primary_key=True, autoincrement=True),
        Column("id", String(64), nullable=False, unique=True),
        Column("record", Text, nullable=False),
    )
    Table(
        "manifests",
        tables,
        Column("bundle_sha256", String(64), primary_key=True),
        Column("manifest", Text, nullable=False),
    )
    Table(
        "pictures", tables, Column("sha256", String(64), primary_key=True), Column("png", LargeBinary, nullable=False)
    )
    Table(
        "run_pictures",
        tables,
        Column("run_id", String(64), ForeignKey("runs.id"), primary_key=True),
        Column("role", String(16), primary_key=True),
        Column("name", String(200), primary_key=True),
        Column("sha256", String(64), ForeignKey("pictures.sha256"), nullable=False),
    )
    return tables


def make_sqlite_url(path: Path) -> URL:
    """URL of a file, whatever characters its name has."""
    from sqlalchemy import URL

    return URL.create("sqlite", database=str(path))


def make_frozen_url(path: Path) -> URL:
    """URL of a file that nobody can write to, and beside which SQLite can make none of its own (sqlite.org/wal.html, 'Read-Only Databases').

    Raises StoreError where a part of it still lies in such a file: without it the newest records would be missing.
    """
    from sqlalchemy import URL

    log_file = path.with_name(f"{path.name}-wal")
    if log_file.is_file() and log_file.stat().st_size:
        raise StoreError(
            f"{path} cannot be read where it is: its newest records are in {log_file.name}, and the folder cannot be written; copy both "
            "files into a folder that can."
        )
    query = {"uri": "true", "mode": "ro", "immutable": "1"}
    return URL.create("sqlite", database=f"file:{quote(str(path.absolute()))}", query=query)


def is_frozen(path: Path) -> bool:
    """Whether the file is there and can be read but not written, or nothing can be made beside it."""
    return path.is_file() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


class SqlStore:
    """Each append is one transaction: a run is there with its pictures, or it is not there at all."""

    def __init__(self, url: str | URL, *, create: bool, lock_wait_s: float = LOCK_WAIT_S) -> None:
        from sqlalchemy import create_engine, event, make_url
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError

        self._tables = _tables()
        try:
            parsed = make_url(url)
            if parsed.drivername in ("postgresql", "postgres"):  # as other programs write it
                parsed = parsed.set(drivername="postgresql+psycopg")
            sqlite = parsed.get_backend_name() == "sqlite"
            self.name = (parsed.database or str(parsed)) if sqlite else parsed.render_as_string(hide_password=True)
            self._file = Path(parsed.database).absolute() if sqlite and parsed.database else None
            frozen_file = self._file is not None and is_frozen(self._file)
            if self._file is not None and frozen_file:
                parsed = make_frozen_url(self._file)
            # a server that was started anew between two appends is met with a new connection
            self._engine = create_engine(
                parsed, pool_pre_ping=not sqlite, connect_args=_patience(parsed.get_backend_name(), lock_wait_s)
            )
        except (ArgumentError, NoSuchModuleError) as error:
            raise StoreError(
                f"{url!r} is not a database URL ({error}); write a file name or e.g. postgresql+psycopg://HOST/NAME."
            ) from error
        except ModuleNotFoundError as error:
            raise MissingToolError(
                f"this database needs the Python package {error.name}: pip install {PACKAGES.get(str(error.name), error.name)}."
            ) from error
        self._is: tuple[int, int] | None = None
        if self._file is not None:
            self.name = str(self._file)
            if not frozen_file:
                event.listen(self._engine, "connect", _set_sqlite_pragmas)
        try:
            self._prepare(create=create)
        except BaseException:
            self.close()
            raise

    def _prepare(self, *, create: bool) -> None:
        """Make the tables, or see that they are there, and read the layout's number."""
        from sqlalchemy import inspect

        with self._guard():
            if create:
                with self._writing() as connection:
                    if connection.dialect.name == "postgresql":
                        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({CREATING})")
                    self._tables.create_all(connection)
                    layout = self._tables.tables["layout"]
                    if connection.execute(layout.select()).first() is None:
                        connection.execute(layout.insert(), {"number": LAYOUT})
            names = set(inspect(self._engine).get_table_names())
            if not set(self._tables.tables) <= names:
                raise StoreError(
                    f"{self.name} is not a store of run records; give the file that 'harness run -o' wrote."
                )
            with self._engine.connect() as connection:
                number: int = connection.execute(self._tables.tables["layout"].select()).scalar_one()
        self._is = self._identity()
        if number > LAYOUT:
            raise StoreError(
                f"{self.name} has layout {number} but this edgebundle reads up to {LAYOUT}; upgrade edgebundle."
            )

    def _identity(self) -> tuple[int, int] | None:
        """Of the file behind the path; None for a server, and for a file that is gone."""
        try:
            status = os.stat(self._file) if self._file is not None else None
        except OSError:
            return None
        return (status.st_dev, status.st_ino) if status is not None else None

    def _require_same_file(self) -> None:
        """Make the store anew where its file was deleted or replaced: an open connection would go on writing into what nobody can read."""
        if self._file is not None and self._identity() != self._is:
            log.warning("%s was deleted or replaced by another program; it is made anew", self.name)
            self._engine.dispose()
            self._prepare(create=True)

    def append(self, run: Run, pictures: tuple[Picture, ...] = ()) -> None:
        table, links, records = (self._tables.tables[name] for name in ("pictures", "run_pictures", "runs"))
        self._require_same_file()
        with self._guard(), self._writing() as connection:
            connection.execute(records.insert(), {"id": run.id, "record": run.to_json()})
            for picture in pictures:
                digest = hashlib.sha256(picture.png).hexdigest()
                _insert_if_new(connection, table, {"sha256": digest, "png": picture.png})
                row = {"run_id": run.id, "role": picture.role, "name": picture.name, "sha256": digest}
                connection.execute(links.insert(), row)

    def put_manifest(self, bundle_sha256: str, manifest: Manifest) -> None:
        self._require_same_file()
        row = {"bundle_sha256": bundle_sha256, "manifest": manifest.to_json()}
        with self._guard(), self._writing() as connection:
            _insert_if_new(connection, self._tables.tables["manifests"], row)

    def runs(self) -> Generator[Run]:
        from sqlalchemy import select

        table = self._tables.tables["runs"]
        with self._guard(), self._engine.connect() as connection:
            for row in connection.execute(select(table.c.sequence, table.c.record).order_by(table.c.sequence)):
                yield parse_run(row.record, where=f"{self.name} record {row.sequence}")

    def has(self, run_ids: Sequence[str]) -> set[str]:
        from sqlalchemy import select

        self._require_same_file()
        table = self._tables.tables["runs"]
        there: set[str] = set()
        with self._guard(), self._engine.connect() as connection:
            for start in range(0, len(run_ids), MOST_ASKED):
                query = select(table.c.id, table.c.record).where(table.c.id.in_(run_ids[start : start + MOST_ASKED]))
                there.update(
                    parse_run(row.record, where=f"{self.name} record {row.id}").id for row in connection.execute(query)
                )
        return there

    def manifest(self, bundle_sha256: str) -> Manifest | None:
        from sqlalchemy import select

        from builder.bundle import parse_manifest

        table = self._tables.tables["manifests"]
        with self._guard(), self._engine.connect() as connection:
            text = connection.execute(
                select(table.c.manifest).where(table.c.bundle_sha256 == bundle_sha256)
            ).scalar_one_or_none()
        return None if text is None else parse_manifest(text, where=f"{self.name} manifest {bundle_sha256[:12]}")

    def pictures(self, run_id: str) -> tuple[Picture, ...]:
        from sqlalchemy import select

        from harness.records.pictures import Picture

        table, links = self._tables.tables["pictures"], self._tables.tables["run_pictures"]
        query = (
            select(links.c.role, links.c.name, table.c.png)
            .join(table, table.c.sha256 == links.c.sha256)
            .where(links.c.run_id == run_id)
        )
        with self._guard(), self._engine.connect() as connection:
            return tuple(Picture(role=row.role, name=row.name, png=row.png) for row in connection.execute(query))

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction that no other writer can come between; SQLite would otherwise take its lock only at the first write."""
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Database errors as one sentence."""
        from sqlalchemy.exc import DatabaseError, SQLAlchemyError

        try:
            yield
        except DatabaseError as error:
            reason = " ".join(str(error.orig).split())
            if "locked" in reason or "lock timeout" in reason:
                raise StoreError(
                    f"{self.name} is locked by another program; wait for it to end, or write elsewhere with -o."
                ) from error
            if "not a database" in reason or "malformed" in reason:
                raise StoreError(
                    f"{self.name} is damaged or is not a database ({reason}); move it away, or restore a copy."
                ) from error
            raise StoreError(f"{self.name} cannot be used ({reason}); check the path and its permissions.") from error
        except SQLAlchemyError as error:
            raise StoreError(f"{self.name} cannot be used ({error}).") from error


def _patience(database: str, wait_s: float) -> dict[str, Any]:
    """Limits of waiting, in each driver's words."""
    if database == "sqlite":
        return {"timeout": wait_s}
    if database == "postgresql":
        # a server whose machine vanished is not waited for the hours of the system's own keepalives (libpq, 'Parameter Key Words')
        alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
        return {"connect_timeout": max(2, int(wait_s)), "options": f"-c lock_timeout={int(wait_s * 1000)}", **alive}
    return {}


def _insert_if_new(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    """Insert unless the primary key is there, also when another writer is inserting it at this moment."""
    from sqlalchemy.dialects import postgresql, sqlite

    dialects: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    insert = dialects.get(connection.dialect.name)
    if insert is not None:
        connection.execute(insert(table).values(row).on_conflict_do_nothing())
        return
    key = table.primary_key.columns[0]
    if connection.execute(table.select().where(key == row[key.name])).first() is None:
        connection.execute(table.insert(), row)


def _set_sqlite_pragmas(connection: Any, record: object) -> None:
    """Write-ahead log: readers never block the writer, and a killed writer leaves what was committed intact."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
