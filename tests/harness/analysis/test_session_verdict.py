"""A session is judged by all its rounds, and every command that judges says the same of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from builder.bundle import Bundle
from harness.analysis.comparison import compare_runs
from harness.analysis.mode_parity import compare_modes
from harness.analysis.ranking import rank_measured
from harness.analysis.session_verdict import SessionVerdict, judge_sessions
from harness.analysis.verdict import judge
from harness.cli import main
from harness.errors import MeasurementError
from harness.records.run import GoldenResult, ProtocolInfo, Reading, Run, TextReading
from harness.records.store import open_store
from harness.records.tolerated import Tolerated
from tests.bundles import make_unopened_bundle
from tests.harness.runs import conditions, device, make_run, noisy, rounds

COUNT = 5
HOT = conditions().model_copy(update={"thermal_status": Reading(value=2, unit="status")})
FAULTS: dict[str, tuple[dict[str, Any], int, str]] = {
    "golden": (
        {"golden": GoldenResult(id="0", passed=False, psnr_db=9.0, max_abs_error=0.8, min_psnr_db=45.0)},
        5,
        "golden 0 reached 9.0 dB",
    ),
    "delegate": ({"delegate_executed": TextReading(value="cpu")}, 5, "cpu executed it, xnnpack was asked for"),
    "throttled": ({"conditions_end": HOT}, 7, "throttled: the device told thermal status 2"),
}


def session(bad: set[int], changes: dict[str, Any], **fields: Any) -> list[Run]:
    """Five rounds, those in `bad` with `changes`, each judged as a session judges it."""
    made = rounds(0, COUNT, **fields)
    return [judge(run.model_copy(update=changes)) if turn in bad else judge(run) for turn, run in enumerate(made)]


def only(runs: list[Run]) -> SessionVerdict:
    (found,) = judge_sessions(runs)
    return found


@pytest.mark.parametrize("places", [{0}, {2}, {4}, {0, 1, 2, 3}, {1, 2, 3, 4}, {0, 1, 2, 3, 4}], ids=str)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_any_round_decides_in_every_command(
    fault: str, places: set[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Check, compare and every report tell it with its count, at whatever place and in whatever share of the rounds it was."""
    changes, code, why = FAULTS[fault]
    runs = session(places, changes)
    store = stored(tmp_path / "new.sqlite", runs)
    base = stored(tmp_path / "base.sqlite", session(set(), {}, session="before"))
    told = f"in {len(places)} of 5 rounds: {why}"
    assert told in only(runs).text
    assert main(["check", store]) == code
    assert told in capsys.readouterr().err
    assert main(["check", store, "--baseline", base, "--max-regression", "3%"]) == code
    assert told in capsys.readouterr().err
    (found,) = compare_runs(session(set(), {}, session="before"), runs)
    assert found.refused is not None
    assert told in found.refused
    for form in ("markdown", "junit", "html", "json"):
        assert main(["report", store, "--format", form, "-o", str(tmp_path / form)]) == 0
        assert told in re.sub(r"\\(.)", r"\1", (tmp_path / form).read_text(encoding="utf-8")), form
    assert "<failure" in (tmp_path / "junit").read_text() or code == 7
    capsys.readouterr()


def stored(path: Path, runs: list[Run]) -> str:
    store = open_store(str(path), create=True)
    for run in runs:
        store.append(run)
    store.close()
    return str(path)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_in_some_rounds_is_never_the_first_choice_of_an_app(fault: str, tmp_path: Path) -> None:
    """A variant that was wrong in 4 of 5 rounds, on one phone of a kind and in one mode, is in no order of that kind."""
    bundle: Bundle = make_unopened_bundle(tmp_path / "bundle")
    ids = ("tflite-first", "tflite-second", "executorch-fp32")
    phones = [device("android", "A"), device("android", "B"), device("android-app", "A")]

    def measured(variant: str, phone: int, bad: set[int]) -> list[Run]:
        own = {"variant": variant, "variant_sha256": bundle.variant(variant).sha256, "device": phones[phone]}
        own["mode"] = "app" if phones[phone].kind == "android-app" else "shell"
        return session(bad, FAULTS[fault][0], factor=1 + ids.index(variant), **own)

    right = [run for phone in range(3) for variant in ids for run in measured(variant, phone, set())]
    (ranking,) = rank_measured(right, bundle).phones
    assert ranking.variants == ids
    for phone in range(3):
        runs = right + measured("tflite-first", phone, {0, 1, 2, 3})
        runs = [r.model_copy(update={"session": "again"}) if n >= len(right) else r for n, r in enumerate(runs)]
        (ranking,) = rank_measured(runs, bundle).phones
        wrong = fault != "throttled"  # a poor measurement in shell mode says nothing against what the app measured
        assert ranking.variants[0] != "tflite-first" or (not wrong and phone == 0)
    with pytest.raises(MeasurementError, match="no phone or browser measured two variants"):
        rank_measured(measured("tflite-first", 0, {0, 1, 2, 3}) + measured("tflite-second", 0, set()), bundle)


