"""Workers that stay: what they imported and converted serves the next job too, and one that dies is replaced."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from types import TracebackType
from typing import Self

from builder.process import Service, ToolFailed, ToolKilled
from builder.project.config import LimitsSection
from builder.workers.messages import JOB, AnyJob, Job
from builder.workers.supervisor import Watch, conclude


class WorkerPool:
    """`run` does what `supervisor.run_job` does, in one of at most `size` worker processes, which are started when needed."""

    def __init__(self, size: int) -> None:
        self._logs = tempfile.TemporaryDirectory(prefix="edgebundle-workers-")
        self._slots: SimpleQueue[tuple[int, Service | None]] = SimpleQueue()
        self.size = size
        for number in range(size):
            self._slots.put((number, None))

    def run(
        self,
        job: AnyJob,
        folder: Path,
        *,
        what: str,
        limits: LimitsSection,
        on_stage: Callable[[str], None],
        stop: Event | None = None,
    ) -> str:
        """Text of the job's result. Limits hold for this job, and one whose worker was killed by somebody is done once more.

        Raises what the worker raised, ConversionError, Interrupted.
        """
        watch = Watch(folder=folder, what=what, on_stage=on_stage, stop=stop)
        (folder / JOB).write_text(Job(job=job).model_dump_json(), encoding="utf-8")
        failed, log = self._ask(folder, limits, watch)
        if isinstance(failed, ToolKilled):
            _leave_only_the_job(folder)
            watch.last = ""
            failed, log = self._ask(folder, limits, watch)
        return conclude(folder, failed is None, str(failed), log, watch)

    def _ask(self, folder: Path, limits: LimitsSection, watch: Watch) -> tuple[ToolFailed | None, Path]:
        """One worker's attempt: how it failed, if it did, and its log."""
        number, service = self._slots.get()
        log = Path(self._logs.name) / f"{number}.txt"
        alive: Service | None = None
        try:
            if service is None:
                service = Service(
                    [sys.executable, "-m", "builder.workers.worker", "--serve"],
                    log=log,
                    env={"TMPDIR": self._logs.name},
                )
            with watch.limits_told():
                answer = service.ask(
                    str(folder), timeout_s=limits.time_s, memory_bytes=int(limits.memory_gb * 1e9), poll=watch
                )
            alive = service
            return (None if answer == "0" else ToolFailed(f"answered {answer!r}")), log
        except ToolFailed as error:
            return error, log
        finally:
            self._slots.put((number, alive))  # a dead one's place is filled by the next job

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in range(self.size):
            _, service = self._slots.get()
            if service is not None:
                service.close()
        self._logs.cleanup()


def _leave_only_the_job(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != JOB:
            path.unlink()
