"""The stages in order, each from the network that the one before left; what is finished is kept, so that a resumed run goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.compression.prune import count_macs, count_parameters, prune
from builder.compression.result import Cut, Point, StageReport
from builder.compression.separable import require, separate
from builder.errors import ConfigError
from builder.graph.model import Model
from builder.graph.samples import read_sample
from builder.precision.layers import list_layers
from builder.precision.program import in_list
from builder.precision.quantizers import know_operators, without_quantizers
from builder.project.compression import CompressSection, StageName
from builder.quality.metrics import QualityMeter
from builder.sources.own_code import find_own_callable
from builder.storage.cache import replace_text
from builder.training.loop import Done, Lesson, train
from builder.training.network import make_trainable, takes, without_checks
from builder.training.objective import Objective, OwnLoss, Weights
from builder.training.pictures import MANY, Batches, Selection, split_batch
from builder.training.run import count_threads
from builder.training.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram

    from builder.graph.tensors import Tensors

Tell = Callable[[str], None]
# Batches that `separable` takes its inputs from.
LOOKED_AT = 16


@dataclass(frozen=True, kw_only=True)
class Task:
    """`files` are training pictures, `evaluation` samples with what the trained network gave for them; `state` keeps what is done,
    `folder` is that of builder.toml."""

    model: Model
    section: CompressSection
    folder: Path
    files: Sequence[Path]
    evaluation: Sequence[Path]
    references: Sequence[Tensors]
    state: Path
    tell: Tell


def run(task: Task) -> tuple[tuple[ExportedProgram, StageReport], ...]:
    """Every stage's network and report. Raises ConfigError, ConversionError, VerificationError."""
    import torch

    know_operators()
    torch.set_num_threads(count_threads())
    _require_trainable(task.model)
    deadline = time.monotonic() + task.section.time_s
    results: list[tuple[ExportedProgram, StageReport]] = []
    program, point = task.model.program, None
    for number, stage in enumerate(task.section.stages):
        kept = task.state / f"{number}-{stage}"
        program_file, report_file = kept.with_suffix(".pt2"), kept.with_suffix(".json")
        if report_file.is_file():
            program = torch.export.load(program_file)
            report = StageReport.model_validate_json(report_file.read_text(encoding="utf-8"))
        else:
            task.tell(f"{stage}: begin")
            program, report = _stage(task, stage, program, point, kept.with_suffix(".state"), deadline)
            task.state.mkdir(parents=True, exist_ok=True)
            # The report last, and both whole: a process may be killed between any two lines.
            whole = program_file.with_name(f".{program_file.name}")
            torch.export.save(program, whole)
            os.replace(whole, program_file)
            replace_text(report_file, report.model_dump_json(indent=1))
        point = report.after
        results.append((program, report))
    return tuple(results)


def _stage(
    task: Task, stage: StageName, program: ExportedProgram, before: Point | None, state: Path, deadline: float
) -> tuple[ExportedProgram, StageReport]:
    started = time.monotonic()
    before = before or measure_point(task, program)
    done, share, stayed = Done(steps=0, seconds=0.0, losses=()), None, dict[str, str]()
    cut: tuple[Cut, ...] = ()
    replaced = dict[str, float]()
    if stage == "separable":
        made = separate(program, _list_batches(task, program), _fits(task) if task.section.limited else None)
        program, replaced, stayed = made.program, made.replaced, made.stayed
        if task.section.limited and "prune" not in task.section.stages:
            require(program, _fits(task))
    elif stage == "prune":
        result = prune(program, _fits(task), multiple=task.section.multiple)
        program, share, stayed = result.program, round(result.share, 4), result.stayed
        cut = tuple(Cut(layer=name, before=old, after=new) for name, (old, new) in result.widths.items())
    elif stage == "distill":
        program, done = _distil(task, program, state, deadline)
    else:
        program, done = _train_rounded(task, program, state, deadline)
    after = measure_point(task, program)
    seconds = round(time.monotonic() - started, 1)
    report = StageReport(
        stage=stage, before=before, after=after, seconds=seconds, steps=done.steps, losses=done.losses, cut=cut, share=share, stayed=stayed,
        replaced=replaced,
    )  # fmt: skip
    return program, report


def _fits(task: Task) -> Callable[[int, int], bool]:
    budget, program = task.section.budget, task.model.program
    most_parameters = (budget.max_parameters or 1.0) * count_parameters(program)
    most_macs = (budget.max_macs or 1.0) * count_macs(task.model.layers)
    return lambda count, work: count <= most_parameters and work <= most_macs


def _list_batches(task: Task, program: ExportedProgram) -> Iterator[torch.Tensor]:
    """Batches that the layers of a network are looked at with."""
    module: Any = program.module(check_guards=False)
    without_checks(module)
    batches, together = _batches(task, module)
    for number in range(LOOKED_AT):
        (batch,) = batches(number)
        yield from [batch] if together else split_batch(batch)


