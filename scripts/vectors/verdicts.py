"""What an app says of its own run, and the harness of the same run."""

from __future__ import annotations

from typing import Any

from harness.analysis.verdict import judge_run
from harness.records.run import GoldenResult, Reading, Sample, TextReading
from harness.records.verdict import Verdict
from scripts.vectors.files import Case
from tests.harness.runs import conditions, make_run

ABOUT = (
    "Verdicts of one run: `golden` with `golden_reason`, the delegate `requested` and `executed` (a value or a reason), whether the app was `hidden`, and the thermal "
    "status at the `start`, at the `end` and in `samples` give `verdict` and its `words`. The first thing that speaks against a run counts (docs/verdicts.md)."
)
PASSED = {"id": "0", "passed": True, "psnr_db": 60.0, "max_abs_error": 0.004, "min_psnr_db": 45.0}
FAILED = {**PASSED, "passed": False, "psnr_db": 23.14, "max_abs_error": 0.5}
NO_GOLDEN = {"golden": None, "golden_reason": "the bundle carries no golden"}
UNKNOWN = {"value": None, "reason": "its log does not say"}
CPU = {"value": "cpu", "reason": None}
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"start": None, "end": None},
    {"golden": FAILED},
    {"golden": {**FAILED, "psnr_db": -200.0, "max_abs_error": 3.4028234663852886e38}},
    {"executed": CPU},
    {"hidden": True},
    # A phone that was warm from start to end is throttled all the time: it tells no rise.
    {"start": 1, "end": 1},
    {"start": 2, "end": 2, "samples": [2, 2]},
    {"end": 3},
    {"start": 4, "end": 0},
    {"samples": [0, 1, 0]},
    {"start": 6, "end": 9},
    NO_GOLDEN,
    {"executed": UNKNOWN},
    # Of two faults the worse is named.
    {"golden": FAILED, "executed": CPU, "hidden": True, "end": 2},
    {"executed": CPU, "hidden": True, "end": 2},
    {"hidden": True, "end": 2, **NO_GOLDEN},
    {"end": 2, "executed": UNKNOWN, **NO_GOLDEN},
    {"executed": UNKNOWN, **NO_GOLDEN},
)


def make_cases() -> list[Case]:
    return [_case(changes) for changes in CHANGES]


def _case(changes: dict[str, Any]) -> Case:
    seen: Case = {
        "golden": PASSED,
        "golden_reason": None,
        "requested": "gpu",
        "executed": {"value": "gpu", "reason": None},
        "hidden": False,
        "start": 0,
        "end": 0,
        "samples": [],
        **changes,
    }
    found = judge_run(run_of(seen))
    return {**seen, "verdict": found.model_dump(mode="json"), "words": found.words}


def run_of(seen: Case) -> Any:
    """The run record of what an app saw; its latencies are steady."""

    def state(status: int | None) -> Any:
        told = {"value": status} if status is not None else {"reason": "Android before 10 does not tell"}
        return conditions().model_copy(update={"thermal_status": Reading(unit="status", **told)})

    return make_run(
        golden=None if seen["golden"] is None else GoldenResult(**seen["golden"]),
        golden_reason=seen["golden_reason"],
        delegate_requested=seen["requested"],
        delegate_executed=TextReading(**seen["executed"]),
        conditions_start=state(seen["start"]),
        conditions_end=state(seen["end"]),
        samples=tuple(
            Sample(t_s=at, probe="thermal_status", value=value, unit="status")
            for at, value in enumerate(seen["samples"])
        ),
        verdict=Verdict.of("hidden" if seen["hidden"] else "ok"),
    )