def test_only_the_newest_session_counts() -> None:
    """A session that was wrong and was measured again, well, is ok; one that was ok before it went wrong is not."""
    bad, good = session({1}, FAULTS["golden"][0], session="1"), session(set(), {}, session="2")
    assert only(bad + good).text == "ok"
    assert only(good + bad).exit_code == 5


def test_what_the_protocol_tolerates_is_left_out_and_told() -> None:
    """One poor round of five by default; a wrong output only where a protocol says so."""
    poor = {"latency_ns": tuple(int(5e6 * (1 + n // 40)) for n in range(80))}
    found = only(session({3}, poor))
    assert (found.grade, found.exit_code, len(found.good)) == ("ok", 0, 4)
    assert found.text.startswith("ok: without 1 of 5 rounds, which the protocol tolerates (invalid: not stationary")
    assert only(session({2, 3}, poor)).exit_code == 7
    lenient = ProtocolInfo(name="lenient", warmup=5, runs=30, tolerated=Tolerated(wrong=0.4))
    assert only(session({2, 3}, FAULTS["golden"][0], protocol=lenient)).grade == "ok"
    assert only(session({1, 2, 3}, FAULTS["golden"][0], protocol=lenient)).exit_code == 5


def test_a_session_that_lacks_rounds_is_not_ok() -> None:
    """A session that ended after two of five rounds says so: what comes later may be wrong."""
    plan = ProtocolInfo(name="standard", warmup=5, runs=30, rounds=5)
    found = only(session(set(), {}, protocol=plan)[:2])
    assert (found.exit_code, found.text) == (
        7,
        "unstable: 2 of 5 rounds were measured; go on with 'harness run --resume'",
    )
    assert only(session(set(), {}, protocol=plan)).text == "ok"


def test_parity_is_refused_where_some_rounds_were_executed_elsewhere() -> None:
    """One round of the app on another delegate is no parity, however the others were."""
    shell = session(set(), {}, mode="shell", device=device("android", "A"))
    app = session({1}, FAULTS["delegate"][0], mode="app", device=device("android-app", "A"))
    (found,) = compare_modes([*shell, *app])
    assert found.outcome == "not comparable"
    assert "in 1 of 5 rounds: cpu executed it" in found.why


def test_a_wrong_output_under_lasting_load_has_no_rank(tmp_path: Path) -> None:
    """In the ranking over minutes an invalid run comes last, and its verdict stands in the table of the pull request."""
    lasting = ProtocolInfo(name="sustained", warmup=5, runs=30, duration_s=130.0)
    fields = {"protocol": lasting, "session": "s"}
    runs = [
        judge(make_run(id="0", variant="right", latency_ns=noisy(1, 40.0, 700), **fields)),
        judge(make_run(id="1", variant="wrong", latency_ns=noisy(2, 20.0, 1400), **fields, **FAULTS["golden"][0])),
    ]
    store = stored(tmp_path / "runs.sqlite", runs)
    assert main(["report", store, "--format", "markdown", "-o", str(tmp_path / "report.md")]) == 0
    table = (tmp_path / "report.md").read_text(encoding="utf-8").partition("under lasting load")[2]
    assert table.index("| right") < table.index("| wrong")
    assert "reached 9.0 dB" in table
