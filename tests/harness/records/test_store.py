"""Stores: nothing written is lost, and everything that can be wrong with a file is one sentence."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from builder.bundle import Manifest, parse_manifest
from harness.errors import StoreError
from harness.records.pictures import Picture, encode_png
from harness.records.store import open_store, read_runs
from harness.records.store.sql import SqlStore, make_sqlite_url
from tests.harness.runs import make_run

ROOT = Path(__file__).parents[3]
PICTURE = Picture(role="output", name="stylized", png=encode_png(np.zeros((4, 4, 3), np.uint8)))

# appends without end, and says so after each append has returned
WRITER = """
import sys, itertools
from tests.harness.runs import make_run
from tests.harness.records.test_store import PICTURE
from harness.records.store import open_store
store = open_store(sys.argv[1], create=True)
for number in itertools.count():
    store.append(make_run(id=f"{sys.argv[2]}-{number}"), (PICTURE,))
    print(f"{sys.argv[2]}-{number}", flush=True)
"""


@pytest.mark.parametrize("name", ["runs.sqlite", "runs.jsonl", "run's \U0001f600 %40.sqlite"])
def test_runs_come_back_in_order(tmp_path: Path, name: str) -> None:
    """Both kinds of file give back equal records in the order of appending, also when opened again."""
    where = str(tmp_path / name)
    runs = [make_run(id=str(number), variant=f"v{number % 2}") for number in range(5)]
    for run in runs:
        store = open_store(where, create=True)
        store.append(run, ())
        store.close()
    assert read_runs(where) == runs


def test_pictures_and_manifests_come_back(tmp_path: Path, unopened_bundle: Path) -> None:
    """Pictures belong to their run and are kept once by content; the manifest is found by its bundle."""
    manifest: Manifest = parse_manifest((unopened_bundle / "manifest.json").read_text(encoding="utf-8"), where="small")
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    store.put_manifest("b" * 64, manifest)
    store.put_manifest("b" * 64, manifest)
    for number in range(3):
        store.append(make_run(id=str(number)), (PICTURE,))
    assert store.pictures("2") == (PICTURE,)
    assert store.pictures("no such run") == ()
    assert store.manifest("b" * 64) == manifest
    assert store.manifest("c" * 64) is None
    store.close()
    with sqlite3.connect(tmp_path / "runs.sqlite") as connection:
        assert connection.execute("select count(*) from pictures").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize("name", ["runs.sqlite", "runs.jsonl"])
def test_kill_in_the_middle_of_appends_loses_nothing(tmp_path: Path, name: str) -> None:
    """After kill -9 of a writer every append that had returned is there, and the next writer goes on."""
    where = str(tmp_path / name)
    finished: list[str] = []
    for turn in range(3):
        argv = [sys.executable, "-c", WRITER, where, str(turn)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
            assert writer.stdout is not None
            for line in writer.stdout:
                finished.append(line.strip())
                if line.strip().endswith(f"-{7 + 5 * turn}"):
                    break
            writer.kill()
    found = [run.id for run in read_runs(where)]
    assert set(finished) <= set(found)
    assert len(found) == len(set(found))
    if name.endswith(".sqlite"):
        store = open_store(where)
        assert all(store.pictures(run_id) == (PICTURE,) for run_id in found)
        store.close()


def test_many_writers_at_once_share_one_store(tmp_path: Path) -> None:
    """Programs that make and fill one store at the same moment all succeed, and every run is there once."""
    code = WRITER.replace("itertools.count()", "range(5)")
    argv = [sys.executable, "-c", code, str(tmp_path / "runs.sqlite")]
    writers = [subprocess.Popen([*argv, str(number)], stdout=subprocess.PIPE, cwd=ROOT) for number in range(6)]
    for writer in writers:
        writer.communicate(timeout=120)
    assert [writer.returncode for writer in writers] == [0] * 6
    found = [run.id for run in read_runs(str(tmp_path / "runs.sqlite"))]
    assert sorted(found) == sorted(f"{writer}-{number}" for writer in range(6) for number in range(5))


def test_a_torn_last_line_does_not_take_the_next_record_with_it(tmp_path: Path) -> None:
    """An append after half a line starts a line of its own, and what was written before and after is read."""
    path = tmp_path / "runs.jsonl"
    path.write_text(make_run().to_json() + "\n" + make_run().to_json()[:50], encoding="utf-8")
    open_store(str(path), create=True).append(make_run(id="after"))
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert [run.id for run in read_runs(str(path))] == [make_run().id, "after"]


def test_only_an_unfinished_record_is_passed_over(tmp_path: Path) -> None:
    """A line that is something else, or a whole record that is wrong, is named and not skipped."""
    path = tmp_path / "runs.jsonl"
    for line in ("not json", make_run().to_json().replace("latency", "lat")[:-1] + ', "x": 1}', '{"other": '):
        path.write_text(make_run().to_json() + "\n" + line + "\n", encoding="utf-8")
        with pytest.raises(StoreError, match="line 2"):
            read_runs(str(path))
    path.write_bytes(make_run().to_json().encode() + b'\n{"schema": 1, "id": "\xf0\x9f')  # torn within a character
    assert len(read_runs(str(path))) == 1


def test_a_locked_store_is_said_and_stays_intact(tmp_path: Path) -> None:
    """While another program holds the file, appending ends within its wait with a StoreError; afterwards it works."""
    path = tmp_path / "runs.sqlite"
    store = SqlStore(make_sqlite_url(path), create=True, lock_wait_s=0.1)
    store.append(make_run(id="before"))
    other = sqlite3.connect(path)
    other.execute("begin exclusive")
    with pytest.raises(StoreError, match="locked by another program"):
        store.append(make_run(id="during"))
    other.rollback()
    other.close()
    store.append(make_run(id="after"))
    assert [run.id for run in store.runs()] == ["before", "after"]
    store.close()


def test_a_locked_store_cannot_be_opened_for_ever(tmp_path: Path) -> None:
    """Opening a store that another program holds exclusively is a StoreError too."""
    path = tmp_path / "runs.sqlite"
    SqlStore(make_sqlite_url(path), create=True).close()
    other = sqlite3.connect(path)
    other.execute("pragma locking_mode=exclusive")
    other.execute("begin exclusive")
    other.execute("create table held (x)")
    with pytest.raises(StoreError, match="locked by another program"):
        SqlStore(make_sqlite_url(path), create=True, lock_wait_s=0.1)
    other.close()


def test_damaged_files_are_said(tmp_path: Path) -> None:
    """A file that is no database, and a database whose pages are overwritten, are StoreErrors that name the file."""
    text = tmp_path / "text.sqlite"
    text.write_text("this is no database, whatever its name says" * 40, encoding="utf-8")
    with pytest.raises(StoreError, match=r"text\.sqlite is damaged or is not a database"):
        read_runs(str(text))
    broken = tmp_path / "broken.sqlite"
    store = open_store(str(broken), create=True)
    for number in range(40):
        store.append(make_run(id=str(number)))
    store.close()
    content = bytearray(broken.read_bytes())
    content[4096 : len(content)] = b"\x5a" * (len(content) - 4096)
    broken.write_bytes(content)
    with pytest.raises(StoreError, match=r"broken\.sqlite"):
        read_runs(str(broken))


def test_places_that_hold_no_store_are_said(tmp_path: Path) -> None:
    """Missing files, directories, other databases, a folder that does not exist and a wrong URL each get their sentence."""
    with pytest.raises(StoreError, match="does not exist; measure first"):
        read_runs(str(tmp_path / "none.sqlite"))
    with pytest.raises(StoreError, match="is a directory"):
        read_runs(str(tmp_path))
    with pytest.raises(StoreError, match=r"the folder .* does not exist"):
        open_store(str(tmp_path / "no" / "folder.sqlite"), create=True)
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("create table something (x)")
    other.commit()
    other.close()
    with pytest.raises(StoreError, match="is not a store of run records"):
        read_runs(str(tmp_path / "other.sqlite"))
    with pytest.raises(StoreError, match="is not a database URL"):
        read_runs("nonsense://somewhere")


def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    """A store that a later edgebundle laid out differently is not guessed at."""
    path = tmp_path / "runs.sqlite"
    open_store(str(path), create=True).close()
    connection = sqlite3.connect(path)
    connection.execute("update layout set number = 2")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="layout 2 but this edgebundle reads up to 1"):
        read_runs(str(path))
