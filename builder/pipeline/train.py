"""`builder train`: the recipe of a builder.toml -> a trained network as a project of its own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from builder.errors import ConfigError, OutputError
from builder.pipeline.train_page import render_page
from builder.project.project import Project, find_own_modules, open_project
from builder.project.relocation import copy_beside, copy_labels, copy_plans, format_toml, relocate
from builder.project.source_kinds import find_source_kind
from builder.project.training import TrainSection
from builder.steps.listener import Listener
from builder.steps.train import find_style_pictures, list_photographs, train_network
from builder.storage.output import check_output, replacing
from builder.training.result import TrainReport
from builder.training.team import read_team
from builder.workers.jobs.train import WEIGHTS
from builder.workers.messages import TrainResult

REPORT, PAGE = "train.json", "train.html"
HEAD = "# Written by 'builder train'. train.json says how it was trained, train.html shows it.\n"


@dataclass(frozen=True, kw_only=True)
class Instead:
    """A style picture and a glob of photographs, as the command line has them, that take the place of the recipe's own."""

    style: Path | None = None
    data: str | None = None


def train(
    config: Path,
    *,
    out: Path,
    listener: Listener,
    instead: Instead | None = None,
    resume: bool = False,
    fresh: bool = False,
) -> TrainReport | None:  # fmt: skip
    """Train the network of a builder.toml by its [train] section; the directory `out` becomes an ordinary project.

    None in a process of torchrun that only helps the first one.
    Raises ConfigError, DataError, SourceError, ConversionError, OutputError, Interrupted.
    """
    project = open_project(config, fresh=fresh, trained=False)
    section = _section(project, instead or Instead())
    if out.absolute() == project.folder:
        raise OutputError(f"{out} is the project itself; choose another -o.")
    check_output(out, "a project")
    made = train_network(project, section, listener, resume=resume)
    if made is None:
        return None
    folder, result = made
    report = _report(project, section, result)
    with replacing(out, "a project") as work:
        _write(project, folder / WEIGHTS, work, out.absolute())
        (work / REPORT).write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
        shown = render_page(report, find_style_pictures(project, section), folder / "pictures")
        (work / PAGE).write_text(shown, encoding="utf-8")
    return report


def _section(project: Project, instead: Instead) -> TrainSection:
    """[train] with what the command line has in its place. Raises ConfigError."""
    section = project.config.train
    if section is None:
        raise ConfigError("builder.toml has no [train]; write the recipe there (docs/train.md).")
    if find_source_kind(project.config.model.source) != "factory" or project.config.model.checkpoint is None:
        raise ConfigError(
            f"'builder train' makes the network by its factory, and 'source' is {project.config.model.source!r}; write 'module:callable' and a 'checkpoint'."
        )
    if not str(project.config.model.checkpoint).endswith(".safetensors"):
        raise ConfigError("'builder train' writes .safetensors; correct 'checkpoint' in [model] of builder.toml.")
    changes: dict[str, object] = {}
    if instead.style is not None:
        if len(section.styles) > 1:
            raise ConfigError(f"the recipe has {len(section.styles)} styles, and --style names one; correct 'styles'.")
        changes["styles"] = (str(instead.style.absolute()),)
    if instead.data is not None:
        changes["data"] = (str(Path.cwd() / instead.data),)
    return section.model_copy(update=changes)


def _write(project: Project, weights: Path, folder: Path, final: Path) -> None:
    """The project: builder.toml without its recipe, the network's own code, its weights."""
    values = relocate(project, final, without={"train"})
    checkpoint = Path(str(project.config.model.checkpoint)).name
    values["model"]["checkpoint"] = checkpoint
    for path in find_own_modules(project.folder):
        copy_beside(path, folder, path.relative_to(project.folder).as_posix())
    shutil.copyfile(weights, folder / checkpoint)
    copy_plans(project, folder)
    copy_labels(project, folder)
    (folder / "builder.toml").write_text(HEAD + format_toml(values), encoding="utf-8")


def _report(project: Project, section: TrainSection, result: TrainResult) -> TrainReport:
    named = section.model_copy(update={"styles": tuple(Path(style).name for style in section.styles)})
    return TrainReport(
        name=project.config.model.name,
        settings=named,
        parameters=result.parameters,
        pictures=len(list_photographs(project, section)),
        processes=read_team().size,
        threads=result.threads,
        steps=result.steps,
        seconds=result.seconds,
        losses=result.losses,
        looks=result.looks,
        terms=result.terms,
    )
