"""Records that others write: sessions that mix what must not be mixed, times out of order, and numbers that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.grouping import group_runs
from harness.analysis.session_verdict import judge_sessions
from harness.cli import main
from harness.errors import StoreError
from harness.records.run import GoldenResult, ProtocolInfo, Run, parse_run
from harness.records.store import open_store
from harness.records.tolerated import Tolerated
from tests.harness.runs import make_run

QUICK = ProtocolInfo(name="quick", warmup=5, runs=30)
WRONG = GoldenResult(id="0", passed=False, psnr_db=9.0, max_abs_error=0.9, min_psnr_db=45.0)


def at(hour: int, **changes: Any) -> Run:
    return make_run(id=f"{hour}-{len(str(changes))}", started_at=f"2026-01-02T{hour:02d}:00:00.000+00:00", **changes)


def test_the_newest_session_is_the_newest_in_time() -> None:
    """An old session that was imported late does not replace a newer one, nor hide what is wrong in it."""
    newer, older = at(12, session="b", golden=WRONG), at(3, session="a")
    for runs in ([newer, older], [older, newer]):
        (verdict,) = judge_sessions(runs)
        assert verdict.decides.session == "b"
        assert verdict.exit_code == 5


def test_times_of_two_zones_have_an_order() -> None:
    """09:00 in Tokyo is before 02:00 in London."""
    tokyo = make_run(id="t", session="t", started_at="2026-01-02T09:00:00+09:00")
    london = make_run(id="l", session="l", started_at="2026-01-02T02:00:00Z")
    assert [group.last.id for group in group_runs([london, tokyo])] == ["l"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"protocol": ProtocolInfo(name="standard", warmup=20, runs=200)}, "protocols: quick, standard"),
        ({"protocol": QUICK.model_copy(update={"sha256": "e" * 64})}, "contents of one protocol"),
        ({"variant_sha256": "c" * 64}, "files of it"),
        ({"runtime_version": "2.2.0"}, "runtimes: LiteRT 2.3.0, LiteRT 2.2.0"),
        ({"delegate_requested": "gpu"}, "delegates asked for|executed it"),
    ],
)
def test_a_session_that_mixes_is_no_measurement(changes: dict[str, Any], what: str) -> None:
    """Runs of one session under two protocols, or of two files, are not good enough, and the sentence says what is mixed."""
    runs = [at(1, session="s", round=0), at(2, session="s", round=1, **changes)]
    (verdict,) = judge_sessions(runs)
    assert verdict.exit_code != 0
    assert any(part in verdict.text for part in what.split("|")), verdict.text


def test_kinds_and_modes_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One name under two kinds, or in two modes, is two rows of `check --json`, each with its kind and its mode."""
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    here = make_run().device
    for number, (kind, mode) in enumerate((("host", "python"), ("android", "shell"), ("android", "app"))):
        store.append(make_run(id=str(number), mode=mode, device=here.model_copy(update={"kind": kind, "id": "one"})))
    store.close()
    assert main(["check", str(tmp_path / "runs.sqlite"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["runs"]
    assert [(row["kind"], row["mode"]) for row in rows] == [
        ("host", "python"),
        ("android", "shell"),
        ("android", "app"),
    ]
    assert {row["device"] for row in rows} == {"one"}


@pytest.mark.parametrize(
    "moment",
    ["yesterday", "", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "1", "0001-01-01T00:00:00+23:59"],
)
def test_a_moment_is_one(moment: str) -> None:
    """`started_at` is a date and time with its offset, by RFC 3339, or the record is refused with an example."""
    line = json.dumps({**json.loads(make_run().to_json()), "started_at": moment})
    with pytest.raises(StoreError, match=r"started_at: .* is no moment of RFC 3339, such as 2026-"):
        parse_run(line, where="x line 1")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("protocol.rounds", 0),
        ("protocol.runs", -1),
        ("protocol.warmup", -5),
        ("protocol.duration_s", 0),
        ("protocol.tolerated", {"wrong": 0.99}),
        ("threads", 0),
        ("round", -1),
        ("warm_up", -1),
        ("load_ns", {"value": -4.0, "unit": "ns"}),
        ("peak_memory_bytes", {"value": -1, "unit": "B"}),
    ],
)
def test_numbers_that_cannot_be_are_refused(path: str, value: object) -> None:
    """A record whose protocol or figures no measurement can have is refused with the name of the field."""
    record = json.loads(make_run().to_json())
    where, _, name = path.rpartition(".")
    (record[where] if where else record)[name] = value
    with pytest.raises(StoreError, match=r"is not a valid run record: .*" + path.split(".")[-1]):
        parse_run(json.dumps(record), where="x line 1")


def test_a_record_does_not_say_what_its_own_protocol_tolerates() -> None:
    """Of a protocol that the harness brings, wrong outputs are not tolerated, whatever a record says of it; of one's own they are."""
    lenient = Tolerated(wrong=0.4)
    for name, code in (("quick", 5), ("mine", 0)):
        plan = ProtocolInfo(name=name, warmup=5, runs=30, tolerated=lenient)
        runs = [
            at(hour, session="s", round=hour, protocol=plan, golden=WRONG if hour == 1 else make_run().golden)
            for hour in range(5)
        ]
        (verdict,) = judge_sessions(runs)
        assert verdict.exit_code == code, verdict.text


def test_a_golden_that_says_passed_and_is_not() -> None:
    """The decibels decide, not the word."""
    golden = GoldenResult(id="0", passed=True, psnr_db=9.0, max_abs_error=0.9, min_psnr_db=45.0)
    (verdict,) = judge_sessions([make_run(golden=golden)])
    assert verdict.exit_code == 5


@pytest.mark.parametrize("line", ["[1, 2]", '"text"', "7", "null", "[]"])
def test_what_is_no_object_is_said_so(line: str) -> None:
    """No empty names in the sentence."""
    with pytest.raises(StoreError, match=r"^x line 1 holds .* and not a JSON object; remove that line\.$"):
        parse_run(line, where="x line 1")
