"""What all plans of a source share, made once and kept by content: the rewritten program, an fp32 file, what was observed.

So a changed plan of a backend that starts from the fp32 file is quantized, read back, run and judged without torch and without the
converter.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from builder.backends import BACKENDS
from builder.backends.base import Lowered
from builder.bundle import Legalization
from builder.errors import ConversionError
from builder.graph.culprit import name_culprit
from builder.graph.kept import KeptModel, keep
from builder.graph.model import Model
from builder.graph.samples import read_samples
from builder.legalize.for_variant import legalize_model, mark
from builder.precision.equalize import equalize
from builder.precision.plan import Choice, ResolvedPlan
from builder.precision.ranges import Observed, load_observed, save_observed
from builder.precision.scheme import parse_scheme
from builder.storage.cache import find_whole, keep_entry
from builder.workers.jobs.folder import load_source, read_source, remove, stage
from builder.workers.messages import PROGRAM, AboutFloats, VariantJob

if TYPE_CHECKING:
    from builder.backends.base import Backend, FloatFile
    from builder.backends.options import OtherConverter
    from builder.graph.tensors import Tensors

REWRITES, OBSERVED, FILE, ABOUT = "rewrites.json", "observed.npz", "float", "about.json"
# Of an fp32 file by a converter that is not trusted.
PARITY_DB, PARITY_SAMPLES = 60.0, 2
_ROWS = TypeAdapter(tuple[Legalization, ...])

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Floats:
    """The fp32 file of a source: its bytes, how it maps to the model, and the model as far as files are compared with it."""

    content: bytes
    lowered: Lowered
    legalized: tuple[Legalization, ...]
    model: KeptModel


def rewrite_source(job: VariantJob) -> tuple[Model, tuple[Legalization, ...]]:
    """The source with the rewrites of its delegate, and what they did. Raises VerificationError."""

    def make(work: Path) -> None:
        import torch

        model, rows = legalize_model(load_source(job.source)[0], job.rewrites, job.evaluation, job.required)
        if rows:
            torch.export.save(model.program, work / PROGRAM)
        (work / REWRITES).write_bytes(_ROWS.dump_json(rows))

    folder, _ = keep_entry("legalized", job.keys.legalized, make)
    rows = _ROWS.validate_json((folder / REWRITES).read_bytes())
    if not rows:
        return mark(load_source(job.source)[0]), rows
    return load_source(job.source, folder / PROGRAM)[0], rows


def make_float_file(job: VariantJob, route: FloatFile, folder: Path) -> Floats:
    """The fp32 file; workers wait for one another here. Raises ConversionError, VerificationError."""
    stage(folder, "wait for the fp32 file of another variant")
    place, _ = keep_entry("float", job.keys.floats, partial(_make_float_file, job, route, folder))
    about = AboutFloats.model_validate_json((place / ABOUT).read_text(encoding="utf-8"))
    source = read_source(job.source)
    model = KeptModel(
        place,
        inputs=source.inputs,
        outputs=source.outputs,
        layers=source.layers,
        load=lambda: _for_floats(job)[0].program,
    )
    content = (place / FILE).read_bytes()
    return Floats(content=content, lowered=about.lowered, legalized=about.legalized, model=model)


def has_float_file(job: VariantJob) -> bool:
    """Whether the job needs neither torch nor a converter."""
    return BACKENDS[job.backend].describe_float_file() is not None and find_whole("float", job.keys.floats) is not None


def _for_floats(job: VariantJob) -> tuple[Model, tuple[Legalization, ...]]:
    model, rows = rewrite_source(job)
    if job.plan.plan.calibration.equalize:
        model = replace(model, program=equalize(model.program))
    return model, rows


def _make_float_file(job: VariantJob, route: FloatFile, folder: Path, work: Path) -> None:
    stage(folder, "legalize")
    model, rows = _for_floats(job)
    stage(folder, "convert to fp32")
    with name_culprit_of(job, model, folder):
        content, lowered = route.convert(model, job.options)
    if (other := job.options.find_other_converter()) is not None:
        samples = read_samples(job.evaluation[:PARITY_SAMPLES], model.inputs)
        require_parity(content, lowered, model, samples, other, BACKENDS[job.backend])
    keep(model, work)
    (work / FILE).write_bytes(content)
    about = AboutFloats(lowered=lowered, legalized=rows)
    (work / ABOUT).write_text(about.model_dump_json(indent=1), encoding="utf-8")


@contextmanager
def name_culprit_of(job: VariantJob, model: Model, folder: Path) -> Iterator[None]:
    """A converter's error names the operator that it refuses even alone, where there is one."""
    try:
        yield
    except ConversionError as error:
        if job.options.find_other_converter() is not None:
            raise  # the operator is looked for with the usual one
        stage(folder, "look for the operator that does not convert")
        from_floats = BACKENDS[job.backend].describe_float_file() is not None
        floats = from_floats or all(choice.scheme.name == "fp32" for choice in job.plan.plan.choices.values())
        culprit = name_culprit(model.program, lambda alone: lower_alone(job, alone, folder), str(error), floats=floats)
        if culprit is None:
            raise
        raise ConversionError(f"{str(error).rstrip('.')}: {culprit}.") from error


def lower_alone(job: VariantJob, model: Model, folder: Path) -> None:
    """A network of one operator in floats, by the same converter. Raises ConversionError."""
    backend = BACKENDS[job.backend]
    choices = {layer: Choice(scheme=parse_scheme("fp32", where="plan"), rule=-1) for layer in model.layers.names()}
    out = folder / f"alone{backend.SPEC.suffix}"
    try:
        backend.lower(model, ResolvedPlan(rules=(), choices=choices, fallback=None), job.delegate, dict, out)
    finally:
        remove(out)


def require_parity(
    content: bytes,
    lowered: Lowered,
    model: Model,
    samples: Iterable[Tensors],
    converter: OtherConverter,
    backend: Backend,
) -> None:
    """Raises ConversionError where the fp32 file of a converter that is not trusted differs from the source model.

    It is looked at before a plan makes integers of it, behind which an error could hide.
    """
    from builder.quality.parity import agree, make_torch_run

    source = make_torch_run(model.program.module(), model.inputs, model.outputs)
    with tempfile.NamedTemporaryFile(suffix=backend.SPEC.suffix) as file:
        Path(file.name).write_bytes(content)
        run = backend.runner(Path(file.name), lowered.inputs, lowered.outputs, 1)
        for sample in samples:
            agreement = agree(run(sample), source(sample), model.outputs)
            if not agreement >= PARITY_DB:
                raise ConversionError(
                    f"{converter.name} made something else of the model: its fp32 file agrees to {agreement:.1f} dB with it, {PARITY_DB:g} dB "
                    f"are needed; remove {converter.key!r} from the variant to use {converter.usual}."
                )


def observe_once(
    job: VariantJob, model: Model, observe: Callable[[Iterator[Tensors]], Observed], tell: Tell
) -> Observed:
    """What calibration sees, from an earlier job where one has seen the same. Workers wait for one another here."""
    tell("wait for the calibration of another variant")
    folder, _ = keep_entry(
        "observed",
        job.keys.observed,
        lambda work: save_observed(observe(count_samples(job, model, tell)), work / OBSERVED),
    )
    tell("lower")
    return load_observed(folder / OBSERVED)


def count_samples(job: VariantJob, model: Model, tell: Tell) -> Iterator[Tensors]:
    """The calibration samples one at a time, telling how far it is."""
    for number, sample in enumerate(read_samples(job.calibration, model.inputs)):
        tell(f"calibrate {number + 1}/{len(job.calibration)}")
        yield sample
