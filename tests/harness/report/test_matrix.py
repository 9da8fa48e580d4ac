"""Variants by devices: each time beside its factor, and nothing that is not ok as a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.records.run import GoldenResult, Run
from harness.records.store import open_store
from harness.report.matrix import make_matrix
from harness.report.model import load_report
from tests.harness.runs import device, make_counted_run, make_run

WRONG = GoldenResult(id="0", passed=False, psnr_db=9.0, max_abs_error=0.9, min_psnr_db=45.0)


def measured(phone: str, variant: str, ms: float, **changes: Any) -> Run:
    latency = tuple(int(ms * 1e6) + 1000 * (index % 7) for index in range(30))
    return make_run(
        id=f"{phone}-{variant}",
        variant=variant,
        device=device("android", phone),
        mode="shell",
        latency_ns=latency,
        **changes,
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two phones and a counting device; one variant is wrong on one phone, one is measured on the other alone."""
    runs = [
        measured("A", "fp32", 10),
        measured("A", "int8", 4),
        measured("B", "fp32", 20),
        measured("B", "int8", 1, golden=WRONG),
    ]
    runs += [measured("B", "fp16", 15), make_counted_run(1000, id="counted", variant="fp32")]
    opened = open_store(str(tmp_path / "runs.sqlite"), create=True)
    for run in runs:
        opened.append(run)
    opened.close()
    return tmp_path / "runs.sqlite"


def test_factors_are_against_one_variant_on_the_same_device(store: Path) -> None:
    """10 and 4 ms are x1.00 and x0.40; a wrong output and what was not measured have no number."""
    opened = open_store(str(store))
    found = make_matrix(load_report(opened).entries, {})
    opened.close()
    assert found is not None
    assert (found.reference, found.variants) == ("fp32", ("fp32", "int8", "fp16"))
    cells = {row.device: [(cell.time, cell.factor, cell.fastest) for cell in row.cells] for row in found.rows}
    assert cells == {
        "android:A": [("10.0 ms", "\u00d71.00", False), ("4.00 ms", "\u00d70.40", True), ("\u2013", "", False)],
        "android:B": [("20.0 ms", "\u00d71.00", False), ("invalid", "", False), ("15.0 ms", "\u00d70.75", True)],
    }


def test_reports_show_it(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """HTML and Markdown; with one device there is none."""
    assert main(["report", str(store), "-o", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("Variants by device</h2>") == 1
    assert '<a href="#m0-d0">android:A</a>' in page
    assert 'id="m0-d0"' in page
    assert main(["report", str(store), "--format", "markdown"]) == 0
    assert "| android:A | 10.0 ms \u00d71.00 | 4.00 ms \u00d70.40 | \u2013 |" in capsys.readouterr().out
    single = open_store(str(tmp_path / "one.sqlite"), create=True)
    for run in (measured("A", "fp32", 10), measured("A", "int8", 4)):
        single.append(run)
    single.close()
    assert main(["report", str(tmp_path / "one.sqlite"), "-o", str(tmp_path / "one.html")]) == 0
    assert "Variants by device" not in (tmp_path / "one.html").read_text(encoding="utf-8")
