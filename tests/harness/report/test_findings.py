"""Findings of check and compare in forms for people and CI servers: the same lines in each, and nothing breaks out of its place."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.cli import main
from harness.records.run import GoldenResult, Run
from harness.records.store import open_store
from tests.harness.runs import make_run, rounds

STRANGE = 'v|<script>"&\x07'
WRONG = GoldenResult(id="0", passed=False, psnr_db=9.0, max_abs_error=0.8, min_psnr_db=45.0)


def stored(path: Path, *runs: Run) -> str:
    store = open_store(str(path), create=True)
    for number, run in enumerate(runs):
        store.append(run.model_copy(update={"id": str(number)}))
    store.close()
    return str(path)


@pytest.fixture
def runs(tmp_path: Path) -> str:
    bad = "invalid: golden 0 reached 9.0 dB"
    return stored(
        tmp_path / "runs.jsonl",
        make_run(variant=STRANGE),
        make_run(variant="wrong", golden=WRONG, verdict=bad),
        make_run(variant="poor", verdict="unstable: noise"),
    )


def test_check_in_every_form(runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each has all three findings, and the exit code is that of the table."""
    for form in ("table", "markdown", "html", "junit"):
        words = [] if form == "table" else ["-o", str(tmp_path / form)]
        assert main(["check", runs, "--format", form, *words]) == 5
    capsys.readouterr()
    page, text = ((tmp_path / form).read_text(encoding="utf-8") for form in ("html", "markdown"))
    assert "3 findings: 1 passed, 1 failed, 1 undecided." in page
    assert "3 findings: 1 passed, 1 failed, 1 undecided." in text
    assert "<script>" not in page.replace("<style>", "")
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 4
    suite = ElementTree.parse(tmp_path / "junit").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    (failure,) = suite.iter("failure")
    assert "golden 0 reached 9.0 dB" in str(failure.get("message"))


def test_compare_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two builds of one session, with ratio and interval; on stdout without a file."""
    base = [run.model_copy(update={"baseline": True}) for run in rounds(0)]
    path = stored(tmp_path / "runs.jsonl", *base, *rounds(0, factor=1.08, variant_sha256="c" * 64))
    assert main(["check", path, "--max-regression", "3%", "--format", "markdown"]) == 5
    printed = capsys.readouterr().out
    assert "against the baseline | regression: +8.0%" in printed
    assert main(["compare", path]) == 0
    assert "slower, 6 paired rounds" in capsys.readouterr().out
    both = stored(tmp_path / "both.jsonl", *rounds(0, variant="a"), *rounds(0, factor=1.05, variant="b"))
    for form in ("markdown", "html", "junit"):
        assert main(["compare", both, "--format", form]) == 0
        assert "1.050 (" in capsys.readouterr().out
