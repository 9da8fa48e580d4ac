"""Verdicts: the worst thing that speaks against a run is named."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from builder.bundle import Bundle
from harness.analysis.verdict import MAX_LOAD, check_golden, choose_exit_code, judge_run
from harness.protocol import PROTOCOLS
from harness.records.run import (
    Conditions,
    GoldenResult,
    ProcessorUse,
    ProtocolInfo,
    Reading,
    Sample,
    TextReading,
    parse_run,
)
from harness.records.verdict import CODES, Verdict, parse_verdict
from tests.harness.runs import conditions, make_run
from tests.harness.small_bundle import converted

STEADY = tuple(1_000_000 + index * 7 % 5 for index in range(30))
PASSED = GoldenResult(id="0", passed=True, psnr_db=60, max_abs_error=0, min_psnr_db=45)


def judged(**changes: Any) -> str:
    return judge_run(make_run(**{"latency_ns": STEADY, "golden": PASSED, **changes})).words


def heated(status: float) -> Conditions:
    return conditions().model_copy(update={"thermal_status": Reading(value=status, unit="status")})


def clocked(*limits: float) -> Conditions:
    readings = tuple(Reading(value=limit, unit="MHz") for limit in limits)
    return conditions().model_copy(update={"clock_limits_mhz": readings})


SUSTAINED = ProtocolInfo(name="sustained", warmup=0, runs=0, duration_s=1800)
STEP = (1_000_000,) * 100 + (1_200_000,) * 60


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
            {"golden": PASSED.model_copy(update={"passed": False, "psnr_db": -200.0})},
            "invalid: the output for golden 0 holds values that are not finite",
        ),
        ({"verdict": Verdict.of("hidden")}, "invalid: the app was not in the foreground all the time"),
        ({"latency_ns": ()}, "invalid: no latencies came from the device"),
        ({"conditions_end": heated(2)}, "invalid: throttled: the device told thermal status 2 (MODERATE)"),
        (
            {"samples": (Sample(t_s=3.0, probe="thermal_status", value=1, unit="status"),)},
            "invalid: throttled: the device told thermal status 1 (LIGHT)",
        ),
        (
            {"conditions_start": clocked(2000, 2400), "conditions_end": clocked(2000, 1200)},
            "invalid: clocks changed: their limits went from 2200 to 1600 MHz on average",
        ),
        ({"conditions_start": clocked(2000), "conditions_end": clocked(2000)}, "ok"),
        ({"latency_ns": STEP}, "invalid: not stationary: the latency changed by +20% at sample 101"),
        (
            {"latency_ns": tuple(1_000_000 + 2000 * index for index in range(200))},
            "invalid: not stationary: the latency drifted by +33% of its median over the run",
        ),
        ({"latency_ns": STEP, "protocol": SUSTAINED, "conditions_end": heated(3)}, "ok"),
        ({"latency_ns": (), "protocol": SUSTAINED}, "invalid: no latencies came from the device"),
    ],
)
def test_verdict(changes: dict[str, Any], expected: str) -> None:
    """Golden, delegate and samples each have their sentence."""
    assert judged(**changes) == expected


def test_noise_is_unstable() -> None:
    """Samples that vary too much are named with the figure and the limit."""
    assert (
        judged(latency_ns=tuple(1_000_000 + 25_000 * (index * 17 % 40) for index in range(40)))
        == "unstable: the warm latencies vary by 25% of their median (limit 10%)"
    )


def test_a_screen_that_goes_off_is_unstable() -> None:
    """A phone that was lit at the start and dark at the end changed how it runs programs; one that was dark all the time did not."""
    lit, dark = (conditions().model_copy(update={"screen": TextReading(value=value)}) for value in ("on", "off"))
    assert judge_run(make_run(conditions_start=lit, conditions_end=dark)).code == "screen_off"
    assert judge_run(make_run(conditions_start=dark, conditions_end=dark)).grade == "ok"
    assert judge_run(make_run(conditions_start=lit, conditions_end=lit)).grade == "ok"


@pytest.mark.parametrize(
    ("others_s", "expected"),
    [(0.7, "ok"), (1.0, "unstable: other programs used 25 % of the processors while it was measured (limit 20 %)")],
)
def test_heavy_load_by_others_is_unstable(others_s: float, expected: str) -> None:
    """Of 4 s of processor time 1.5 s were the benchmark's: what others used beside it is judged as `standard` judges it beforehand."""
    seconds = (Reading(value=value, unit="s") for value in (4.0, 1.5 + others_s, 1.5))
    passed, busy, own = seconds
    assert judged(processor_use=ProcessorUse(passed_s=passed, busy_s=busy, own_s=own)) == expected


