"""Starts worker processes, watches their time and memory, and turns what happens to them into results or typed errors."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Protocol

from builder import errors
from builder.backends import BACKENDS
from builder.process import ToolMemory, ToolTimeout, run_limited, supervise
from builder.project.config import LimitsSection
from builder.workers.jobs.shared import has_float_file
from builder.workers.messages import (
    FAILURE,
    JOB,
    LOG,
    RESULT,
    STAGE,
    AnyJob,
    Failure,
    Job,
    JudgeJob,
    VariantJob,
    VerifyJob,
)
from builder.workers.orders import FILES, TORCH, Order
from builder.workers.servers import Forked, ServerLost, is_plain, place, read_umask

# Enough for the last frame of a traceback and its message.
LAST_LINES = 8
# Whoever kills it twice means it, or the memory is too small for it.
TRIES = 2
WORKER = "edgebundle-worker-"
# Less than a worker's log and result need.
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
    """Run one job in `folder`, in a process of its own; the text of its result.

    A job whose worker was killed by somebody, or whose server was, is done once more. Raises what the worker raised, ConversionError for
    any other end. Setting `stop` from another thread kills the worker and raises Interrupted.
    """
    (folder / JOB).write_text(Job(job=job).model_dump_json(), encoding="utf-8")
    watch = Watch(folder=folder, what=what, on_stage=on_stage, stop=stop)
    how = ""
    for _ in range(TRIES):
        _leave_only_the_job(folder)
        watch.last = ""
        try:
            status = _attempt(choose_kind(job), folder, limits, watch)
        except ServerLost as error:
            how = str(error)
            continue
        if status >= 0:
            return conclude(folder, status, f"ended with status {status}", watch)
        how = f"was ended by {signal.Signals(-status).name}"
        if status != -signal.SIGKILL:
            break
    return conclude(folder, None, how, watch)


def choose_kind(job: AnyJob) -> str:
    """The kind of server whose workers can do the job without importing much."""
    if isinstance(job, VariantJob):
        return FILES if has_float_file(job) else job.backend
    if isinstance(job, VerifyJob):
        return BACKENDS[job.variant.backend].SPEC.running_server
    if isinstance(job, JudgeJob):
        return BACKENDS[job.backend].SPEC.running_server
    return TORCH


def _attempt(kind: str, folder: Path, limits: LimitsSection, watch: Watch) -> int:
    """One worker's exit status. Raises ServerLost, ConversionError, Interrupted."""
    attempt = _in_new_process if is_plain() else partial(_supervise_forked, kind)
    with watch.explain_limits():
        return attempt(folder, limits.time_s, int(limits.memory_gb * 1e9), watch)


def _in_new_process(folder: Path, timeout_s: float, memory_bytes: int, watch: Watch) -> int:
    # Converters leave files in the temporary directory when they are killed: this one goes with the job.
    with tempfile.TemporaryDirectory(prefix=WORKER) as temporary:
        return run_limited(
            [sys.executable, "-m", "builder.workers.worker", folder],
            log=folder / LOG,
            timeout_s=timeout_s,
            memory_bytes=memory_bytes,
            poll=watch,
            env={"TMPDIR": temporary},
        )


def _supervise_forked(kind: str, folder: Path, timeout_s: float, memory_bytes: int, watch: Watch) -> int:
    watch.on_stage("start")
    try:
        # With the servers' own files: it goes with the job, and where everybody is killed with the last server.
        temporary = Path(tempfile.mkdtemp(prefix=WORKER, dir=place()))
    except OSError as error:
        raise ServerLost(f"has no server ({error.strerror})") from error
    order = Order(
        folder=folder.absolute(),
        log=(folder / LOG).absolute(),
        temporary=temporary,
        cwd=Path.cwd(),
        umask=read_umask(),
        environment=dict(os.environ),
    )
    try:
        return supervise(Forked(kind, order, watch), timeout_s=timeout_s, memory_bytes=memory_bytes, poll=watch)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _leave_only_the_job(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != JOB:
            path.unlink()


class RunJob(Protocol):
    """`run_job`, or what does the same on a cluster."""

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
    def explain_limits(self) -> Iterator[None]:
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


def conclude(folder: Path, status: int | None, how: str, watch: Watch) -> str:
    """The result that a worker left in `folder`. Raises the typed error it left, or ConversionError saying `how` it ended."""
    what, last = watch.what, watch.last
    if status == 0 and (folder / RESULT).is_file():
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
    raise errors.ConversionError(
        f"{what} {how} at '{last or 'start'}'; its last lines were:\n{quote_last_lines(folder / LOG)}"
    )


def quote_last_lines(log: Path) -> str:
    if not log.is_file():
        return "  (it wrote none)"
    lines = errors.without_noise(log.read_text(encoding="utf-8", errors="replace"), LAST_LINES)
    return "\n".join(f"  | {line}" for line in lines)
