"""Files that are no store, or one that cannot be written: one sentence, no hang, nothing left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import main
from harness.records.store import open_store
from tests.harness.runs import make_run

ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65534


def stored(path: Path) -> Path:
    store = open_store(str(path), create=True)
    store.append(make_run())
    store.close()
    return path


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of an error of usage."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err


@pytest.mark.parametrize("name", ["pipe.sqlite", "pipe.jsonl"])
def test_a_pipe_is_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """It is not waited for."""
    os.mkfifo(tmp_path / name)
    for verb in ("show", "check", "report", "compare"):
        assert "is a pipe or a device and no file" in said([verb, str(tmp_path / name)], capsys)


def test_a_pipe_is_no_bundle_and_no_protocol(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither is waited for."""
    os.mkfifo(tmp_path / "pipe.toml")
    assert "is a pipe or a device; give a bundle" in said(["run", str(tmp_path / "pipe.toml"), "-d", "host"], capsys)
    words = ["run", str(tmp_path), "-d", "host", "--protocol", str(tmp_path / "pipe.toml")]
    assert "is no file; name a protocol" in said(words, capsys)


def test_utf_16_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What Windows programs write is told by its name, with what to do."""
    (tmp_path / "runs.jsonl").write_text(make_run().to_json() + "\n", encoding="utf-16")
    (tmp_path / "own.toml").write_text("warmup = 5\nruns = 30\n", encoding="utf-16")
    assert "is written in UTF-16, and records are UTF-8; save it as UTF-8" in said(
        ["show", str(tmp_path / "runs.jsonl")], capsys
    )
    assert "UTF-16" in said(["farm", "--import", str(tmp_path), "-o", str(tmp_path / "x.sqlite")], capsys)
    words = ["run", str(tmp_path), "-d", "host", "--protocol", str(tmp_path / "own.toml")]
    assert "own.toml is not written in UTF-8" in said(words, capsys)


@pytest.mark.parametrize(
    "words",
    [
        ["show", ""],
        ["run", "", "-d", "host"],
        ["run", "b", "-d", ""],
        ["run", "b", "-d", "host", "-o", ""],
        ["compare", "a", ""],
    ],
)
def test_an_empty_argument_is_said(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`""` is what an unset variable gives, and never the folder where one stands."""
    assert "an argument is empty; a variable of your script may be unset" in said(words, capsys)


def test_a_failed_import_leaves_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a folder without records nor one with damaged ones makes a store that a report would read."""
    results = tmp_path / "results"
    results.mkdir()
    for text in (None, "{not json\n"):
        if text is not None:
            (results / "runs.jsonl").write_text(text, encoding="utf-8")
        assert "holds no run records" in said(
            ["farm", "--import", str(results), "-o", str(tmp_path / "runs.sqlite")], capsys
        )
        assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_a_run_that_cannot_begin_leaves_no_store(
    unopened_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong variant, and a device that is not there."""
    where = str(tmp_path / "runs.sqlite")
    said(["run", str(unopened_bundle), "-d", "host", "--variant", "none-such", "-o", where], capsys)
    assert list(tmp_path.iterdir()) == []
    assert main(["run", str(unopened_bundle), "-d", "host:elsewhere", "-o", where]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["html", "json", "markdown", "junit", "jsonl"])
def test_an_empty_store_is_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    """It says so and writes nothing."""
    open_store(str(tmp_path / "runs.sqlite"), create=True).close()
    words = ["report", str(tmp_path / "runs.sqlite"), "--format", form, "-o", str(tmp_path / "report")]
    assert "holds no runs to report" in said(words, capsys)
    assert not (tmp_path / "report").exists()


def as_nobody(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command as a user who may only read: the tests' own user may be root, for whom nothing is read-only."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-m", "harness", *map(str, words)]
    if os.geteuid() == 0:
        argv = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *argv]
    return subprocess.run(argv, env=env, cwd="/", capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    """A folder with a store that nobody may write to."""
    folder = Path(shutil.copytree(tmp_path, f"{tmp_path}-frozen"))
    stored(folder / "runs.sqlite")
    for path in (folder, *folder.parents[:-1]):
        path.chmod(path.stat().st_mode | 0o055)
    return folder


def test_a_store_in_a_read_only_folder_is_read(frozen: Path) -> None:
    """Shown, checked and reported; nothing is made beside it, and writing to it is a sentence."""
    frozen.chmod(0o555)
    (frozen / "runs.sqlite").chmod(0o444)
    for words in (["show"], ["check"], ["report", "--format", "markdown"]):
        done = as_nobody(words[0], frozen / "runs.sqlite", *words[1:])
        assert done.returncode == 0, done.stderr
        assert "tflite" in done.stdout
    assert [path.name for path in frozen.iterdir()] == ["runs.sqlite"]


def test_newest_records_that_cannot_be_reached_are_not_passed_over(frozen: Path) -> None:
    """Where the log of a killed writer lies beside it, the sentence says what to copy, and the copy is read."""
    store = open_store(str(frozen / "runs.sqlite"))
    store.append(make_run(id="2"))
    for name in ("runs.sqlite", "runs.sqlite-wal"):  # as a kill leaves them
        shutil.copy(frozen / name, frozen / f"killed{name.removeprefix('runs')}")
    store.close()
    frozen.chmod(0o555)
    done = as_nobody("show", frozen / "killed.sqlite")
    assert done.returncode == 2
    assert "its newest records are in killed.sqlite-wal" in done.stderr
    frozen.chmod(0o755)
    done = as_nobody("show", "--json", frozen / "killed.sqlite")
    assert done.returncode == 2
    copies = frozen / "copies"
    copies.mkdir()
    copies.chmod(0o777)
    for name in ("killed.sqlite", "killed.sqlite-wal"):
        shutil.copy(frozen / name, copies / name)
        (copies / name).chmod(0o666)
    done = as_nobody("show", "--json", copies / "killed.sqlite")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"schema"') == 2


def test_a_file_that_may_not_be_read_is_said(frozen: Path) -> None:
    """With the command that changes it."""
    for name in ("runs.sqlite", "runs.jsonl"):
        (frozen / name).touch()
        (frozen / name).chmod(0o000)
        done = as_nobody("show", frozen / name)
        assert done.returncode == 2
        assert (
            f"{frozen / name} cannot be read (permission denied); change its permissions with 'chmod u+r" in done.stderr
        )
