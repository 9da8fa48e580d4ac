"""The `harness` command as people and CI start it, a process of its own; what each command says has its tests in `commands/`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness.commands import stored
from tests.harness.runs import make_run

ROOT = Path(__file__).parents[2]


def harness(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "harness", *map(str, words)]
    return subprocess.run(argv, cwd=cwd or ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)


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


def test_a_report_is_written_to_a_pipe(tmp_path: Path) -> None:
    """`-o /dev/stdout` replaces nothing."""
    done = harness("report", stored(tmp_path / "runs.jsonl", make_run()), "--format", "markdown", "-o", "/dev/stdout")
    assert "tflite-fp32" in done.stdout
