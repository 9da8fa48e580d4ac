"""The steps of a compression: the stages in a worker, and an exported file judged against the trained network."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from builder.bundle import hash_file
from builder.errors import DataError, Interrupted
from builder.project.compression import CompressSection
from builder.project.data import DataFile, find_data_files
from builder.project.project import Project, find_own_modules
from builder.steps.listener import Listener
from builder.steps.source import SourceStep
from builder.steps.step import Step, Working, run_step
from builder.steps.variant import VariantStep
from builder.storage.cache import find_cache_root, keep_entry, make_content_key, read_versions
from builder.workers.messages import RESULT, CompressJob, CompressResult, JudgeJob, JudgeResult
from builder.workers.supervisor import run_job

PACKAGES = ("torch", "torchao", "numpy", "pillow")
# Photographs: fewer are examples, and no data to learn from.
FEW = 4
# Beyond the time of training: loading, measuring, saving.
EXTRA_S = 900.0


def training_files(project: Project, section: CompressSection, listener: Listener) -> tuple[DataFile, ...]:
    """The pictures to train on. Raises DataError for one that quality is judged on."""
    files = project.data.calibration
    if section.data is not None:
        files = find_data_files(project.folder, section.data, "training", "[compress]")
    held_out = {file.sha256: file.path.name for file in project.data.evaluation}
    for file in files:
        if file.sha256 in held_out:
            raise DataError(
                f"{file.path} is also the evaluation file {held_out[file.sha256]}; evaluation must be held out: correct 'data' in [compress]."
            )
    if len(files) < FEW:
        listener.warn(
            f"{len(files)} training pictures: the smaller network learns mostly from drawn ones, and may fail on what these do not show; "
            "name more in 'data' of [compress]"
        )
    return files


def compress_network(
    project: Project, source: SourceStep, section: CompressSection, listener: Listener, *, resume: bool
) -> tuple[Path, CompressResult]:
    """The directory of the stages' networks, and what the stages did; kept by content. Raises what the stages raise."""
    files = training_files(project, section, listener)
    trained = section.model_dump(mode="json", exclude={"backend", "save_every_s", "time_s"})
    trained["budget"] = {key: trained["budget"][key] for key in ("max_parameters", "max_macs")}
    key = make_content_key(
        {
            "source": source.key,
            "section": trained,
            "own": _hash_own_code(project, section),
            "files": [file.sha256 for file in files],
            "versions": read_versions(PACKAGES),
        }
    )
    what = "the smaller network"
    state = find_cache_root() / "compress-states" / key
    if not resume:
        shutil.rmtree(state, ignore_errors=True)

    def make(work: Path) -> None:
        job = CompressJob(
            section=section,
            folder=project.folder,
            source=source.folder,
            files=tuple(file.path for file in files),
            evaluation=tuple(file.path for file in project.data.evaluation),
            state=state,
        )
        limits = project.config.limits.model_copy(update={"time_s": section.time_s + EXTRA_S})
        try:
            run_job(job, work, what=what, limits=limits, on_stage=lambda text: listener.stage(what, text))
        except KeyboardInterrupt as error:
            raise Interrupted(f"{what} was interrupted; what was trained is kept: go on with --resume.") from error

    folder, cached = keep_entry("compress", key, make, forget=project.fresh.first("compress", key))
    shutil.rmtree(state, ignore_errors=True)
    listener.finish(what, cached=cached)
    return folder, CompressResult.model_validate_json((folder / RESULT).read_text(encoding="utf-8"))


def _hash_own_code(project: Project, section: CompressSection) -> dict[str, str]:
    """Hashes of the modules beside builder.toml, where the loss is one of them."""
    if not isinstance(section.loss, str):
        return {}
    return {path.relative_to(project.folder).as_posix(): hash_file(path) for path in find_own_modules(project.folder)}


def judge(
    project: Project, teacher: SourceStep, variant: VariantStep, artifact: Path, listener: Listener
) -> tuple[Path, JudgeResult]:
    """The quality of an artifact against the trained network, and the directory of the pictures that it gave."""
    section = variant.section
    step = Step(
        kind="judge",
        what=f"variant {section.name!r} against the trained network",
        content={"teacher": teacher.key, "variant": variant.key},
        job=JudgeJob(
            artifact=artifact,
            backend=section.backend,
            delegate=section.delegate,
            inputs=variant.result.inputs,
            outputs=variant.result.outputs,
            teacher=teacher.folder,
            evaluation=tuple(file.path for file in project.data.evaluation),
        ),
        result=JudgeResult,
    )
    result = run_step(step, project, Working(listener=listener))
    return step.folder, result


def stage_files(folder: Path, result: CompressResult) -> Sequence[Path]:
    """The network of every stage, in order."""
    return [folder / f"{number}-{report.stage}.pt2" for number, report in enumerate(result.stages)]
