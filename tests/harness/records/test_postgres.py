"""The store of a lab: a real PostgreSQL, started here, with many writers, killed writers, locks and a server that goes away."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from builder.bundle import parse_manifest
from harness.errors import StoreError
from harness.records.run import SCHEMA
from harness.records.store import open_store, read_runs
from harness.records.store.sql import SqlStore
from harness.report import make_report
from tests.harness.postgres import Postgres
from tests.harness.records.test_store import PICTURE, ROOT, WRITER
from tests.harness.runs import make_run


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


@pytest.fixture
def url(server: Postgres) -> Iterator[str]:
    """A database of its own for each test."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("create database lab")
    try:
        yield server.url.replace("/postgres?", "/lab?")
    finally:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("drop database lab with (force)")


def test_everything_comes_back(url: str, small_bundle: Path) -> None:
    """Runs in order, pictures once by content, the manifest, and the same report as from a file."""
    manifest = parse_manifest((small_bundle / "manifest.json").read_text(encoding="utf-8"), where="small")
    store = open_store(url, create=True)
    runs = [make_run(id=str(number), variant="v \U0001f600 \x00") for number in range(5)]
    for run in runs:
        store.append(run, (PICTURE,))
    store.put_manifest("b" * 64, manifest)
    store.put_manifest("b" * 64, manifest)
    assert read_runs(url) == runs
    assert store.pictures("3") == (PICTURE,)
    assert store.manifest("b" * 64) == manifest
    assert "v \U0001f600" in make_report(store, "html")
    store.close()


def test_many_writers_make_and_fill_it_at_once(url: str) -> None:
    """Six programs make the tables and append the same picture at the same moment; every run is there once."""
    argv = [sys.executable, "-c", WRITER.replace("itertools.count()", "range(5)"), url]
    writers = [subprocess.Popen([*argv, str(number)], stdout=subprocess.PIPE, cwd=ROOT) for number in range(6)]
    for writer in writers:
        writer.communicate(timeout=120)
    assert [writer.returncode for writer in writers] == [0] * 6
    assert sorted(run.id for run in read_runs(url)) == sorted(f"{w}-{n}" for w in range(6) for n in range(5))


def test_a_killed_writer_loses_nothing(url: str) -> None:
    """After kill -9 every append that had returned is there with its picture, and the next writer goes on."""
    finished = []
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url, "a"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            finished.append(line.strip())
            if len(finished) == 20:
                break
        writer.kill()
    store = open_store(url, create=True)
    store.append(make_run(id="after"), (PICTURE,))
    found = [run.id for run in store.runs()]
    assert set(finished) <= set(found)
    assert found[-1] == "after"
    assert all(store.pictures(run_id) == (PICTURE,) for run_id in found)
    store.close()


def test_a_held_lock_ends_in_a_sentence(url: str) -> None:
    """While another program holds the table, appending ends within its wait; afterwards it works."""
    store = SqlStore(url, create=True, lock_wait_s=0.2)
    with psycopg.connect(url) as other:
        other.execute("lock table runs in exclusive mode")
        with pytest.raises(StoreError, match="locked by another program"):
            store.append(make_run(id="during"))
    store.append(make_run(id="after"))
    assert [run.id for run in store.runs()] == ["after"]
    store.close()


def test_what_is_no_store_or_no_server_is_said(url: str, tmp_path: Path) -> None:
    """An empty database, a database that does not exist, and a server that is not there are one sentence without a password."""
    with pytest.raises(StoreError, match="is not a store of run records"):
        read_runs(url)
    with pytest.raises(StoreError, match="does not exist"):
        read_runs(url.replace("/lab?", "/none?"))
    with pytest.raises(StoreError, match="cannot be used") as caught:
        read_runs(f"postgresql://someone:secret@/lab?host={tmp_path}")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_was_started_anew_is_met_again(url: str) -> None:
    """The server ends our connection between two appends, as a restart does: the next append connects again."""
    store = open_store(url, create=True)
    store.append(make_run(id="before"))
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = 'lab'"
        )
    store.append(make_run(id="after"))
    assert [run.id for run in store.runs()] == ["before", "after"]
    store.close()


def test_records_of_a_newer_schema_are_refused(url: str) -> None:
    """A record that a later edgebundle wrote is named with both numbers."""
    store = open_store(url, create=True)
    store.append(make_run(id="1"))
    store.close()
    with psycopg.connect(url) as connection:
        connection.execute(f"update runs set record = replace(record, '\"schema\": {SCHEMA}', '\"schema\": 9')")
    with pytest.raises(StoreError, match=f"has schema 9 but this edgebundle reads up to {SCHEMA}"):
        read_runs(url)