def test_the_limit_of_load_is_that_of_the_standard_protocol() -> None:
    """What may not be there when a run begins may not be there while it lasts."""
    assert PROTOCOLS["standard"].conditions.max_load == MAX_LOAD


def test_two_levels_in_turn_are_unstable() -> None:
    """Samples that alternate between two levels have no one median: the interval shows it."""
    assert judged(latency_ns=(218_000, 300_000) * 40).startswith("unstable: the ")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ok", 0),
        ("unstable: noise", 7),
        ("invalid: throttled: status 2", 7),
        ("invalid: not stationary: the latency drifted", 7),
        ("invalid: cpu executed it", 5),
        ("invalid: something of another program", 5),
        ("fine", 5),
    ],
)
def test_a_wrong_output_and_a_poor_measurement_have_codes_of_their_own(text: str, code: int) -> None:
    """5 says that the artifact is wrong, 7 that one has to measure again; what is not known is the worse."""
    assert choose_exit_code(parse_verdict(text)) == code


def test_values_that_are_not_finite_never_pass(small_bundle: Any) -> None:
    """A NaN in an output fails the golden, with the figures that apps write for it."""
    bundle = Bundle.open(small_bundle)
    output = converted().output.copy()
    good, reason = check_golden(bundle, bundle.manifest.goldens[0], "tflite-fp32", {"stylized": output})
    assert good is not None
    assert good.passed
    assert reason is None
    output[0, 0, 0, 0] = float("nan")
    bad, reason = check_golden(bundle, bundle.manifest.goldens[0], "tflite-fp32", {"stylized": output})
    assert reason is None
    assert bad is not None
    assert (bad.passed, bad.psnr_db) == (False, -200)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ok", "ok"), ("unstable: x", "unstable"), ("invalid: y", "invalid"), ("fine", "invalid"), ("", "invalid")],
)
def test_an_unknown_word_counts_as_invalid(text: str, expected: str) -> None:
    """Records of other writers cannot pass by a word that we do not know."""
    assert parse_verdict(text).grade == expected


def test_every_code_has_its_words() -> None:
    """The words of each code name all its facts, and say what its grade is."""
    facts = {name: 1.0 for _, words in CODES.values() for name in re.findall(r"{(\w+)", words)}
    for code, (grade, _) in CODES.items():
        said = Verdict.of(code, **facts).words
        assert said == "ok" if code == "ok" else said.startswith(f"{grade}: ")
        assert "{" not in said


def test_a_record_of_schema_1_keeps_its_sentence() -> None:
    """A verdict that an older edgebundle wrote is shown as it was, has today's code, and is written as schema 2."""
    old = json.loads(make_run().to_json()) | {
        "schema": 1,
        "verdict": "invalid: throttled: the device told thermal status 3 (SEVERE)",
    }
    run = parse_run(json.dumps(old), where="line 1")
    assert (run.verdict.grade, run.verdict.code) == ("invalid", "throttled")
    assert run.verdict.words == old["verdict"]
    assert choose_exit_code(run.verdict) == 7
    assert parse_run(run.to_json(), where="line 1") == run
    assert json.loads(run.to_json())["schema"] == 2


def test_a_code_of_a_newer_app_is_shown_as_it_is() -> None:
    """What this harness does not know counts by its grade, and as the worse."""
    run = parse_run(
        make_run()
        .to_json()
        .replace('{"grade": "ok", "code": "ok", "detail": {}}', '{"grade": "invalid", "code": "melted"}'),
        where="line 1",
    )
    assert run.verdict.words == "invalid: melted"
    assert choose_exit_code(run.verdict) == 5


@pytest.mark.parametrize(
    ("text", "grade", "code", "words"),
    [
        ("ok", "ok", "ok", "ok"),
        ("unstable: by an app of tomorrow", "unstable", "other", "unstable: by an app of tomorrow"),
        ("nonsense", "invalid", "other", "invalid: nonsense"),
        ("invalid: cpu executed it, gpu was asked for", "invalid", "other_delegate", None),
    ],
)
def test_a_sentence_of_schema_1_keeps_its_words(text: str, grade: str, code: str, words: str | None) -> None:
    """Grade and code are found; what is said stays what was said."""
    found = parse_verdict(text)
    assert (found.grade, found.code, found.words) == (grade, code, words or text)


def test_a_verdict_that_contradicts_itself_is_refused() -> None:
    """Only `ok` is ok; a known code needs its facts; one of tomorrow is shown as it is."""
    for grade, code in (("ok", "bogus"), ("invalid", "ok"), ("invalid", "golden_failed")):
        with pytest.raises(ValidationError):
            Verdict.model_validate({"grade": grade, "code": code})
    assert Verdict(grade="invalid", code="melted").words == "invalid: melted"
