"""Verdicts: the worst thing that speaks against a run is named."""

from __future__ import annotations

from typing import Any

import pytest

from builder.bundle import Bundle
from harness.records import GoldenResult, TextReading
from harness.verdicts import check_golden, grade, verdict
from tests.harness.small_bundle import converted

STEADY = tuple(1_000_000 + index % 5 for index in range(30))
PASSED = GoldenResult(id="0", passed=True, psnr_db=60, max_abs_error=0, min_psnr_db=45)


def judged(**changes: Any) -> str:
    fields: dict[str, Any] = {
        "golden": PASSED,
        "golden_reason": None,
        "delegate_requested": "xnnpack",
        "delegate_executed": TextReading(value="xnnpack"),
        "metric": "latency",
        "latency_ns": STEADY,
    }
    return verdict(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "ok"),
        ({"metric": "instructions", "latency_ns": ()}, "ok"),
        (
            {"golden": PASSED.model_copy(update={"passed": False, "psnr_db": 23.14})},
            "invalid: golden 0 reached 23.1 dB, the bundle asks for 45.0 dB",
        ),
        ({"delegate_executed": TextReading(value="cpu")}, "invalid: cpu executed it, xnnpack was asked for"),
        ({"delegate_executed": TextReading(reason="no log")}, "unstable: which delegate executed is unknown (no log)"),
        (
            {"golden": None, "golden_reason": "the device gave no outputs"},
            "unstable: the output was not checked (the device gave no outputs)",
        ),
        (
            {"golden": None, "golden_reason": "output x holds values that are not finite"},
            "invalid: output x holds values that are not finite",
        ),
        ({"latency_ns": ()}, "invalid: the device gave no latencies"),
    ],
)
def test_verdict(changes: dict[str, Any], expected: str) -> None:
    """Golden, delegate and samples each have their sentence."""
    assert judged(**changes) == expected


def test_noise_is_unstable() -> None:
    """Samples that vary too much are named with the figure and the limit."""
    assert (
        judged(latency_ns=tuple(range(1_000_000, 2_000_000, 25_000)))
        == "unstable: the warm latencies vary by 25% of their median (limit 10%)"
    )


def test_a_change_of_level_within_a_run_is_unstable() -> None:
    """Sixteen samples at one level and fourteen at another have a small MAD, and an interval that shows it."""
    assert (
        judged(latency_ns=(218_000,) * 16 + (300_000,) * 14)
        == "unstable: the 95 % interval reaches 38% from the median (limit 5%)"
    )


def test_values_that_are_not_finite_never_pass(small_bundle: Any) -> None:
    """A NaN in an output is the reason that the golden has no figure."""
    bundle = Bundle.open(small_bundle)
    output = converted().output.copy()
    good, reason = check_golden(bundle, bundle.manifest.goldens[0], "tflite-fp32", {"stylized": output})
    assert good is not None
    assert good.passed
    assert reason is None
    output[0, 0, 0, 0] = float("nan")
    bad, reason = check_golden(bundle, bundle.manifest.goldens[0], "tflite-fp32", {"stylized": output})
    assert bad is None
    assert reason == "output stylized holds values that are not finite"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ok", "ok"), ("unstable: x", "unstable"), ("invalid: y", "invalid"), ("fine", "invalid"), ("", "invalid")],
)
def test_an_unknown_word_counts_as_invalid(text: str, expected: str) -> None:
    """Records of other writers cannot pass by a word that we do not know."""
    assert grade(text) == expected
