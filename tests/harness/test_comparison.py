"""Comparison: what may be compared is, what may not is refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from harness.comparison import compare_runs
from harness.errors import UsageError
from harness.records import ProtocolInfo, TextReading
from tests.harness.runs import counted_run, device, make_run

SLOW = tuple(5_600_000 + 1000 * (index % 7) for index in range(30))


def test_slower_faster_and_the_same() -> None:
    """The ratio has an interval, and the verdict follows it."""
    (slower,) = compare_runs([make_run()], [make_run(latency_ns=SLOW, variant_sha256="c" * 64)])
    assert slower.verdict == "slower"
    assert slower.ratio is not None
    assert slower.ratio.low <= slower.ratio.value <= slower.ratio.high
    assert slower.ratio.value == pytest.approx(1.12, abs=0.001)
    assert compare_runs([make_run(latency_ns=SLOW, variant_sha256="c" * 64)], [make_run()])[0].verdict == "faster"
    assert compare_runs([make_run()], [make_run()])[0].verdict == "no significant difference"


def test_the_same_artifact_is_not_called_faster_without_saying_so() -> None:
    """Where both sides ran the very same file, a difference is one of conditions, and the verdict says it."""
    (found,) = compare_runs([make_run(latency_ns=SLOW)], [make_run()])
    assert found.verdict == "faster (the same artifact: only the conditions differ)"


def test_the_latest_runs_are_compared() -> None:
    """Earlier runs of the same variant and device do not count."""
    (found,) = compare_runs([make_run(latency_ns=SLOW), make_run()], [make_run()])
    assert found.verdict == "no significant difference"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"device": device(device_id="other")}, "different device: host:bench and host:other"),
        ({"runtime_version": "2.4.0"}, "different runtime: LiteRT 2.3.0 and LiteRT 2.4.0"),
        ({"threads": 4}, "different threads: 2 and 4"),
        (
            {"protocol": ProtocolInfo(name="standard", warmup=20, runs=200)},
            "different protocol: quick (5 + 30 runs) and standard (20 + 200 runs)",
        ),
        ({"simulated": "an emulator"}, "different simulation: none and an emulator"),
        ({"delegate_executed": TextReading(value="cpu")}, "different delegate: xnnpack and cpu"),
        ({"verdict": "invalid: golden"}, "the run of NEW is invalid: golden"),
        ({"verdict": "unstable: noise"}, "the run of NEW is unstable: noise"),
    ],
)
def test_runs_that_measure_different_things_are_refused(changes: dict[str, Any], reason: str) -> None:
    """Each difference that matters is named with both values."""
    (found,) = compare_runs([make_run()], [make_run(**changes)])
    assert found.refused == reason
    assert found.ratio is None


def test_instruction_counts_are_compared_as_exact_numbers() -> None:
    """One instruction more is more, equal is equal; no interval is made up."""
    (more,) = compare_runs([counted_run(1_000_000)], [counted_run(1_000_001)])
    assert (more.verdict, more.instructions, more.ratio) == ("more instructions", (1_000_000, 1_000_001), None)
    assert compare_runs([counted_run(7)], [counted_run(7)])[0].verdict == "the same count"
    assert compare_runs([counted_run(7)], [counted_run(6)])[0].verdict == "fewer instructions"


def test_comparing_nothing_with_something_is_said() -> None:
    """An empty side, and sides without a common variant, are bad usage."""
    with pytest.raises(UsageError, match="BASE holds no runs"):
        compare_runs([], [make_run()])
    with pytest.raises(UsageError, match="NEW holds no runs"):
        compare_runs([make_run()], [])
    with pytest.raises(UsageError, match="share no variant: tflite-fp32 there, other here"):
        compare_runs([make_run()], [make_run(variant="other")])
