"""`harness report`: what it writes, what it labels, and what it never replaces."""

from __future__ import annotations

from pathlib import Path

from tests.harness.commands import Harness, stored
from tests.harness.runs import make_counted_run, make_run


def test_a_simulated_run_is_labelled_in_every_output(harness: Harness, tmp_path: Path) -> None:
    """The label of a device that is no hardware is in the table, JSON, Markdown and HTML."""
    path = stored(tmp_path / "runs.sqlite", make_counted_run(123_456_789))
    harness("report", path, "-o", tmp_path / "report.html")
    outputs = [
        harness("show", path).stdout,
        harness("show", path, "--json").stdout,
        (tmp_path / "report.html").read_text(encoding="utf-8"),
    ]
    outputs += [harness("report", path, "--format", form).stdout for form in ("json", "markdown", "jsonl")]
    for output in outputs:
        assert "counts only, no hardware" in output
    assert "123.457 M instructions" in outputs[0]


def test_a_report_that_cannot_be_written_leaves_nothing(harness: Harness, tmp_path: Path) -> None:
    """A folder that does not exist is one sentence, and an earlier report is never half replaced."""
    path = stored(tmp_path / "runs.sqlite", make_run())
    done = harness("report", path, "-o", tmp_path / "no" / "report.html")
    assert done.returncode == 2
    assert "cannot be written (No such file or directory)" in done.stderr


def test_a_report_replaces_no_store(harness: Harness, tmp_path: Path) -> None:
    """Neither the store that it reads nor another one; a link stays one."""
    store, lines = stored(tmp_path / "runs.sqlite", make_run()), stored(tmp_path / "runs.jsonl", make_run())
    for words in (
        ("report", store, "--format", "html", "-o", store),
        ("report", lines, "--format", "html", "-o", store),
        ("report", lines, "-o", lines),  # a form by its ending
        ("check", lines, "--format", "junit", "-o", lines),
        ("compare", lines, store, "--format", "html", "-o", lines),
    ):
        before = store.read_bytes(), lines.read_bytes()
        done = harness(*words)
        assert done.returncode == 2, words
        assert "is a store of run records" in done.stderr
        assert (store.read_bytes(), lines.read_bytes()) == before
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "real.html")
    assert harness("report", lines, "-o", link).returncode == 0
    assert link.is_symlink()
    assert (tmp_path / "real.html").stat().st_size > 1000
