"""A record is on this disk first, is sent on with retries, and is called kept only when the store gives it back."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.bundle import parse_manifest
from harness.cli import main
from harness.errors import StoreError
from harness.records.delivery import delivering, send_leftovers
from harness.records.outbox import list_outboxes, open_outbox
from harness.records.run import Run
from harness.records.store import Store, open_store, read_runs
from tests.harness.postgres import Postgres
from tests.harness.records.test_store import PICTURE
from tests.harness.runs import make_run

ROOT = Path(__file__).parents[3]
KILLED = """
import os, signal, sys
from harness.records.delivery import delivering
from harness.records.store import open_store
from tests.harness.runs import make_run
store = open_store(sys.argv[1], create=True)
with delivering(store, "killed") as delivery:
    store.append = None  # the store is away from here on
    for number in range(3):
        delivery.append(make_run(id=f"k{number}"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))


def ids(where: str) -> list[str]:
    return [run.id for run in read_runs(where)]


def deliver(store: Store, meanwhile: Callable[[], object], count: int = 4) -> None:
    """A session of `count` records, in the middle of which something happens to the store."""
    with delivering(store, "s", patience_s=20) as delivery:
        for number in range(count):
            if number == count // 2:
                _wait(lambda: store.has(["0"]) == {"0"})
                meanwhile()
            delivery.append(make_run(id=str(number)), (PICTURE,))


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["runs.sqlite", "runs.jsonl"])
def test_a_file_that_is_deleted_in_the_middle_has_all_records_in_the_end(
    name: str, tmp_path: Path, unopened_bundle: Path
) -> None:
    """An open connection would go on writing into a file that nobody can read: what is told as kept is read back from the path."""
    where = tmp_path / name
    store = open_store(str(where), create=True)
    manifest = parse_manifest((unopened_bundle / "manifest.json").read_text(encoding="utf-8"), where="small")
    with delivering(store, "s", patience_s=20) as delivery:
        delivery.put_manifest("b" * 64, manifest)
        for number in range(4):
            if number == 2:
                _wait(lambda: store.has(["1"]) == {"1"})
                where.unlink()
            delivery.append(make_run(id=str(number)), (PICTURE,))
    store.close()
    assert sorted(ids(str(where))) == ["0", "1", "2", "3"]
    assert list_outboxes(store.name) == []
    if name.endswith(".sqlite"):
        store = open_store(str(where))
        assert store.pictures("0") == (PICTURE,)
        assert store.manifest("b" * 64) == manifest
        store.close()


def test_a_database_that_restarts_loses_nothing_and_ends_nothing() -> None:
    """PostgreSQL is stopped in the middle and comes back after three seconds: appending never waits, and all is there in the end."""
    with Postgres() as server:
        store = open_store(server.url, create=True)

        def restart() -> None:
            server.stop()
            start = time.monotonic()
            for number in range(10, 20):
                open_outbox(store.name, "other").put(make_run(id=str(number)))
            assert time.monotonic() - start < 60
            time.sleep(3)
            server.start()

        deliver(store, restart)
        assert send_leftovers(store) == 10
        store.close()
        assert sorted(ids(server.url), key=int) == [str(n) for n in (*range(4), *range(10, 20))]


def test_what_a_killed_session_had_not_sent_the_next_one_sends(tmp_path: Path) -> None:
    """kill -9 while the store was away: the records are on the disk, and the next session into the store sends them, once."""
    where = str(tmp_path / "runs.sqlite")
    done = subprocess.run([sys.executable, "-c", KILLED, where], cwd=ROOT, timeout=120, check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert ids(where) == []
    store = open_store(where, create=True)
    assert (send_leftovers(store), send_leftovers(store)) == (3, 0)
    store.close()
    assert ids(where) == ["k0", "k1", "k2"]


def test_a_store_that_stays_away_is_told_with_where_the_records_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measuring goes on; at the end it is an error, and both cures that it offers work."""
    where = tmp_path / "runs.sqlite"
    store = open_store(str(where), create=True)

    def session() -> None:
        with delivering(store, "s", patience_s=0.3) as delivery:
            for number in range(4):
                if number == 2:
                    where.unlink()
                    where.mkdir()
                delivery.append(make_run(id=str(number)))

    with caplog.at_level(logging.WARNING), pytest.raises(StoreError, match="4 records are not in") as caught:
        session()
    store.close()
    folder = list_outboxes(store.name)[0].folder
    assert f"they are safe in {folder}" in str(caught.value)
    other = str(tmp_path / "other.sqlite")
    assert main(["farm", "--import", str(folder), "-o", other]) == 0
    assert sorted(ids(other)) == ["0", "1", "2", "3"]
    where.rmdir()
    store = open_store(str(where), create=True)
    assert send_leftovers(store) == 4
    store.close()
    assert sorted(ids(str(where))) == ["0", "1", "2", "3"]
    capsys.readouterr()


def test_two_sessions_do_not_send_one_anothers_records(tmp_path: Path) -> None:
    """An outbox that a living session uses is left to it."""
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    with delivering(store, "s") as delivery:
        delivery.append(make_run(id="1"))
        assert send_leftovers(store) == 0
    store.close()


def test_a_damaged_line_costs_only_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a farm's result with a broken archive and a broken line all other records are kept, and exit 2 names what was not."""
    folder, where = tmp_path / "results", str(tmp_path / "runs.sqlite")
    folder.mkdir()
    good: list[Run] = [make_run(id=str(number)) for number in range(3)]
    (folder / "a.jsonl").write_text(f'{good[0].to_json()}\n{{"schema": 1, "id": 5}}\n{good[1].to_json()}\n')
    (folder / "b.zip").write_bytes(b"PK\x03\x04 broken")
    (folder / "c.jsonl").write_text(good[2].to_json() + "\n")
    assert main(["farm", "--import", str(folder), "-o", where]) == 2
    assert ids(where) == ["0", "1", "2"]
    told = capsys.readouterr().err
    assert "2 records or files could not be read, all others are in" in told
    assert "a.jsonl line 2" in told
