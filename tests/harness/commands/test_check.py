"""`harness check`: a gate for CI, by its exit code, its sentence and its table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.records.run import GoldenResult, ProtocolInfo, Run
from tests.harness.commands import Harness, stored
from tests.harness.runs import make_counted_run, make_run, rounds

FIVE = ProtocolInfo(name="quick", warmup=5, runs=30, rounds=5)
MISSED = GoldenResult(id="0", passed=False, psnr_db=20.0, max_abs_error=0.4, min_psnr_db=45.0)


@pytest.mark.parametrize(
    ("runs", "code", "message"),
    [
        ((make_run(),), 0, ""),
        ((make_run(verdict="unstable: noise"),), 7, "not good enough; the first, tflite-fp32: unstable: noise"),
        (
            (make_run(verdict="unstable: noise"), make_run(variant="b", verdict="invalid: golden")),
            5,
            "1 of 2 measurements are invalid",
        ),
        ((make_run(verdict="invalid: golden"), make_run()), 0, ""),  # measured again, and good
        ((), 2, "holds no runs to check"),
    ],
)
def test_check_is_a_gate(harness: Harness, runs: tuple[Run, ...], code: int, message: str, tmp_path: Path) -> None:
    """0 for good runs, 5 before 7 for bad ones, and only the newest session of a variant on a device counts."""
    done = harness("check", stored(tmp_path / "runs.sqlite", *runs))
    assert done.returncode == code
    assert message in done.stderr


def test_check_against_a_baseline(harness: Harness, tmp_path: Path) -> None:
    """0 for no slow-down, 5 for one beyond the limit, 7 where the runs cannot tell or may not be compared; --json says which."""
    nights = [
        run.model_copy(update={"latency_ns": rounds(0)[run.round or 0].latency_ns})
        for night in range(4)
        for run in rounds(100 * night, session=f"s{night}")
    ]
    base = stored(tmp_path / "base.sqlite", *nights)
    limit = ("--baseline", base, "--max-regression", "3%")
    same = harness("check", stored(tmp_path / "same.sqlite", *rounds(0, session="t")), *limit, "--json")
    assert same.returncode == 0, same.stderr
    assert [entry["outcome"] for entry in json.loads(same.stdout)["baseline"]] == ["within"]
    slow = harness("check", stored(tmp_path / "slow.sqlite", *rounds(80, factor=1.08, session="t")), *limit)
    assert slow.returncode == 5
    assert "1 of 1 comparisons are slower than 3% allows" in slow.stderr
    assert "regression" in slow.stdout
    allowed = harness("check", tmp_path / "slow.sqlite", "--baseline", base, "--max-regression", "12%")
    assert allowed.returncode == 0, allowed.stderr
    two = stored(tmp_path / "two.sqlite", *rounds(0))
    undecided = harness("check", tmp_path / "slow.sqlite", "--baseline", two, *limit[2:])
    assert undecided.returncode == 7
    assert (
        "measure 3 more sessions of either build, or both in one session ('harness run BASE NEW')" in undecided.stderr
    )
    single = harness(
        "check", stored(tmp_path / "one.sqlite", make_run()), "--baseline", tmp_path / "one.sqlite", *limit[2:]
    )
    assert single.returncode == 7
    assert "from one run a side" in single.stderr
    other = harness("check", stored(tmp_path / "other.sqlite", *rounds(0, session="t", threads=4)), *limit)
    assert other.returncode == 7
    assert "is not comparable: different threads: 2 and 4" in other.stderr
    fewer = harness("check", stored(tmp_path / "fewer.sqlite", make_counted_run(110)), "--baseline", base, *limit[2:])
    assert fewer.returncode == 7
    assert "not comparable: different simulation" in fewer.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--baseline", "x.sqlite"), "add --max-regression PERCENT"),
        (("--max-regression", "3%"), "add --baseline RUNS, or measure with 'harness run BASE NEW'"),
        (("--baseline", "x.sqlite", "--max-regression", "0.03"), "'0.03' is not a limit for a slow-down"),
        (("--baseline", "x.sqlite", "--max-regression", "-1%"), "expected one argument"),
        (("--baseline", "x.sqlite", "--max-regression", "0%"), "'0%' is not a limit"),
        (("--baseline", "x.sqlite", "--max-regression", "3%"), "x.sqlite does not exist"),
        (("--baseline", "empty.sqlite", "--max-regression", "3%"), "BASE holds no runs"),
    ],
)
def test_a_check_that_cannot_be_made_is_one_sentence(
    harness: Harness, words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    """Half of the options, a limit that is none, and a baseline that is missing or empty."""
    stored(tmp_path / "runs.sqlite", make_run())
    stored(tmp_path / "empty.sqlite")
    done = harness("check", "runs.sqlite", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("runs", "code", "message"),
    [
        ([make_run(golden=MISSED)], 5, "reached 20.0 dB"),
        ([make_run(latency_ns=())], 7, "no latencies"),
        ([run.model_copy(update={"id": "1"}) for run in rounds(1, 5, protocol=FIVE)], 7, "1 of 5 rounds"),
        ([run.model_copy(update={"round": 0}) for run in rounds(1, 5, protocol=FIVE)], 7, "1 of 5 rounds"),
    ],
    ids=["wrong output", "no latencies", "one record five times", "one round five times"],
)
def test_a_file_that_says_it_is_ok_is_judged_by_what_it_holds(
    harness: Harness, runs: list[Run], code: int, message: str, tmp_path: Path
) -> None:
    """Files can be written and put together by others."""
    path = tmp_path / "runs.jsonl"
    path.write_text("".join(run.to_json() + "\n" for run in runs), encoding="utf-8")
    done = harness("check", path)
    assert done.returncode == code, done.stdout
    assert message in done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('{"grade": "ok", "code": "ok", "detail": {}}', '{"grade": "invalid", "code": "golden_failed", "detail": {}}'),
        ('{"grade": "ok", "code": "ok", "detail": {}}', '{"grade": "ok", "code": "bogus", "detail": {}}'),
        ('"variant_bytes": 17000', '"variant_bytes": 1' + "0" * 400),
        ('"variant": "tflite-fp32"', '"variant": "\\ud800"'),
    ],
    ids=["no facts", "unknown and ok", "huge", "no character"],
)
def test_a_record_that_cannot_be_told_is_one_sentence(harness: Harness, old: str, new: str, tmp_path: Path) -> None:
    """It is named with its line before anything is made of it."""
    path = tmp_path / "runs.jsonl"
    line = make_run().to_json()
    assert old in line
    path.write_text(line.replace(old, new) + "\n", encoding="utf-8")
    for words in (("check", path), ("report", path, "--format", "markdown")):
        done = harness(*words)
        assert done.returncode == 2
        assert "runs.jsonl line 1" in done.stderr
        assert "Traceback" not in done.stderr


def test_what_is_left_of_a_record_is_told(harness: Harness, tmp_path: Path) -> None:
    """A killed writer's last line is left out, never without a word; a byte order mark is no fault."""
    path = tmp_path / "runs.jsonl"
    line = make_run().to_json()
    path.write_text(f"\ufeff{line}\n{line[:300]}", encoding="utf-8")
    done = harness("check", path)
    assert done.returncode == 0, done.stderr
    assert "runs.jsonl line 2 ends in the middle of a record" in done.stderr
