"""`builder compress`: a trained network -> stages -> a smaller one, exported, judged against the trained one, as a project of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path

from builder.backends import BACKENDS
from builder.bundle import count_tree_bytes
from builder.compression.project import write_project
from builder.compression.result import CompressReport, FilePoint, Point
from builder.errors import ConfigError, OutputError
from builder.pipeline.compress_page import render_page
from builder.project.budgets import parse_size
from builder.project.compression import CompressBudget
from builder.project.config import VariantSection
from builder.project.project import Project, open_project
from builder.steps.compress import compress_network, judge, stage_files, training_files
from builder.steps.listener import Listener, Silent
from builder.steps.source import SourceStep, export_source
from builder.steps.step import Working
from builder.steps.variant import lower_variant, plan_variant, require_packages
from builder.storage.output import check_output, replacing
from builder.training.pictures import MANY
from builder.workers.messages import CompressResult

REPORT, PAGE = "compress.json", "compress.html"
FLOAT_SCHEME = "fp16"  # in which a network that was not trained for integers is judged


def compress(
    config: Path, *, out: Path, listener: Listener, resume: bool = False, fresh: bool = False
) -> CompressReport:
    """Make the network of a builder.toml smaller by its [compress] section; the directory `out` becomes an ordinary project.

    Where the budgets are not met it holds compress.json and compress.html alone, and the report says what is not.
    Raises ConfigError, DataError, ConversionError, VerificationError, Interrupted.
    """
    project = open_project(config, fresh=fresh)
    section = project.config.compress
    if section is None:
        raise ConfigError("builder.toml has no [compress]; write its stages and budget there.")
    if out.absolute() == project.folder:
        raise OutputError(f"{out} is the project itself; choose another -o.")
    check_output(out, "a project")
    backend = section.backend or project.config.variant[0].backend
    variant = VariantSection(
        backend=backend,
        delegate=BACKENDS[backend].SPEC.delegate_names[0],
        id="compressed",
        scheme=None if "qat" in section.stages else FLOAT_SCHEME,
    )
    require_packages(project, [variant])
    source = export_source(project, listener)
    files = training_files(project, section, Silent())
    folder, result = compress_network(project, source, section, listener, resume=resume)
    final = stage_files(folder, result)[-1]
    judged, judged_at = _judge(project, source, final, variant, listener)
    unmet = explain_unmet(section.budget, judged)
    report = CompressReport(
        name=project.config.model.name,
        settings=section,
        teacher=_teacher(result),
        pictures=len(files),
        drawn=len(files) < MANY,
        threads=result.threads,
        stages=result.stages,
        files=(judged,),
        met=unmet is None,
        unmet=unmet and f"{unmet}; {_nearest(result, judged)}",
    )
    with replacing(out, "a project") as work:
        if report.met:
            write_project(project, final, work, out.absolute(), integers="qat" in section.stages)
        (work / REPORT).write_text(report.model_dump_json(indent=1, by_alias=False) + "\n", encoding="utf-8")
        (work / PAGE).write_text(render_page(report, source, judged_at), encoding="utf-8")
    return report


def _judge(
    project: Project, source: SourceStep, final: Path, section: VariantSection, listener: Listener
) -> tuple[FilePoint, Path]:
    """The exported file of the last network, against the trained one; and where its pictures are."""
    with tempfile.TemporaryDirectory(prefix="edgebundle-compress-") as temporary:
        place = Path(temporary) / "project"
        place.mkdir()
        write_project(project, final, place, place, integers=section.scheme is None)
        small = open_project(place / "builder.toml")
        own = export_source(small, listener)
        step = lower_variant(small, own, section, plan_variant(small, own, section), Working(listener=listener))
        artifact = step.folder / step.result.artifact
        folder, judgement = judge(project, source, step, artifact, listener)
        return FilePoint(
            stage="last",
            backend=section.backend,
            scheme=section.scheme or "as_trained",
            bytes=count_tree_bytes(artifact),
            quality=judgement.quality,
        ), folder


def explain_unmet(budget: CompressBudget, file: FilePoint) -> str | None:
    """Which limits the exported file breaks, in words; None where all hold. Shares are met by pruning itself."""
    quality = file.quality
    wrong = []
    if budget.min_psnr_db is not None and (quality.psnr_db_worst is None or quality.psnr_db_worst < budget.min_psnr_db):
        wrong.append(f"{quality.psnr_db_worst} dB on the worst sample instead of {budget.min_psnr_db:g}")
    if budget.min_ssim is not None and (quality.ssim_worst is None or quality.ssim_worst < budget.min_ssim):
        wrong.append(f"SSIM {quality.ssim_worst} on the worst sample instead of {budget.min_ssim:g}")
    if budget.min_top1 is not None and (quality.top1_agreement is None or quality.top1_agreement < budget.min_top1):
        wrong.append(f"top-1 agreement {quality.top1_agreement} instead of {budget.min_top1:g}")
    if budget.max_bytes is not None and file.bytes > parse_size(budget.max_bytes):
        wrong.append(f"{file.bytes} bytes instead of {parse_size(budget.max_bytes)}")
    return " and ".join(wrong) or None


def _nearest(result: CompressResult, file: FilePoint) -> str:
    """The points that there are: the exported file, and the network after each stage."""
    points = [f"the {file.backend} file {file.scheme}: {file.quality.psnr_db_worst} dB, {file.bytes} bytes"]
    points += [
        f"after {report.stage}: {report.after.psnr_db} dB in torch, {report.after.parameters} parameters"
        for report in result.stages
    ]
    return "nearest: " + ", ".join(points)


def _teacher(result: CompressResult) -> Point:
    return result.stages[0].before
