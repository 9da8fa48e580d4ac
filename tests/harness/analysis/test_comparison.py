"""Comparison: what may be compared is, what may not is refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis.comparison import compare_runs, compare_variants
from harness.analysis.gate import decide
from harness.errors import UsageError
from harness.records.run import ProtocolInfo, Reading, Run, TextReading
from tests.harness.runs import conditions, device, make_counted_run, make_run, noisy, rounds

SLOW = tuple(5_600_000 + 1000 * (index % 7) for index in range(30))


def test_slower_faster_and_the_same() -> None:
    """The ratio has an interval that says where it comes from, and the verdict follows the corrected p-value."""
    base = [run for night in range(4) for run in rounds(10 * night, session=f"s{night}")]
    slow = rounds(100, factor=1.12, session="t", variant_sha256="c" * 64)
    (slower,) = compare_runs(base, slow)
    assert slower.verdict == "slower"
    assert slower.ratio is not None
    assert slower.ratio.low <= slower.ratio.value <= slower.ratio.high
    assert slower.ratio.value == pytest.approx(1.12, abs=0.02)
    assert (slower.ratio.basis, slower.ratio.rounds) == ("sessions", 1)
    assert compare_runs(slow, base)[0].verdict == "faster"
    assert compare_runs(base, rounds(300, session="t"))[0].verdict == "no significant difference"


def test_two_sessions_alone_decide_nothing() -> None:
    """Nights differ by more than their rounds: with two of them the ratio is told, what is missing, and no difference."""
    (found,) = compare_runs(rounds(0), rounds(100, factor=1.12, session="t", variant_sha256="c" * 64))
    assert found.verdict == (
        "undecided: how sessions differ is not known; measure 3 more, or both builds in one session ('harness run BASE NEW')"
    )
    assert found.ratio is not None
    assert (found.ratio.p_adjusted, found.ratio.missing) == (1.0, 3)
    (decision,) = decide([found], 0.03)
    assert decision.outcome == "not precise enough"
    assert "measure 3 more sessions of either build" in decision.why


def test_what_other_builds_and_variants_tell_of_the_nights_counts() -> None:
    """The history of the device decides: sessions of older builds of the variant, else those of another variant."""
    for changes in ({"variant_sha256": "e" * 64}, {"variant": "other", "variant_sha256": "f" * 64}):
        older = [run for night in range(4) for run in rounds(10 * night, session=f"o{night}", **changes)]
        (found, *_) = compare_runs([*older, *rounds(50)], rounds(100, factor=1.2, session="t", variant_sha256="c" * 64))
        assert found.ratio is not None
        assert (found.ratio.basis, found.verdict) == ("sessions", "slower")


def test_one_run_a_side_says_what_it_does_not_know() -> None:
    """Without a second run nothing tells how runs differ, and a difference is not told without that."""
    (found,) = compare_runs([make_run()], [make_run(latency_ns=SLOW, variant_sha256="c" * 64)])
    assert found.verdict == "slower (one run a side: how a run differs from the next is not known)"
    assert compare_runs([make_run()], [make_run()])[0].verdict == "no significant difference"


def test_the_same_artifact_is_not_called_faster_without_saying_so() -> None:
    """Where both sides ran the very same file, a difference is one of conditions, and the verdict says it."""
    before = [run for night in range(4) for run in rounds(10 * night, factor=1.2, session=f"s{night}")]
    (found,) = compare_runs(before, rounds(50, session="t"))
    assert found.verdict == "faster (the same artifact: only the conditions differ)"


def test_rounds_of_one_session_are_paired() -> None:
    """What slows a whole round slows both variants in it, and cancels: a 1 % difference shows through 20 % of common noise."""
    runs = []
    for turn in range(8):
        common = 1 + 0.2 * (turn % 3)
        for variant, factor in (("a", 1.0), ("b", 1.01)):
            samples = tuple(int(value * common) for value in noisy(7, factor))
            runs.append(
                make_run(
                    id=f"{variant}{turn}",
                    session="s",
                    round=turn,
                    variant=variant,
                    variant_sha256=variant * 64,
                    latency_ns=samples,
                )
            )
    (found,) = compare_variants(runs)
    assert (found.variant, found.against, found.verdict) == ("b", "a", "slower")
    assert found.ratio is not None
    assert (found.ratio.basis, found.ratio.rounds) == ("paired rounds", 8)
    assert found.ratio.value == pytest.approx(1.01, abs=0.001)


def test_variants_of_one_store_may_differ_in_runtime_but_not_in_input() -> None:
    """Which runtime executes is part of a variant; what it was given is not."""
    base = rounds(0, variant="a", input_sha256="1" * 64)
    other = rounds(60, variant="b", backend="executorch", runtime="ExecuTorch", input_sha256="1" * 64)
    (found,) = compare_variants([*base, *other])
    assert found.refused is None
    strange = rounds(60, variant="b", input_sha256="2" * 64)
    assert compare_variants([*base, *strange])[0].refused == "different input: 111111111111 and 222222222222"
    with pytest.raises(UsageError, match="no device has runs of two variants"):
        compare_variants(base)


def test_invalid_rounds_are_left_out_and_named() -> None:
    """A round that the protocol tolerates is not averaged in, however slow it was; two of seven are more than a fifth."""
    bad = make_run(id="x", session="t", round=6, latency_ns=noisy(5, 3.0), verdict="invalid: not stationary: it fell")
    (found,) = compare_runs(rounds(0), [*rounds(300, session="t"), bad])
    assert found.refused is None
    assert found.left_out == ("invalid: not stationary: it fell",)
    worse = bad.model_copy(update={"id": "y", "round": 7})
    (found,) = compare_runs(rounds(0), [*rounds(300, session="t"), bad, worse])
    assert found.refused == "the session of NEW is invalid: in 2 of 8 rounds: not stationary: it fell"


def test_many_comparisons_are_corrected() -> None:
    """Twenty variants without a difference give no false alarm by their number: Holm's p-values decide."""
    base, new = [], []
    for number in range(20):
        for night in range(4):
            base += rounds(1000 * number + 10 * night, 4, variant=f"v{number}", session=f"s{night}")
        new += rounds(1000 * number + 500, 4, variant=f"v{number}", session="t")
    found = compare_runs(base, new)
    ratios = [entry.ratio for entry in found if entry.ratio is not None]
    assert len(ratios) == 20
    assert all(ratio.p_adjusted >= ratio.p for ratio in ratios)
    assert min(ratio.p_adjusted for ratio in ratios) == pytest.approx(min(1.0, 20 * min(ratio.p for ratio in ratios)))
    assert {entry.verdict for entry in found} == {"no significant difference"}