def _distil(task: Task, program: ExportedProgram, state: Path, deadline: float) -> tuple[ExportedProgram, Done]:
    import torch

    from builder.graph.equality import make_random_inputs

    module = make_trainable(program)
    student = _Student(module=module, groups=[([p for p in module.parameters() if p.requires_grad], 1.0)])
    done = _train(task, "distill", student, state, deadline)
    with torch.no_grad():
        return torch.export.export(module, make_random_inputs(program)), done


def _train_rounded(task: Task, program: ExportedProgram, state: Path, deadline: float) -> tuple[ExportedProgram, Done]:
    from builder.compression.qat import Rounded
    from builder.precision.equalize import equalize

    weights = [layer.weight for layer in list_layers(program).layers]
    rounded = Rounded(equalize(program), weights, between=True)
    batches, together = _batches(task, rounded.module)

    def parts(number: int) -> list[torch.Tensor]:
        (batch,) = batches(number)
        return [batch] if together else split_batch(batch)

    rounded.calibrate(parts)
    student = _Student(module=rounded.module, groups=rounded.groups, tidy=rounded.tidy)
    done = _train(task, "qat", student, state, deadline)
    return rounded.finish(), done


@dataclass(frozen=True, kw_only=True)
class _Student:
    """What is trained; `groups` and `tidy` as a Lesson has them."""

    module: Any
    groups: Sequence[tuple[list[Any], float]]
    tidy: Callable[[], None] = lambda: None


def _train(task: Task, stage: str, student: _Student, state: Path, deadline: float) -> Done:
    section = task.section
    batches, together = _batches(task, student.module)
    teacher: Any = task.model.program.module(check_guards=False)
    without_checks(teacher)
    lesson = Lesson(
        stage=stage,
        student=student.module,
        teacher=teacher,
        groups=student.groups,
        objective=_objective(task),
        batches=batches,
        tidy=student.tidy,
        parts=1 if together else section.batch,
    )
    settings = Settings(
        steps=section.steps,
        batch=section.batch,
        crop=section.crop,
        learning_rate=section.learning_rate,
        seed=section.seed,
        save_every_s=section.save_every_s,
    )
    return train(lesson, settings, state, task.tell, deadline)


def _objective(task: Task) -> Objective | OwnLoss:
    loss = task.section.loss
    if isinstance(loss, str):
        found = find_own_callable(task.folder, loss, what="the loss", key="loss")
        return OwnLoss(found, loss, task.folder)
    return Objective(task.model.outputs, Weights(**loss.model_dump()))


def _batches(task: Task, student: Any) -> tuple[Batches, bool]:
    """Crops and whole batches where the networks take them, else pictures of the input's own size one at a time."""
    section, spec = task.section, task.model.inputs[0]
    teacher: Any = task.model.program.module(check_guards=False)
    without_checks(teacher)
    height, width = spec.shape[2:]
    crop = (min(section.crop, height), min(section.crop, width))
    for size, count in ((crop, section.batch), (crop, 1), ((height, width), section.batch), ((height, width), 1)):
        shape = (count, 3, *size)
        if all(takes(module, shape, spec.shape) for module in (teacher, student)):
            break
    together = count == section.batch
    drawn_every = 0 if len(task.files) >= MANY else 2
    chosen = Selection(files=task.files, size=size, batch=section.batch, seed=section.seed, drawn_every=drawn_every)
    return Batches(spec, chosen), together


def _require_trainable(model: Model) -> None:
    """Raises ConfigError for what this loop does not train."""
    if len(model.inputs) != 1 or model.inputs[0].kind != "image":
        names = ", ".join(f"{spec.name} ({spec.kind})" for spec in model.inputs)
        raise ConfigError(
            f"'builder compress' trains networks whose only input is a picture, and this one takes {names}."
        )
    if model.layers.trained:
        raise ConfigError(
            "the checkpoint was trained for integers already; name the checkpoint of floats as 'source' and compress that."
        )
    if not model.layers.layers:
        raise ConfigError("the network has no layers with weights, so there is nothing to compress.")


def measure_point(task: Task, program: ExportedProgram) -> Point:
    """Size and quality of a network, as torch computes it."""
    import torch

    module: Any = program.module(check_guards=False)
    meter = QualityMeter(outputs=task.model.outputs)
    for path, wanted in zip(task.evaluation, task.references, strict=True):
        sample = read_sample(path, task.model.inputs)
        with torch.no_grad():
            raw = module(*(torch.from_numpy(sample[spec.name]) for spec in task.model.inputs))
        values = in_list(raw)
        meter.add({s.name: v.numpy() for s, v in zip(task.model.outputs, values, strict=True)}, wanted)
    quality = meter.result("torch")
    worst, mean = quality.psnr_db_worst, quality.psnr_db_mean
    assert worst is not None
    assert mean is not None  # it measured
    floats = without_quantizers(program)
    return Point(
        parameters=count_parameters(floats),
        macs=count_macs(list_layers(floats)),
        psnr_db=worst,
        psnr_db_mean=mean,
    )
