"""Where the history of a variant on a device changed for good, with what, and that steady histories tell of nothing."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.analysis.trends import find_changes
from harness.cli import main
from harness.commands.serve import make_server
from harness.records.run import Run, TextReading
from harness.records.store import open_store
from harness.statistics.steps import find_steps
from tests.harness.runs import device, make_run

BEGIN = datetime(2026, 3, 1, 2, tzinfo=UTC)


def night(number: int, factor: float, offset: float = 0.02, **changes: Any) -> list[Run]:
    """Two rounds of a session of its own, a night later than the one before; nights differ by 2 % (sd)."""
    random = np.random.default_rng(number)
    level = 5e6 * factor * np.exp(random.normal(0, offset))
    started = (BEGIN + timedelta(days=number)).isoformat()
    name = changes.get("variant", "v")
    return [
        make_run(
            id=f"{name}-{number}-{turn}",
            session=f"n{number}",
            round=turn,
            started_at=started,
            latency_ns=tuple(int(ns) for ns in level * np.exp(random.normal(0, 0.01, 30))),
            **changes,
        )
        for turn in range(2)
    ]


def history(factors: Sequence[float], **changes: Any) -> list[Run]:
    return [run for number, factor in enumerate(factors) for run in night(number, factor, **changes)]


def test_a_change_is_found_with_its_night_and_what_changed_with_it() -> None:
    """Twelve nights, then the phone's system is another one and all takes 10 % longer."""
    new = device("android", "R5").model_copy(update={"os": TextReading(value="Android 16")})
    runs = [
        *history([1.0] * 12, device=device("android", "R5")),
        *(run for number in range(12, 20) for run in night(number, 1.1, device=new)),
    ]
    (change,) = find_changes(reversed(runs))
    assert (change.number, change.nights, change.device) == (13, 20, "android:R5")
    assert 1.07 < change.factor < 1.13
    assert change.other == ("another system (Android 16, x)",)
    assert change.words.endswith("longer since 13 Mar 2026 (session 13 of 20), with another system (Android 16, x)")


def test_another_file_is_named() -> None:
    """A build that made it faster; a baseline beside it and wrong rounds count for nothing."""
    runs = [
        *history([1.0] * 10),
        *(
            run
            for number in range(10, 18)
            for run in night(number, 0.9, variant_sha256="c" * 64, bundle_sha256="d" * 64)
        ),
        *(run.model_copy(update={"id": f"b{run.id}", "baseline": True}) for run in history([1.5] * 18)),
        *history([3.0] * 18, variant="wrong", verdict="invalid: golden 0 reached 9.0 dB"),
    ]
    (change,) = find_changes(runs)
    assert change.words.split(" ", 1)[1] == (
        "shorter since 11 Mar 2026 (session 11 of 18), with another file (bundle dddddddddddd after bbbbbbbbbbbb)"
    )


def test_few_nights_and_one_bad_night_are_no_change() -> None:
    """Seven nights tell nothing; a single night apart is none that lasts; a change below 1 % is none that matters."""
    assert find_changes(history([1.0] * 4 + [2.0] * 3)) == []
    assert find_changes(history([1.0] * 9 + [1.5] + [1.0] * 9)) == []
    assert find_changes(history([1.0] * 20 + [1.005] * 20, offset=0.0001)) == []


@pytest.mark.parametrize("kind", ["normal", "t(2)", "Pareto"])
def test_steady_histories_are_steady(kind: str) -> None:
    """Of 100 histories under noise of this kind, as many false alarms as 5 % may give by chance; looked at together, hardly any."""
    draw = np.random.default_rng(3)
    noise: Callable[[int], NDArray[np.float64]] = {
        "normal": lambda count: draw.normal(0, 0.02, count),
        "t(2)": lambda count: 0.02 * draw.standard_t(2, count),
        "Pareto": lambda count: np.log1p(0.05 * draw.pareto(1.5, count)),
    }[kind]
    histories = [np.exp(noise(int(draw.integers(8, 30)))).tolist() for _ in range(100)]
    assert sum(bool(find_steps([values])[0]) for values in histories) <= 10  # binomial: exceeded in 1 % of such tests
    assert sum(map(bool, find_steps(histories))) <= 2


def test_two_changes_are_two() -> None:
    """There and back: the second is against the nights in between."""
    found = find_changes(history([1.0] * 12 + [1.3] * 12 + [1.0] * 12))
    assert [change.number for change in found] == [25, 13]
    assert found[0].factor < 1 < found[1].factor


def test_show_report_and_lab_tell_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same sentence everywhere, and a mark in the plot of the history."""
    path, page = str(tmp_path / "runs.sqlite"), tmp_path / "report.html"
    store = open_store(path, create=True)
    for run in history([1.0] * 10 + [1.2] * 10):
        store.append(run)
    store.close()
    assert main(["show", path]) == 0
    assert "longer since 11 Mar 2026 (session 11 of 20)" in " ".join(capsys.readouterr().out.split())
    assert main(["show", path, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["changes"]
    assert (told["number"], told["nights"], told["session"], told["other"]) == (11, 20, "n10", [])
    for form in ("markdown", "html"):
        assert main(["report", path, "--format", form, "-o", str(page)]) == 0
        text = page.read_text(encoding="utf-8")
        assert "longer since 11 Mar 2026" in text.replace("\\", "")
    assert "dashed: changed for good" in text
    server = make_server(path, "127.0.0.1", 0)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}/", timeout=60) as answer:
            assert "longer since 11 Mar 2026" in answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
