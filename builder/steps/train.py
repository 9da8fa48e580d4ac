"""The step of a training: a recipe carried out in a worker, and its weights kept."""

from __future__ import annotations

import tempfile
from pathlib import Path

from builder.bundle import hash_file
from builder.errors import DataError, Interrupted
from builder.project.data import DataFile, find_data_files
from builder.project.project import Project, find_own_modules
from builder.project.training import TrainSection
from builder.steps.listener import Listener
from builder.storage.cache import find_cache_root, keep_entry, make_content_key, read_versions
from builder.training.team import read_team
from builder.workers.messages import RESULT, TrainJob, TrainResult
from builder.workers.supervisor import run_job

WHAT = "the network"
PACKAGES = ("torch", "numpy", "pillow")
# Beyond the time of training: loading, saving.
EXTRA_S = 900.0
HARMLESS = frozenset({"save_every_s", "time_s"})
"""Keys of [train] that change no weight."""


def list_photographs(project: Project, section: TrainSection) -> tuple[DataFile, ...]:
    """The photographs to train on. Raises DataError for one that quality is judged on."""
    files = {
        file.path: file
        for pattern in section.data
        for file in find_data_files(project.folder, pattern, "training", "[train]")
    }
    held_out = {file.sha256: file.path.name for file in project.data.evaluation}
    for file in files.values():
        if file.sha256 in held_out:
            raise DataError(
                f"{file.path} is also the evaluation file {held_out[file.sha256]}; evaluation must be held out: correct 'data' in [train]."
            )
    return tuple(files.values())


def find_style_pictures(project: Project, section: TrainSection) -> tuple[Path, ...]:
    """Raises DataError for one that does not exist."""
    paths = tuple(project.folder / name for name in section.styles)
    for path in paths:
        if not path.is_file():
            raise DataError(f"the style picture {path} does not exist; correct 'styles' in [train] of builder.toml.")
    return paths


def train_network(
    project: Project, section: TrainSection, listener: Listener, *, resume: bool
) -> tuple[Path, TrainResult] | None:
    """The directory of the weights, and how the training went; kept by content. None in a process that only helps the first one."""
    team = read_team()
    files, styles = list_photographs(project, section), find_style_pictures(project, section)
    start = project.folder / section.start if section.start is not None else None
    key = make_content_key(
        {
            "model": project.config.model.model_dump(mode="json", include={"source", "arguments"}),
            "tensors": [t.model_dump(mode="json") for t in (*project.config.input, *project.config.output)],
            "section": section.model_dump(mode="json", exclude=set(HARMLESS)),
            "own": {p.relative_to(project.folder).as_posix(): hash_file(p) for p in find_own_modules(project.folder)},
            "files": [file.sha256 for file in files],
            "styles": [hash_file(path) for path in styles],
            "start": None if start is None or not start.is_file() else hash_file(start),
            "evaluation": [file.sha256 for file in project.data.evaluation],
            "processes": team.size,
            "versions": read_versions(PACKAGES),
            "code": project.code,
        }
    )
    state = find_cache_root() / "train-states" / f"{key}.state"
    job = TrainJob(
        config=project.config.model_copy(update={"train": section}),
        folder=project.folder,
        files=tuple(file.path for file in files),
        styles=styles,
        evaluation=tuple(file.path for file in project.data.evaluation),
        state=state,
    )

    def make(work: Path) -> None:
        limits = project.config.limits.model_copy(update={"time_s": section.time_s + EXTRA_S})
        try:
            run_job(job, work, what=WHAT, limits=limits, on_stage=lambda text: listener.stage(WHAT, text))
        except KeyboardInterrupt as error:
            raise Interrupted(f"{WHAT} was interrupted; what was trained is kept: go on with --resume.") from error

    if team.rank > 0:
        with tempfile.TemporaryDirectory(prefix="edgebundle-train-") as work:
            make(Path(work))
        return None
    if not resume:
        state.unlink(missing_ok=True)
    # Several processes meet: none of them may find a result and stay away.
    forget = project.fresh.first("train", key) or team.size > 1
    folder, cached = keep_entry("train", key, make, forget=forget)
    state.unlink(missing_ok=True)
    listener.finish(WHAT, cached=cached)
    return folder, TrainResult.model_validate_json((folder / RESULT).read_text(encoding="utf-8"))
