"""A session on Dask workers that are processes of their own, on loopback, with real devices of this computer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import harness
from harness.cluster import run_on_cluster
from harness.config import PROTOCOLS
from harness.errors import UsageError
from harness.records import Run
from harness.session import opened_bundle
from harness.store import open_store, stored_runs

ROOT = Path(__file__).parents[2]
LIMIT_S = 120


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
    with process(*argv, ready="Scheduler at:") as (_, line):
        yield line.split()[-1]


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
    runs = stored_runs(str(store))
    assert sorted((run.device.kind, run.variant) for run in runs) == [
        (kind, variant) for kind in ("host", "replay") for variant in ("executorch-fp32", "tflite-fp32")
    ]
    assert "Core ML executes on macOS and iOS only" in done.stdout
    opened = open_store(str(store))
    host = next(run for run in runs if run.device.kind == "host")
    assert {picture.role for picture in opened.pictures(host.id)} == {"input", "source", "expected", "output"}
    assert opened.manifest(host.bundle_sha256) is not None
    opened.close()


def test_what_a_killed_worker_had_is_measured_by_another(scheduler: str, small_bundle: Path) -> None:
    """kill -9 of the worker in the middle of a measurement: another that offers the device does it, and nothing is missing."""
    with ExitStack() as stack:
        first = stack.enter_context(worker(scheduler, "host"))
        killed = []

        def kill_at_first(step: object) -> None:
            if not killed:
                killed.append(first.pid)
                os.kill(first.pid, signal.SIGKILL)
                stack.enter_context(worker(scheduler, "host"))

        bundle = stack.enter_context(opened_bundle(small_bundle))
        result = run_on_cluster(bundle, ["host"], PROTOCOLS["standard"], None, scheduler, kill_at_first)
    assert killed
    assert sorted(run.variant for run in result.runs) == ["executorch-fp32", "tflite-fp32"]
    assert [entry.variant for entry in result.skipped if entry.failed] == []


def test_a_device_whose_workers_are_gone_is_quarantined(scheduler: str, small_bundle: Path) -> None:
    """When nobody offers the device any more, what is left is failed with the reason, within the limit."""
    with ExitStack() as stack:
        only = stack.enter_context(worker(scheduler, "host"))
        bundle = stack.enter_context(opened_bundle(small_bundle))
        result = run_on_cluster(
            bundle,
            ["host"],
            PROTOCOLS["standard"],
            None,
            scheduler,
            lambda step: os.kill(only.pid, signal.SIGKILL),
            patience_s=3,
        )
    failed = [entry for entry in result.skipped if entry.failed]
    assert failed
    assert {entry.exit_code for entry in failed} == {6}
    assert "no worker has offered host for 3 s" in failed[0].reason
    assert len(result.runs) + len(result.skipped) == 3


def test_what_nobody_offers_is_bad_usage(scheduler: str, small_bundle: Path) -> None:
    """A device that no worker has, and a scheduler that does not answer, are one sentence with the command that helps."""
    with opened_bundle(small_bundle) as bundle, worker(scheduler, "host"):
        with pytest.raises(
            UsageError, match=r"offers android:X \(offered: host\); start one beside it: harness worker"
        ):
            run_on_cluster(bundle, ["android:X"], PROTOCOLS["quick"], None, scheduler)
        with pytest.raises(UsageError, match="no Dask scheduler answers at 'nonsense'"):
            run_on_cluster(bundle, ["host"], PROTOCOLS["quick"], None, "nonsense")
    assert harness.version()
