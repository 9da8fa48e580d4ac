"""A session on Dask workers that are processes of their own, on loopback, with real devices of this computer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

import harness
from harness.errors import UsageError
from harness.protocol import PROTOCOLS, Protocol
from harness.records.run import Run
from harness.records.store import open_store, read_runs
from harness.session.cluster import run_on_cluster
from harness.session.session import open_bundle_or_package

ROOT = Path(__file__).parents[3]
LIMIT_S = 300.0  # on a machine that has much else to do
LONG = Protocol(name="long", warmup=5, runs=500, threads=1, timeout_s=120)


@contextmanager
def process(*argv: str, ready: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process and its first line on stderr that holds `ready`; it is killed by its id in the end."""
    with subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True) as started:
        try:
            assert started.stderr is not None
            line = next((line for line in started.stderr if ready in line), "")
            assert line, f"{argv} ended without {ready!r}"
            yield started, line.strip()
        finally:
            started.kill()


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with start_scheduler() as (_, address):
        yield address


@contextmanager
def start_scheduler() -> Iterator[tuple[subprocess.Popen[str], str]]:
    argv = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
    ]
    with process(*argv, ready="Scheduler at:") as (started, line):
        yield started, line.split()[-1]


@contextmanager
def worker(scheduler: str, *devices: str) -> Iterator[subprocess.Popen[str]]:
    words = [word for device in devices for word in ("-d", device)]
    with process(sys.executable, "-m", "harness", "worker", scheduler, *words, ready=" offers ") as (started, line):
        assert line.endswith(f"offers {', '.join(devices)}; Ctrl-C ends it")
        yield started


def test_records_return_to_the_store(
    scheduler: str, small_bundle: Path, measured_runs: list[Run], tmp_path: Path
) -> None:
    """Two workers with a device each measure one session: every record, picture and manifest is in the store, the rest is listed."""
    recorded = tmp_path / "recorded.jsonl"
    recorded.write_text("".join(run.to_json() + "\n" for run in measured_runs), encoding="utf-8")
    replay = f"replay:{recorded}"
    store = tmp_path / "runs.sqlite"
    with worker(scheduler, "host"), worker(scheduler, replay):
        argv = ["run", str(small_bundle), "-d", "host", "-d", replay, "--cluster", scheduler, "-o", str(store), "-q"]
        done = subprocess.run(
            [sys.executable, "-m", "harness", *argv], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S
        )
    assert done.returncode == 0, done.stderr
    runs = read_runs(str(store))
    assert sorted((run.device.kind, run.variant) for run in runs) == [
        (kind, variant) for kind in ("host", "replay") for variant in ("executorch-fp32", "tflite-fp32")
    ]
    assert "Core ML executes on macOS and iOS only" in done.stdout
    opened = open_store(str(store))
    host = next(run for run in runs if run.device.kind == "host")
    assert {picture.role for picture in opened.pictures(host.id)} == {"input", "source", "expected", "output"}
    assert opened.manifest(host.bundle_sha256) is not None
    opened.close()


def assert_busy(pid: int) -> None:
    """Wait until the worker has started what measures, which is a process of its own."""
    worker_process = psutil.Process(pid)
    limit = time.monotonic() + LIMIT_S
    while not worker_process.children(recursive=True):
        assert time.monotonic() < limit, "the worker never began to measure"
        os.sched_yield()


def test_what_a_killed_worker_had_is_measured_by_another(scheduler: str, small_bundle: Path) -> None:
    """kill -9 of a worker in the middle of its session: another that offers the device does it anew, and nothing is missing."""
    with ExitStack() as stack:
        first = stack.enter_context(worker(scheduler, "host"))
        bundle = stack.enter_context(open_bundle_or_package(small_bundle))
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(run_on_cluster, bundle, ["host"], LONG, None, scheduler)
            assert_busy(first.pid)
            os.kill(first.pid, signal.SIGKILL)
            stack.enter_context(worker(scheduler, "host"))
            result = asked.result(LIMIT_S)
    assert {run.variant for run in result.runs} == {"executorch-fp32", "tflite-fp32"}
    assert [entry for entry in result.skipped if entry.failed] == []


