"""Parity of app and shell mode: by the interval of the ratio, after the outputs, with the likely causes of a difference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.mode_parity import BOUND, Parity, compare_modes
from harness.cli import main
from harness.errors import UsageError
from harness.records.run import GoldenResult, ProtocolInfo, Run, TextReading
from harness.records.store import open_store
from tests.harness.runs import conditions, device, noisy, rounds

MISSED = GoldenResult(id="0", passed=False, psnr_db=31.0, max_abs_error=0.2, min_psnr_db=45.0)


def shell(seed: int = 0, count: int = 6, **changes: Any) -> list[Run]:
    return rounds(seed, count, **{"mode": "shell", "device": device("android", "R5CT 10"), **changes})


def app(seed: int = 50, count: int = 6, **changes: Any) -> list[Run]:
    defaults = {"mode": "app", "device": device("android-app", "R5CT 10"), "session": "s"}
    return rounds(seed, count, **{**defaults, **changes})


def only(runs: list[Run]) -> Parity:
    (found,) = compare_modes(runs)
    return found


def test_parity_is_the_whole_interval_within_the_bound() -> None:
    """The same speed in both modes is parity, with the ratio of the app to the shell; other versions of the runtime do not hinder it."""
    found = only([*shell(runtime_version="2.3.0"), *app(runtime="TensorFlow Lite", runtime_version="2.16.1")])
    assert (found.outcome, found.variant, found.phone, found.causes) == ("parity", "tflite-fp32", "R5CT 10", ())
    assert found.ratio is not None
    assert 1 / (1 + BOUND) <= found.ratio.low <= found.ratio.value <= found.ratio.high <= 1 + BOUND
    assert (found.shell.mode, found.app.mode) == ("shell", "app")
    assert found.ratio.basis == "rounds"  # a session measures the modes one after the other: rounds are no pairs


@pytest.mark.parametrize(
    ("factor", "words", "cause"),
    [(1.25, "the app takes +2", "behind the lock screen"), (0.8, "the app takes -", "the app in front")],
)
def test_a_difference_is_told_with_what_usually_causes_it(factor: float, words: str, cause: str) -> None:
    """Beyond the bound either way: the difference with its interval, what the records show, and what they cannot."""
    found = only([*shell(), *app(factor=factor, runtime="TensorFlow Lite", runtime_version="2.16.1")])
    assert found.outcome == "latency differs"
    assert words in found.why
    assert "more than 10%" in found.why
    assert (
        found.causes[0]
        == "another version of the runtime: TensorFlow Lite 2.16.1 in the app, LiteRT 2.3.0 in the shell"
    )
    assert "not held still" in found.causes[1]
    assert cause in found.causes[2]


def test_what_the_records_rule_out_is_no_cause() -> None:
    """With one runtime and clocks that were held, neither is named."""
    held = conditions().model_copy(update={"pins": (TextReading(value="fixed performance"),)})
    found = only([*shell(conditions_start=held), *app(factor=1.3, conditions_start=held)])
    assert found.outcome == "latency differs"
    assert not any("version" in cause or "held still" in cause for cause in found.causes)


def test_an_interval_across_the_bound_decides_nothing() -> None:
    """A difference at the bound, and one run a mode, are not precise enough, and the sentence says what to do."""
    near = only([*shell(), *app(factor=1.10)])
    assert near.outcome == "not precise enough"
    assert "cannot tell parity within 10% from a difference; measure more rounds" in near.why
    single = only([*shell(count=1), *app(count=1)])
    assert single.outcome == "not precise enough"
    assert "from one run a mode" in single.why


def test_outputs_come_before_latency() -> None:
    """A golden that one mode missed is told with both figures, however the latencies are."""
    wrong = app(golden=MISSED, verdict="invalid: golden 0 reached 31.0 dB")
    found = only([*shell(), *wrong])
    assert found.outcome == "outputs differ"
    assert found.why == "the golden was missed in app mode: 31.0 dB of 45.0 dB; in shell mode: 60.0 dB"
    unchecked = only([*shell(golden=MISSED), *app(golden=None, golden_reason="no picture")])
    assert unchecked.why.endswith("in app mode: not checked (no picture)")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"threads": 4}, "different threads: 2 and 4"),
        (
            {"delegate_requested": "cpu", "delegate_executed": TextReading(value="cpu")},
            "different delegate: xnnpack and cpu",
        ),
        ({"input_sha256": "1" * 64}, "different input: None and 111111111111"),
        ({"conditions_start": conditions(40.0)}, "different temperature: 31.5 and 40.0 °C"),
        ({"protocol": ProtocolInfo(name="quick", warmup=9, runs=30)}, "different protocol"),
        ({"variant_sha256": "c" * 64}, "the two modes measured different files of it"),
        ({"verdict": "unstable: noise"}, "the session in app mode is unstable: in 6 of 6 rounds: noise"),
        ({"simulated": "an emulator"}, "different simulation: none and an emulator"),
    ],
)
def test_what_is_not_the_same_measurement_is_refused(changes: dict[str, Any], reason: str) -> None:
    """Everything but the mode must be the same; the reason names both values."""
    found = only([*shell(), *app(**changes)])
    assert found.outcome == "not comparable"
    assert reason in found.why
    assert found.ratio is None


def test_phones_and_variants_are_not_mixed() -> None:
    """Only what one phone measured in both modes is compared; runs over minutes and other phones are left out."""
    lasting = ProtocolInfo(name="sustained", warmup=5, runs=30, duration_s=600)
    runs = [
        *shell(),
        *app(),
        *shell(variant="b"),
        *app(variant="c"),
        *shell(variant="d", protocol=lasting),
        *app(variant="d", protocol=lasting),
        *app(variant="b", device=device("android-app", "another")),
    ]
    assert [(entry.variant, entry.phone) for entry in compare_modes(runs)] == [("tflite-fp32", "R5CT 10")]
    with pytest.raises(UsageError, match="-d android:SERIAL -d android-app:SERIAL"):
        compare_modes(shell())


@pytest.mark.parametrize(
    ("changes", "code", "outcome"),
    [
        ({}, 0, "parity"),
        ({"factor": 1.4}, 7, "latency differs"),
        ({"golden": MISSED, "verdict": "invalid: golden"}, 5, "outputs differ"),
        ({"threads": 4}, 7, "not comparable"),
    ],
)
def test_the_command_is_a_gate(
    changes: dict[str, Any], code: int, outcome: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`harness compare RUNS --parity` ends with 0, 5 or 7; --json has the bound, the outcome and the causes."""
    path = str(tmp_path / "runs.jsonl")
    store = open_store(path, create=True)
    for number, run in enumerate([*shell(), *app(**changes)]):
        store.append(run.model_copy(update={"id": str(number)}))
    store.close()
    assert main(["compare", path, "--parity", "--json"]) == code
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert (document["bound"], document["parity"][0]["outcome"]) == (BOUND, outcome)
    assert bool(document["parity"][0]["causes"]) == (outcome == "latency differs")
    assert (outcome in err) == (code != 0)
    assert main(["compare", path, "--parity"]) == code
    out, err = capsys.readouterr()
    assert outcome in " ".join(out.split())
    assert ("a usual cause: " in err) == (outcome == "latency differs")


def test_parity_has_no_second_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """NEW beside --parity is bad usage."""
    assert main(["compare", "a.sqlite", "b.sqlite", "--parity"]) == 2
    assert "leave b.sqlite out" in capsys.readouterr().err


def test_noise_alone_is_never_called_a_difference() -> None:
    """A hundred phones of equal speed in both modes: parity for nearly all, a difference for none."""
    outcomes = [only([*shell(1000 * seed), *app(1000 * seed + 500)]).outcome for seed in range(100)]
    assert outcomes.count("latency differs") == 0
    assert outcomes.count("parity") >= 95
    assert noisy(1) != noisy(2)
