"""A sweep over threads and cores: one session, each variant in each way, judged, shown and plotted apart."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.bundle import Bundle
from harness.analysis.grouping import group_runs, label_variants
from harness.cli import main
from harness.records.store import open_store, read_runs
from harness.records.way import CORES, Way
from harness.session.order import draw_turns, list_contenders
from harness.session.outcome import list_done
from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.harness.runs import make_run, noisy


@pytest.fixture
def phone(adb_environment: AdbServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedPhone]:
    with EmulatedPhone(tmp_path_factory.mktemp("phone"), PIXEL) as emulated:
        adb_environment.connect(emulated.address)
        yield emulated
        adb_environment.disconnect(emulated.address)


def test_a_sweep_in_one_command(small_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs with one and with two threads in one session; a device that counts instructions does it on one, and says so; resumed, nothing is left."""
    store = str(tmp_path / "runs.sqlite")
    words = [
        "run",
        str(small_bundle),
        "-d",
        "host",
        "-d",
        "arm64",
        "--threads",
        "1,2",
        "--variant",
        "tflite-fp32",
        "-o",
        store,
    ]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "tflite-fp32, 2 threads" in out
    assert "speed-up" in out
    assert "only those of one thread repeat" in out
    runs = read_runs(store)
    assert sorted((run.device.kind, run.threads) for run in runs) == [("arm64", 1), ("host", 1), ("host", 2)]
    assert len({run.session for run in runs}) == 1
    assert main([*words, "--resume", "-q"]) == 0
    assert len(read_runs(store)) == 3
    capsys.readouterr()
    main(["check", store, "--json"])
    rows = json.loads(capsys.readouterr().out)["runs"]
    assert [(row["kind"], row["threads"]) for row in rows] == [("host", 1), ("host", 2), ("arm64", 1)]


def test_the_plot_is_of_the_newest_sweep(tmp_path: Path) -> None:
    """The report has a line for each variant over its threads, names rows by them, and forgets the sweep when a newer session had none."""
    page = tmp_path / "report.html"
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    for threads, factor in ((1, 1.0), (2, 0.6), (4, 0.5)):
        for turn in range(3):
            store.append(
                make_run(
                    id=f"{threads}-{turn}", session="s", round=turn, threads=threads, latency_ns=noisy(turn, factor)
                )
            )
    assert main(["report", str(tmp_path / "runs.sqlite"), "-o", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "Median latency by the number of threads" in text
    assert "tflite-fp32, 4 threads" in text
    store.append(make_run(id="later", session="t", threads=2, started_at="2027-01-01T00:00:00Z", latency_ns=noisy(9)))
    store.close()
    assert [group.threads for group in group_runs(read_runs(str(tmp_path / "runs.sqlite")))] == [2]
    assert main(["report", str(tmp_path / "runs.sqlite"), "-o", str(page)]) == 0
    assert "by the number of threads" not in page.read_text(encoding="utf-8")


def test_turns_of_a_sweep_are_balanced(unopened_bundle: Path) -> None:
    """Each number of threads is a contender of its own; two builds of one variant with the same threads are neighbours."""
    bundle = Bundle.open(unopened_bundle)
    entries = list_contenders(bundle, bundle, ["tflite-fp32"], (1, 4))
    order = draw_turns(entries, 4, 7)
    assert len(order) == 4 * 2 * 2
    for first, second in zip(order[::2], order[1::2], strict=True):
        assert first[1].pair == second[1].pair
        assert first[1].baseline != second[1].baseline
    assert {entry.name for _, entry in order} == {
        "tflite-fp32, 1 thread",
        "tflite-fp32, 1 thread (baseline)",
        "tflite-fp32, 4 threads",
        "tflite-fp32, 4 threads (baseline)",
    }


def test_runs_of_a_sweep_are_different_places() -> None:
    """To a session that is gone on with, and to whoever reads a table."""
    runs = [make_run(id=str(threads), session="s", threads=threads) for threads in (1, 2)]
    assert len(list_done(runs)) == 2
    assert label_variants(runs) == {"1": "tflite-fp32, 1 thread", "2": "tflite-fp32, 2 threads"}
    assert label_variants(runs[:1]) == {"1": "tflite-fp32"}


@pytest.mark.parametrize("threads", ["0", "65", "1,,2", "two", "-1", "1;2", "1,\u0662"])
def test_bad_numbers_of_threads(
    unopened_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], threads: str
) -> None:
    """One sentence with an example, and no store."""
    assert (
        main(["run", str(unopened_bundle), "-d", "host", f"--threads={threads}", "-o", str(tmp_path / "runs.sqlite")])
        == 2
    )
    assert "e.g. --threads 1,2,4" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_over_cores(small_bundle: Path, phone: EmulatedPhone, tmp_path: Path) -> None:
    """A phone of two clusters: each way is measured there, kept, judged, plotted and resumed apart; what has no clusters says so."""
    policies = phone.root / "sys/devices/system/cpu/cpufreq"
    (policies / "policy1").mkdir()
    for policy, cpus, khz in (("policy0", "0", "1803000"), ("policy1", "1", "2802000")):
        (policies / policy / "related_cpus").write_text(f"{cpus}\n")
        (policies / policy / "cpuinfo_max_freq").write_text(f"{khz}\n")
    store, page = str(tmp_path / "runs.sqlite"), tmp_path / "report.html"
    words = ["run", str(small_bundle), "-d", f"android:{phone.address}", "-d", "host", "--variant", "tflite-fp32"]
    words += ["--threads", "1,2", "--cores", "big,little", "-o", store]
    told = subprocess.run(
        [sys.executable, "-m", "harness", *words], capture_output=True, text=True, timeout=300, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "'-d android' can" in told.stdout
    assert "tflite-fp32, 2 threads, big cores" in told.stdout
    runs = read_runs(store)
    assert {run.way for run in runs} == {Way(number, name) for number in (1, 2) for name in CORES if name != "middle"}
    assert [group.way.words for group in group_runs(runs)] == [
        "1 thread, little cores",
        "2 threads, little cores",
        "1 thread, big cores",
        "2 threads, big cores",
    ]
    assert main([*words, "--resume", "-q"]) == 0
    assert len(read_runs(store)) == len(runs)
    assert main(["report", store, "-o", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "tflite-fp32, little cores" in text
    assert "Median latency by the number of threads" in text


@pytest.mark.parametrize("cores", ["huge", "big,", "Big", "0"])
def test_bad_names_of_cores(
    unopened_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], cores: str
) -> None:
    """One sentence with the names, and no store."""
    store = tmp_path / "runs.sqlite"
    assert main(["run", str(unopened_bundle), "-d", "host", "--cores", cores, "-o", str(store)]) == 2
    assert "write some of little, middle, big" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