def test_a_device_whose_workers_are_gone_is_quarantined(scheduler: str, small_bundle: Path) -> None:
    """When nobody offers a device any more it is failed with the reason, within the limit."""
    with ExitStack() as stack:
        only = stack.enter_context(worker(scheduler, "host"))
        bundle = stack.enter_context(open_bundle_or_package(small_bundle))
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(run_on_cluster, bundle, ["host"], LONG, None, scheduler, patience_s=3)
            assert_busy(only.pid)
            os.kill(only.pid, signal.SIGKILL)
            result = asked.result(LIMIT_S)
    assert [(entry.device, entry.exit_code) for entry in result.skipped] == [("host", 6)]
    assert result.skipped[0].reason == "no worker has offered host for 3 s; go on with --resume"
    assert result.runs == ()


ROUNDS = """
warmup = 1
runs = 20
rounds = 4
memory_pass = false
"""


@pytest.mark.parametrize("dies", ["client", "scheduler"])
def test_what_was_measured_outlives_the_client_and_the_scheduler(
    dies: str, small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 in the middle of a session: `--resume` fetches what lies on the worker's disk, and measures only the rest."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "own.toml").write_text(ROUNDS, encoding="utf-8")
    store = tmp_path / "runs.sqlite"
    words = ["run", str(small_bundle), "-d", "host", "--protocol", str(tmp_path / "own.toml"), "-o", str(store)]
    argv = [sys.executable, "-m", "harness", *words]
    held = tmp_path / "cache/state/worker"
    with ExitStack() as stack:
        scheduler, address = stack.enter_context(start_scheduler())
        stack.enter_context(worker(address, "host"))
        with subprocess.Popen([*argv, "--cluster", address], cwd=ROOT, stderr=subprocess.PIPE, text=True) as client:
            limit = time.monotonic() + LIMIT_S
            while len(list(held.rglob("*.jsonl"))) < 2:
                assert time.monotonic() < limit
                time.sleep(0.05)
            (client if dies == "client" else scheduler).kill()
            _, told = client.communicate(timeout=LIMIT_S)
    before = {path.read_text() for path in held.rglob("*.jsonl")}
    if dies == "scheduler":
        assert client.returncode == 6, told
        assert "went away; what was measured is on its workers' disks" in told
    with ExitStack() as stack:
        _, address = stack.enter_context(start_scheduler())
        stack.enter_context(worker(address, "host"))
        done = subprocess.run(
            [*argv, "--cluster", address, "--resume", "-q"], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S
        )
    assert done.returncode == 0, done.stderr
    runs = read_runs(str(store))
    assert sorted((run.variant, run.round) for run in runs) == [
        (variant, turn) for variant in ("executorch-fp32", "tflite-fp32") for turn in range(4)
    ]
    assert len({run.session for run in runs}) == 1
    assert {line.strip() for line in before} <= {run.to_json() for run in runs}
    assert list(held.rglob("*.jsonl")) == []


def test_what_nobody_offers_is_bad_usage(scheduler: str, small_bundle: Path) -> None:
    """A device that no worker has, and a scheduler that does not answer, are one sentence with the command that helps."""
    with open_bundle_or_package(small_bundle) as bundle, worker(scheduler, "host"):
        with pytest.raises(
            UsageError, match=r"offers android:X \(offered: host\); start one beside it: harness worker"
        ):
            run_on_cluster(bundle, ["android:X"], PROTOCOLS["quick"], None, scheduler)
        with pytest.raises(UsageError, match="no Dask scheduler answers at 'nonsense'"):
            run_on_cluster(bundle, ["host"], PROTOCOLS["quick"], None, "nonsense")
        for strange in ("12", "tcp://", "foo://x:1", "127.0.0.1:9", "nonsense.invalid:8786"):
            start = time.monotonic()
            with pytest.raises(UsageError, match="no Dask scheduler answers at"):
                run_on_cluster(bundle, ["host"], PROTOCOLS["quick"], None, strange)
            assert time.monotonic() - start < 20
    assert harness.version()
