"""A step: what one worker does, kept by the content of all that decides its result. The same inputs are never worked on twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Generic, TypeVar

from pydantic import BaseModel

from builder.project.project import Project
from builder.steps.listener import Listener
from builder.storage.cache import find_whole, keep_entry, locate, make_content_key
from builder.workers.messages import RESULT, AnyJob
from builder.workers.supervisor import RunJob, run_job

Result = TypeVar("Result", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Step(Generic[Result]):
    """`kind` names its place in the cache, `what` is for people; `content` is all that decides the result of `job`, as hashes and values."""

    kind: str
    what: str
    content: Mapping[str, object]
    job: AnyJob
    result: type[Result]

    @cached_property
    def key(self) -> str:
        return make_content_key({"step": self.kind, **self.content})

    @property
    def folder(self) -> Path:
        """Where the result lies, with the files beside it, once the step was run."""
        return locate(self.kind, self.key)

    @property
    def is_kept(self) -> bool:
        return find_whole(self.kind, self.key) is not None


@dataclass(frozen=True, kw_only=True)
class Working:
    """How steps are worked on: who hears of it, what ends it from another thread, and what runs a job."""

    listener: Listener
    stop: Event | None = None
    run: RunJob = run_job


def run_step(step: Step[Result], project: Project, working: Working) -> Result:
    """The step's result, made by a worker unless it is kept. Raises what the worker raises, Interrupted."""

    def make(work: Path) -> None:
        working.run(
            step.job,
            work,
            what=step.what,
            limits=project.config.limits,
            on_stage=lambda text: working.listener.stage(step.what, text),
            stop=working.stop,
        )

    folder, was_there = keep_entry(step.kind, step.key, make, forget=project.fresh.first(step.kind, step.key))
    working.listener.finish(step.what, cached=was_there)
    return step.result.model_validate_json((folder / RESULT).read_text(encoding="utf-8"))
