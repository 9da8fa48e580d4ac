"""Starts worker processes, watches their time and memory, and turns what happens to them into results or typed errors."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

from builder import errors
from builder.process import ToolMemory, ToolTimeout, run_limited
from builder.project.config import LimitsSection
from builder.workers.messages import FAILURE, JOB, LOG, RESULT, STAGE, AnyJob, Failure, Job

LAST_LINES = 8
DISK_FULL_BYTES = 64 << 10


def run_job(
    job: AnyJob,
    folder: Path,
    *,
    what: str,
    limits: LimitsSection,
    on_stage: Callable[[str], None],
    stop: Event | None = None,
) -> str:
    """Run one job in `folder`; the text of its result. Raises what the worker raised, ConversionError for any other end.

    Setting `stop` from another thread kills the worker and raises Interrupted.
    """
    (folder / JOB).write_text(Job(job=job).model_dump_json(), encoding="utf-8")
    watch = Watch(folder=folder, what=what, on_stage=on_stage, stop=stop)
    # Converters leave files in the temporary directory when they are killed: this one goes with the job.
    with tempfile.TemporaryDirectory(prefix="edgebundle-worker-") as temporary, watch.limits_told():
        status = run_limited(
            [sys.executable, "-m", "builder.workers.worker", folder],
            log=folder / LOG,
            timeout_s=limits.time_s,
            memory_bytes=int(limits.memory_gb * 1e9),
            poll=watch,
            env={"TMPDIR": temporary},
        )
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    return conclude(folder, status == 0, how, folder / LOG, watch)


class RunJob(Protocol):
    """`run_job`, or a pool of workers that does the same."""

    def __call__(
        self,
        job: AnyJob,
        folder: Path,
        *,
        what: str,
        limits: LimitsSection,
        on_stage: Callable[[str], None],
        stop: Event | None = None,
    ) -> str: ...


@dataclass(kw_only=True)
class Watch:
    """Polled while a worker works in `folder`: tells its stages and hears `stop`."""

    folder: Path
    what: str
    on_stage: Callable[[str], None]
    stop: Event | None
    last: str = ""

    def __call__(self) -> None:
        if self.stop is not None and self.stop.is_set():
            raise errors.Interrupted(f"{self.what} was stopped.")
        try:
            text = (self.folder / STAGE).read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        if text != self.last:
            self.last = text
            self.on_stage(text)

    @contextmanager
    def limits_told(self) -> Iterator[None]:
        """An exceeded limit is a ConversionError that says which line to change."""
        try:
            yield
        except ToolTimeout as error:
            raise errors.ConversionError(
                f"{self.what} {error} (at '{self.last}'); raise time_s in [limits] of builder.toml."
            ) from error
        except ToolMemory as error:
            raise errors.ConversionError(
                f"{self.what} {error} (at '{self.last}'); raise memory_gb in [limits] of builder.toml or make the input smaller."
            ) from error


def conclude(folder: Path, ended_well: bool, how: str, log: Path, watch: Watch) -> str:
    """The result that a worker left in `folder`. Raises the typed error it left, or ConversionError saying `how` it ended."""
    what, last = watch.what, watch.last
    if ended_well and (folder / RESULT).is_file():
        text = (folder / RESULT).read_text(encoding="utf-8")
        for name in (JOB, STAGE, LOG):
            (folder / name).unlink(missing_ok=True)
        return text
    if shutil.disk_usage(folder).free < DISK_FULL_BYTES:  # whatever the worker died of, it could not write
        raise errors.OutputError(
            f"{what} could not be made: no space is left on {folder.parent}; free some or set EDGEBUNDLE_CACHE."
        )
    if (folder / FAILURE).is_file():
        failure = Failure.model_validate_json((folder / FAILURE).read_text(encoding="utf-8"))
        kind = getattr(errors, failure.kind)
        raise kind(f"{what}: {failure.message}" if not issubclass(kind, errors.SourceError) else failure.message)
    raise errors.ConversionError(f"{what} {how} at '{last or 'start'}'; its last lines were:\n{last_lines(log)}")


def last_lines(log: Path) -> str:
    lines = [line.rstrip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return "\n".join(f"  | {line[:300]}" for line in lines[-LAST_LINES:])
