"""Trials on a real Dask cluster on this machine: a scheduler and worker processes, one of which is killed."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from builder.errors import ConfigError
from builder.plan_search.goal import Measures
from builder.plan_search.space import Choice
from builder.plan_search.trials import Exporter
from builder.process import kill_tree
from builder.project.project import open_project
from builder.steps.listener import Silent
from builder.steps.source import export_source
from builder.workers.cluster import Cluster
from tests.builder.processes import find_processes, find_workers, make_own_servers
from tests.builder.projects import make_project

WAIT_S = 120.0
SCHEMES = ("fp16", "dynamic_wi8_afp32", "weight_only_wi8_afp32")


@dataclass(kw_only=True)
class Processes:
    """A scheduler and workers, each with a cache of its own."""

    folder: Path
    address: str = ""
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: str) -> subprocess.Popen[str]:
        name = f"{len(self.started)}"
        cache = self.folder / f"cache{name}"  # its jobs' directories are there too
        cache.mkdir()
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                env=make_own_servers(cache, TMPDIR=str(cache)),
                stdout=subprocess.DEVNULL,
                stderr=log,
                text=True,
            )
        self.started.append(process)
        return process

    def worker(self) -> subprocess.Popen[str]:
        return self.start(
            "distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-dashboard", "--no-nanny",
            "--local-directory", str(self.folder),
        )  # fmt: skip


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(folder=tmp_path)
    try:
        made.start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        log = tmp_path / "0.log"
        wait_for(lambda: re.search(r"tcp://127\.0\.0\.1:\d+", log.read_text()))
        found = re.search(r"tcp://127\.0\.0\.1:\d+", log.read_text())
        assert found is not None
        made.address = found.group()
        yield made
    finally:
        for process in made.started:
            process.kill()
            process.wait(30)
        for number in range(len(made.started)):  # also what its killed worker left suspended
            for pid in find_processes(tmp_path / f"cache{number}"):
                kill_tree(pid)


@pytest.mark.filterwarnings("ignore")  # Dask's own, of closing connections
def test_trials_on_a_cluster_measure_what_they_do_here_and_survive_a_killed_worker(
    cluster: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker that has the first trial is killed in it; a second worker does all trials, with the figures of this machine."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "here"))
    project = open_project(make_project(tmp_path / "project"))
    source = export_source(project, Silent())
    section = project.config.variant[0]
    layers = source.result.layers.names()
    plans = [Choice(schemes=(scheme,) * len(layers)) for scheme in SCHEMES]
    first = cluster.worker()
    wait_for(lambda: "Starting established connection" in (tmp_path / "1.log").read_text())
    with Cluster(cluster.address) as remote:

        def kill_in_the_middle() -> None:
            cache = tmp_path / "cache1"
            wait_for(lambda: find_workers(cache))
            cluster.worker()
            for worker in find_workers(cache):
                psutil.Process(worker).suspend()  # it cannot answer before its Dask worker is gone
            first.kill()
            wait_for(lambda: not find_processes(cache))

        killer = threading.Thread(target=kill_in_the_middle)
        killer.start()
        exporter = Exporter(project=project, source=source, section=section, run=remote.run, parallel=remote.size)
        found = exporter.measure(plans)
        killer.join(WAIT_S)
    assert first.wait(30) != 0
    assert all(isinstance(one, Measures) for one in found), found
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "again"))
    again = export_source(project, Silent())
    assert Exporter(project=project, source=again, section=section, parallel=1).measure(plans) == found


def test_a_scheduler_that_does_not_answer_and_one_without_workers_are_told(
    cluster: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is one sentence that says what to do."""
    with pytest.raises(ConfigError, match="has no workers; start some with 'dask worker"):
        Cluster(cluster.address)
    monkeypatch.setattr("builder.workers.cluster.CONNECT_S", 1.0)
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:1'"):
        Cluster("tcp://127.0.0.1:1")
