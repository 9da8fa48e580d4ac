"""A step whose result is kept by content: the same inputs are never worked on twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event

from builder.project.project import Project
from builder.steps.listener import Listener
from builder.storage.cache import entry, locked, publishing
from builder.workers.messages import (
    ExportJob,
    SourceJob,
    VariantJob,
)
from builder.workers.supervisor import RunJob, run_job


def cached_step(
    project: Project,
    step: str,
    key: str,
    job: SourceJob | VariantJob | ExportJob,
    what: str,
    listener: Listener,
    stop: Event | None = None,
    run: RunJob = run_job,
) -> Path:
    """The entry of this key, made by a worker process unless it is there; two builds never make the same entry twice."""
    on_stage: Callable[[str], None] = lambda text: listener.stage(what, text)  # noqa: E731
    with locked(f"{step} {key}"):
        folder = entry(step, key)
        cached = folder.is_dir()
        if not cached:
            with publishing(step, key) as work:
                run(job, work, what=what, limits=project.config.limits, on_stage=on_stage, stop=stop)
    listener.done(what, cached=cached)
    return folder
