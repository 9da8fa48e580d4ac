"""The `harness` command as people and CI start it: what is printed where, exit codes, and faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.records.run import GoldenResult, ProtocolInfo, Run
from harness.records.store import open_store
from tests.harness.runs import counted_run, make_run, rounds

ROOT = Path(__file__).parents[2]

FIVE = ProtocolInfo(name="quick", warmup=5, runs=30, rounds=5)
MISSED = GoldenResult(id="0", passed=False, psnr_db=20.0, max_abs_error=0.4, min_psnr_db=45.0)


def harness(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "harness", *map(str, words)]
    return subprocess.run(argv, cwd=cwd or ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)


def stored(path: Path, *runs: Run) -> Path:
    store = open_store(str(path), create=True)
    for number, run in enumerate(runs):
        store.append(run.model_copy(update={"id": str(number)}))
    store.close()
    return path


def test_help_is_fast_and_loads_nothing_heavy() -> None:
    """`harness --help` answers at once, with examples, and `import harness` loads no runtime, plot or database package."""
    start = time.perf_counter()
    done = harness("--help")
    assert time.perf_counter() - start <= 1.5  # 0.3 s on a free machine; the benchmark states the figure
    assert done.returncode == 0
    assert "harness run dist/bundle -d host" in done.stdout
    heavy = "torch numpy pydantic rich sqlalchemy matplotlib jinja2 ai_edge_litert executorch scipy"
    code = f"import sys, harness, harness.cli; harness.cli.build_parser(); print([m for m in {heavy.split()!r} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert loaded.stdout.strip() == "[]"


def test_version() -> None:
    """`--version` works everywhere."""
    for words in (("--version",), ("run", "--version")):
        done = harness(*words)
        assert done.returncode == 0
        assert done.stdout.startswith("harness ")


@pytest.mark.parametrize("command", ["devices", "pair", "run", "show", "check", "compare", "report"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    """The help of a command shows how it is used."""
    done = harness(command, "--help")
    assert done.returncode == 0
    assert f"example:\n  harness {command}" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("reprot",), "did you mean 'report'?"),
        (("show", "x.sqlite", "--jsno"), "there is no option '--jsno'; did you mean '--json'?"),
        (("run", "b", "-d", "host", "--protocol", "quik"), "did you mean 'quick'?"),
        (("run", "b", "-d", "hots"), "did you mean 'host'?"),
        (("run", "none-such", "-d", "host"), "none-such does not exist"),
        (("show", "none.sqlite"), "none.sqlite does not exist; measure first"),
        (("run", "b"), "required: -d/--device"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_2(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    """Wrong words name the near one, exit 2, print nothing on stdout, and leave nothing behind."""
    done = harness(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_run_show_check_report_from_end_to_end(small_bundle: Path, tmp_path: Path) -> None:
    """The main job: measure, show, check, report; results on stdout, messages on stderr, JSON alone with --json."""
    done = harness("run", small_bundle, "-d", "host", "-o", tmp_path / "runs.sqlite", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [run["variant"] for run in document["runs"]] == ["tflite-fp32", "executorch-fp32"]
    assert document["skipped"][0]["variant"] == "coreml-fp32"
    assert done.stderr == ""
    again = harness("run", small_bundle, "-d", "host", "-o", tmp_path / "runs.sqlite", "--resume")
    assert again.returncode == 0, again.stderr
    assert "nothing was left to measure: all 2 runs of the session are in" in again.stderr
    shown = harness("show", tmp_path / "runs.sqlite")
    assert "tflite-fp32" in shown.stdout
    assert len(json.loads(harness("show", tmp_path / "runs.sqlite", "--json").stdout)["runs"]) == 2
    verdicts = {run["verdict"]["grade"] for run in document["runs"]}
    assert harness("check", tmp_path / "runs.sqlite").returncode == (0 if verdicts == {"ok"} else 7)
    reported = harness("report", tmp_path / "runs.sqlite", "-o", tmp_path / "report.html")
    assert reported.returncode == 0, reported.stderr
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    markdown = harness("report", tmp_path / "runs.sqlite", "--format", "markdown")
    assert "| tflite\\-fp32" in markdown.stdout or "| tflite-fp32" in markdown.stdout
    assert len(json.loads(harness("report", tmp_path / "runs.sqlite", "--format", "json").stdout)["runs"]) == 2
    exported = harness("report", tmp_path / "runs.sqlite", "--format", "jsonl", "-o", tmp_path / "runs.jsonl")
    assert exported.returncode == 0
    assert harness("show", tmp_path / "runs.jsonl").stdout == shown.stdout


def test_quiet_says_nothing_but_the_result(small_bundle: Path, tmp_path: Path) -> None:
    """With -q stderr stays empty."""
    done = harness("run", small_bundle, "-d", "host", "-q", "-o", tmp_path / "runs.jsonl")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "Core ML executes on macOS and iOS only" in done.stdout


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
def test_check_is_a_gate(runs: tuple[Run, ...], code: int, message: str, tmp_path: Path) -> None:
    """0 for good runs, 5 before 7 for bad ones, and only the newest session of a variant on a device counts."""
    done = harness("check", stored(tmp_path / "runs.sqlite", *runs))
    assert done.returncode == code
    assert message in done.stderr


def test_check_against_a_baseline(tmp_path: Path) -> None:
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
    fewer = harness("check", stored(tmp_path / "fewer.sqlite", counted_run(110)), "--baseline", base, *limit[2:])
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
def test_a_check_that_cannot_be_made_is_one_sentence(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    """Half of the options, a limit that is none, and a baseline that is missing or empty."""
    stored(tmp_path / "runs.sqlite", make_run())
    stored(tmp_path / "empty.sqlite")
    done = harness("check", "runs.sqlite", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_compare_of_one_store_is_between_its_variants(tmp_path: Path) -> None:
    """Without NEW the variants of a device are held against the first, paired by round."""
    runs = [*rounds(0, variant="a"), *rounds(0, factor=1.05, variant="b", variant_sha256="c" * 64)]
    done = harness("compare", stored(tmp_path / "runs.sqlite", *runs))
    assert done.returncode == 0, done.stderr
    assert "b against a" in done.stdout
    assert "slower, 6 paired rounds" in done.stdout
    alone = harness("compare", stored(tmp_path / "alone.sqlite", make_run()))
    assert alone.returncode == 2
    assert "no device has runs of two variants" in alone.stderr


def test_compare_says_what_may_not_be_compared(tmp_path: Path) -> None:
    """Runs of two devices are refused in the table, with exit 2 when nothing else is left."""
    base = stored(tmp_path / "base.sqlite", make_run())
    new = stored(tmp_path / "new.sqlite", make_run(threads=4))
    done = harness("compare", base, new)
    assert done.returncode == 2
    assert "different threads: 2 and 4" in done.stdout
    same = harness("compare", base, base, "--json")
    assert [entry["verdict"] for entry in json.loads(same.stdout)["comparisons"]] == ["no significant difference"]
    noisy = stored(tmp_path / "noisy.sqlite", make_run(verdict="unstable: noise"))
    done = harness("compare", base, noisy)
    assert done.returncode == 7
    assert "the run of NEW is unstable: noise" in done.stderr
    mixed = stored(tmp_path / "mixed.sqlite", make_run(threads=4), counted_run(10))
    counted = stored(tmp_path / "counted.sqlite", make_run(), counted_run(9))
    done = harness("compare", counted, mixed)
    assert done.returncode == 0
    assert "more instructions" in done.stdout
    assert "counts only, no hardware" in done.stdout


def test_a_simulated_run_is_labelled_in_every_output(tmp_path: Path) -> None:
    """The label of a device that is no hardware is in the table, JSON, Markdown and HTML."""
    path = stored(tmp_path / "runs.sqlite", counted_run(123_456_789))
    harness("report", path, "-o", tmp_path / "report.html")
    outputs = [
        harness("show", path).stdout,
        harness("show", path, "--json").stdout,
        (tmp_path / "report.html").read_text(encoding="utf-8"),
    ]
    outputs += [harness("report", path, "--format", form).stdout for form in ("json", "markdown", "jsonl")]
    for output in outputs:
        assert "counts only, no hardware" in output
    assert "123.457 M instructions" in outputs[0]


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """A folder that does not exist is one sentence, and an earlier report is never half replaced."""
    path = stored(tmp_path / "runs.sqlite", make_run())
    done = harness("report", path, "-o", tmp_path / "no" / "report.html")
    assert done.returncode == 2
    assert "cannot be written (No such file or directory)" in done.stderr


def test_interrupt_ends_with_130_and_keeps_what_was_measured(small_bundle: Path, tmp_path: Path) -> None:
    """SIGINT, SIGTERM and SIGHUP (a closed ssh, told twice) in the middle of a session: exit 130, one sentence, and the store can be read."""
    plan = tmp_path / "long.toml"
    plan.write_text("warmup = 1\nruns = 5\nrounds = 500\nmemory_pass = false\n", encoding="utf-8")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        store = tmp_path / f"{number}.sqlite"
        argv = [
            sys.executable,
            "-X",
            "faulthandler",
            "-m",
            "harness",
            "run",
            str(small_bundle),
            "-d",
            "host",
            "--protocol",
            str(plan),
            "-o",
            str(store),
        ]
        with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            limit = time.monotonic() + 120
            while _count(store) < 1 and time.monotonic() < limit and process.poll() is None:
                os.sched_yield()
            process.send_signal(number)
            if number == signal.SIGHUP:
                process.send_signal(number)
            try:
                _, stderr = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGABRT)  # it prints where each thread stands
                _, stderr = process.communicate(timeout=60)
        assert process.returncode == 130, stderr
        assert stderr == "harness: interrupted; what was measured before is kept.\n"
        assert _count(store) >= 1


def _count(path: Path) -> int:
    from harness.errors import StoreError
    from harness.records.store import read_runs

    try:
        return len(read_runs(str(path)))
    except StoreError:
        return 0  # not made yet


def test_a_reader_that_closes_early_is_no_error(tmp_path: Path) -> None:
    """`harness show ... | head -1` ends quietly."""
    path = stored(tmp_path / "runs.sqlite", *[make_run(variant=f"v{number}") for number in range(400)])
    argv = [sys.executable, "-m", "harness", "show", str(path)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 0


def test_a_report_replaces_no_store_and_no_device(tmp_path: Path) -> None:
    """Neither the store that it reads nor another one; a pipe is written to, and a link stays one."""
    store, lines = stored(tmp_path / "runs.sqlite", make_run()), stored(tmp_path / "runs.jsonl", make_run())
    for words in (
        ("report", store, "-o", store),
        ("report", lines, "-o", store),
        ("report", lines, "-o", lines),
        ("check", lines, "--format", "junit", "-o", lines),
        ("compare", lines, store, "--format", "html", "-o", lines),
    ):
        before = store.read_bytes(), lines.read_bytes()
        done = harness(*words)
        assert done.returncode == 2, words
        assert "is a store of run records" in done.stderr
        assert (store.read_bytes(), lines.read_bytes()) == before
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "real.html")
    assert harness("report", lines, "-o", link).returncode == 0
    assert link.is_symlink()
    assert (tmp_path / "real.html").stat().st_size > 1000
    done = harness("report", lines, "--format", "markdown", "-o", "/dev/stdout")
    assert "tflite-fp32" in done.stdout


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
    runs: list[Run], code: int, message: str, tmp_path: Path
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
def test_a_record_that_cannot_be_told_is_one_sentence(old: str, new: str, tmp_path: Path) -> None:
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


def test_what_is_left_of_a_record_is_told(tmp_path: Path) -> None:
    """A killed writer's last line is left out, never without a word; a byte order mark is no fault."""
    path = tmp_path / "runs.jsonl"
    line = make_run().to_json()
    path.write_text(f"\ufeff{line}\n{line[:300]}", encoding="utf-8")
    done = harness("check", path)
    assert done.returncode == 0, done.stderr
    assert "runs.jsonl line 2 ends in the middle of a record" in done.stderr


@pytest.mark.parametrize("words", [("-o", "z.txt"), ("--json", "--format", "junit", "-o", "z.txt")])
def test_an_output_that_would_stay_unwritten_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    """Tables and JSON go to stdout; what to add is said, and works."""
    runs = stored(tmp_path / "runs.jsonl", make_run())
    for command in (("check", runs), ("compare", runs, runs)):
        done = harness(*command, *words, cwd=tmp_path)
        assert done.returncode == 2
        assert "add e.g. --format markdown, or leave -o out" in done.stderr
    assert not (tmp_path / "z.txt").exists()
    assert harness("check", runs, "-o", "z.txt", "--format", "markdown", cwd=tmp_path).returncode == 0
    assert "tflite-fp32" in (tmp_path / "z.txt").read_text(encoding="utf-8")
