"""Where a command's output goes: a table or JSON on stdout, anything else into a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import cli
from harness.commands import forms
from tests.harness.commands import Harness, stored
from tests.harness.runs import make_run


@pytest.mark.parametrize(
    "words", [("-o", "z"), ("--format", "table", "-o", "z.txt"), ("--json", "--format", "junit", "-o", "z.txt")]
)
def test_an_output_that_would_stay_unwritten_is_refused(
    harness: Harness, words: tuple[str, ...], tmp_path: Path
) -> None:
    """Tables and JSON go to stdout; what to add is said, and works."""
    runs = stored(tmp_path / "runs.jsonl", make_run())
    for command in (("check", runs), ("compare", runs, runs)):
        done = harness(*command, *words, cwd=tmp_path)
        assert done.returncode == 2
        assert "add e.g. --format markdown" in done.stderr
        assert "leave -o out" in done.stderr
    assert not list(tmp_path.glob("z*"))
    assert harness("check", runs, "-o", "z.txt", "--format", "markdown", cwd=tmp_path).returncode == 0
    assert "tflite-fp32" in (tmp_path / "z.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["check", "report"])
def test_the_ending_of_a_file_says_its_form(harness: Harness, command: str, tmp_path: Path) -> None:
    """`-o page.md` is Markdown and `-o page.xml` JUnit without `--format`; an ending that names no form is refused before anything is written."""
    runs = stored(tmp_path / "runs.jsonl", make_run())
    assert harness(command, runs, "-o", "page.md", cwd=tmp_path).returncode == 0
    assert "| tflite-fp32 |" in (tmp_path / "page.md").read_text(encoding="utf-8")
    assert harness(command, runs, "-o", "page.xml", cwd=tmp_path).returncode == 0
    assert (tmp_path / "page.xml").read_text(encoding="utf-8").startswith("<?xml")
    done = harness(command, runs, "-o", "page.docx", cwd=tmp_path)
    assert done.returncode == 2
    assert "'.docx', which names no form" in done.stderr
    assert not (tmp_path / "page.docx").exists()
    assert harness(command, runs, "-o", "page.docx", "--format", "html", cwd=tmp_path).returncode == 0


def test_parity_that_cannot_be_written_is_refused(harness: Harness, tmp_path: Path) -> None:
    """Parity is a table or JSON; a file that was asked for is never passed over."""
    runs = stored(tmp_path / "runs.jsonl", make_run())
    done = harness("compare", runs, "--parity", "-o", "page.md", cwd=tmp_path)
    assert done.returncode == 2
    assert "parity is written as a table or as JSON, not as markdown" in done.stderr


def test_the_help_offers_the_forms_that_are_written() -> None:
    """The command line states them itself, because the commands take long to import."""
    assert (cli.FINDING_FORMS, cli.REPORT_FORMS) == (forms.FINDING_FORMS, forms.REPORT_FORMS)