def test_only_the_last_file_counts_and_its_earlier_runs_are_its_rounds() -> None:
    """Runs of an earlier build are not mixed in; sessions that measured once give one round each."""
    before = [make_run(id="old", variant_sha256="d" * 64, latency_ns=SLOW)]
    base = [make_run(id=str(turn), latency_ns=noisy(turn)) for turn in range(4)]
    (found,) = compare_runs(before + base, [make_run(id="new", latency_ns=noisy(9))])
    assert found.ratio is not None
    assert (found.verdict, found.ratio.basis) == ("no significant difference", "sessions")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"device": device(device_id="other")}, "different device: host:bench and host:other"),
        ({"runtime_version": "2.4.0"}, "different runtime: LiteRT 2.3.0 and LiteRT 2.4.0"),
        ({"threads": 4}, "different threads: 2 and 4"),
        (
            {"protocol": ProtocolInfo(name="standard", warmup=20, runs=200)},
            "different protocol: quick (warm-up of 5) and standard (warm-up of 20)",
        ),
        ({"simulated": "an emulator"}, "different simulation: none and an emulator"),
        (
            {"delegate_requested": "cpu", "delegate_executed": TextReading(value="cpu")},
            "different delegate: xnnpack and cpu",
        ),
        ({"input_sha256": "1" * 64}, "different input: None and 111111111111"),
        (
            {"conditions_start": conditions(38.0)},
            "different temperature: 31.5 and 38.0 °C at the start, more than 5 °C apart",
        ),
        ({"conditions_start": conditions(None)}, "a start temperature is unknown (no sensor)"),
        ({"verdict": "invalid: golden"}, "the run of NEW is invalid: golden"),
        ({"verdict": "unstable: noise"}, "the run of NEW is unstable: noise"),
    ],
)
def test_runs_that_measure_different_things_are_refused(changes: dict[str, Any], reason: str) -> None:
    """Each difference that matters is named with both values."""
    (found,) = compare_runs([make_run()], [make_run(**changes)])
    assert found.refused == reason
    assert found.ratio is None


def test_other_limits_of_the_clocks_are_refused() -> None:
    """A phone whose clocks may not rise as high as before is another device for the time being."""

    def at(limit: float) -> Run:
        limits = (Reading(value=limit, unit="MHz"),)
        return make_run(conditions_start=conditions().model_copy(update={"clock_limits_mhz": limits}))

    (found,) = compare_runs([at(2400)], [at(1800)])
    assert found.refused == "different clocks: limits of 2400 and 1800 MHz on average"
    assert compare_runs([at(2400)], [at(2400)])[0].refused is None


def test_instruction_counts_are_compared_as_exact_numbers() -> None:
    """One instruction more is more, equal is equal; no interval is made up."""
    (more,) = compare_runs([make_counted_run(1_000_000)], [make_counted_run(1_000_001)])
    assert (more.verdict, more.instructions, more.ratio) == ("more instructions", (1_000_000, 1_000_001), None)
    assert compare_runs([make_counted_run(7)], [make_counted_run(7)])[0].verdict == "the same count"
    assert compare_runs([make_counted_run(7)], [make_counted_run(6)])[0].verdict == "fewer instructions"


def test_comparing_nothing_with_something_is_said() -> None:
    """An empty side, and sides without a common variant, are bad usage."""
    with pytest.raises(UsageError, match="BASE holds no runs"):
        compare_runs([], [make_run()])
    with pytest.raises(UsageError, match="NEW holds no runs"):
        compare_runs([make_run()], [])
    with pytest.raises(UsageError, match="share no variant: tflite-fp32 there, other here"):
        compare_runs([make_run()], [make_run(variant="other")])
