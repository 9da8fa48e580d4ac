"""Pictures to look at: `builder run` makes them of photographs of the user's, `builder convert` of the evaluation data."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from builder.backends import find_backend
from builder.bundle import Bundle, TensorSpec, Variant, open_bundle
from builder.bundle.tensors import list_specs, read_picture
from builder.errors import InputError, OutputError, VerificationError
from builder.pipeline.gallery import MARK, Made, Sample, make_cells, render_page
from builder.project.config import LimitsSection
from builder.project.project import Project, open_project
from builder.project.sizes import of_size
from builder.quality.difference import encode_png
from builder.steps.listener import Listener
from builder.steps.source import SourceStep, export_source
from builder.steps.variant import VariantStep
from builder.storage.cache import replace_text
from builder.storage.output import check_output, replacing
from builder.workers.messages import PicturesJob, PicturesResult
from builder.workers.supervisor import run_job

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors

PAGE = "page.html"
# Of a page, in which its mark stands.
HEAD_BYTES = 1000


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture that was written; `psnr_db` against the reference, None where it is the reference."""

    picture: str
    variant: str
    output: str
    file: Path
    psnr_db: float | None


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """`reference`: what the pictures are compared with."""

    reference: str
    page: Path
    shots: tuple[Shot, ...]


def run_pictures(
    source: Path, pictures: Sequence[Path], *, out: Path, config: Path | None = None, listener: Listener
) -> RunResult:
    """Every variant of a bundle on photographs (or .npz samples), as files and as a page in the directory `out`.

    They are compared with the source model of `config`; without one, with the variant that agrees best with it.
    Variants that nothing here can execute are left out. Raises InputError, BundleError, DataError, OutputError, ConversionError, and
    VerificationError where none is left.
    """
    missing = next((path for path in pictures if not path.is_file()), None)
    if missing is not None or not pictures:
        raise InputError(f"{missing} does not exist; name photographs, or .npz files with one array an input.")
    check_output(out, "pictures")
    with open_bundle(source) as bundle, tempfile.TemporaryDirectory(prefix="edgebundle-run-") as scratch:
        project = None if config is None else open_project(config)
        groups: dict[tuple[tuple[int, ...], ...], list[Variant]] = {}
        for variant in (variant for variant in bundle.manifest.variants if variant.quality.images):
            find_backend(variant.backend, variant=variant.id)  # there is one
            groups.setdefault(
                tuple(spec.shape for spec in list_specs(bundle.manifest.inputs, variant.inputs)), []
            ).append(variant)
        if not groups:
            why = "; ".join(f"{variant.id!r}: {variant.unproven}" for variant in bundle.manifest.variants)
            raise VerificationError(f"nothing here can execute a variant of this bundle ({why}).")
        work_list: list[tuple[Sample, tuple[TensorSpec, ...]]] = []
        name = ""
        for number, variants in enumerate(groups.values()):
            place = Path(scratch) / str(number)
            name, samples, outputs = _group(bundle, variants, project, tuple(pictures), place, listener)
            work_list += [(sample, outputs) for sample in samples]
        about = f"Every variant of {bundle.manifest.model.name}, compared with {name}. A click shows a picture at its full size."
        with replacing(out, "pictures") as work:
            shots = [shot for sample, outputs in work_list for shot in _write_shots(sample, outputs, work, out)]
            text = render_page(bundle.manifest.model.name, about, [sample for sample, _ in work_list], work_list[0][1])
            (work / PAGE).write_text(text, encoding="utf-8")
    return RunResult(reference=name, page=out / PAGE, shots=tuple(shots))


def _group(
    bundle: Bundle,
    variants: Sequence[Variant],
    project: Project | None,
    pictures: tuple[Path, ...],
    scratch: Path,
    listener: Listener,
) -> tuple[str, list[Sample], tuple[TensorSpec, ...]]:
    """The variants of one picture size: the reference's name, the samples, the outputs of that size."""
    inputs, outputs = (
        list_specs(specs, bindings)
        for specs, bindings in (
            (bundle.manifest.inputs, variants[0].inputs),
            (bundle.manifest.outputs, variants[0].outputs),
        )
    )

    def run(root: Path, variant: Variant | None) -> tuple[str, list[Tensors]]:
        folder = scratch / (variant.id if variant else "source")
        folder.mkdir(parents=True)
        what = f"variant {variant.id!r}" if variant else "the source model's pictures"
        job = PicturesJob(
            root=root.absolute(),
            variant=variant,
            samples=tuple(p.absolute() for p in pictures),
            inputs=inputs,
            outputs=outputs,
        )
        text = run_job(
            job, folder, what=what, limits=LimitsSection(), on_stage=lambda stage: listener.stage(what, stage)
        )
        listener.finish(what, cached=False)
        return PicturesResult.model_validate_json(text).runtime, [
            _outputs(folder / f"{n:04d}.npz") for n in range(len(pictures))
        ]

    given = {variant.id: run(bundle.root, variant) for variant in variants}
    if project is None:
        best = max(variants, key=lambda variant: variant.quality.psnr_db_worst or 0.0).id
        name, reference = f"variant {best!r}, which agrees best with the source model", (best, *given[best])
    else:
        own = inputs[0].shape == project.config.input[0].shape
        source = export_source(project if own else of_size(project, inputs[0].shape[-1]), listener)
        name, reference = "the source model", ("the source model", *run(source.folder, None))
    samples = []
    names = _names(pictures)
    for number, path in enumerate(pictures):
        made = [
            Made(
                name=variant.id,
                about=f"{variant.bytes:,} B, {given[variant.id][0]}",
                outputs=given[variant.id][1][number],
            )
            for variant in variants
            if variant.id != reference[0]
        ]
        first = Made(name=reference[0], about=reference[1], outputs=reference[2][number])
        samples.append(Sample(name=names[number], picture=_photograph(path, inputs), reference=first, made=tuple(made)))
    return name, samples, outputs


def _write_shots(sample: Sample, outputs: Sequence[TensorSpec], work: Path, out: Path) -> list[Shot]:
    several = sum(spec.kind == "image" for spec in outputs) > 1
    shots = []
    for cell in make_cells(sample, outputs):
        stem = f"{sample.name}.{cell.name.replace(' ', '-')}" + (f".{cell.output}" if several else "")
        (work / f"{stem}.png").write_bytes(encode_png(cell.pixels))
        if cell.difference is not None:
            (work / f"{stem}.difference.png").write_bytes(encode_png(cell.difference))
        psnr = None if cell.psnr_db is None else round(cell.psnr_db, 2)
        shots.append(
            Shot(picture=sample.name, variant=cell.name, output=cell.output, file=out / f"{stem}.png", psnr_db=psnr)
        )
    return shots


def place_page(out: Path) -> Path:
    """Where `convert` leaves the page of a bundle. Raises OutputError when a file is there that is no such page."""
    whole = out.absolute()
    file = whole.with_name(f"{whole.name}.html")
    if file.exists() and not (file.is_file() and MARK.encode() in file.read_bytes()[:HEAD_BYTES]):
        raise OutputError(f"{file} exists and is no page of pictures; choose another -o or move it away.")
    return file


def make_evaluation_page(
    project: Project, variants: Sequence[VariantStep], sources: Sequence[SourceStep]
) -> str | None:
    """What the variants made of the first evaluation samples and of the worst; None where the samples are too large to show."""
    made_by: dict[tuple[str, int], list[tuple[VariantStep, SourceStep]]] = {}
    for step, source in zip(variants, sources, strict=True):
        for number in step.result.shown:
            made_by.setdefault((source.key, number), []).append((step, source))
    samples = []
    for (_, number), steps in sorted(made_by.items(), key=lambda item: item[0][1]):
        source, path = steps[0][1], project.data.evaluation[number].path
        reference = Made(
            name="the source model", about="", outputs=_outputs(source.folder / "reference" / f"{number:04d}.npz")
        )
        made = tuple(
            Made(
                name=step.section.name,
                about=_about(step),
                outputs=_outputs(step.folder / "pictures" / f"{number:04d}.npz"),
            )
            for step, _ in steps
        )
        samples.append(
            Sample(name=path.name, picture=_photograph(path, source.result.inputs), reference=reference, made=made)
        )
    if not samples:
        return None
    about = (
        f"The first {_count(samples)} evaluation samples and each variant's worst, as the exported files give them, beside the source model. "
        "A click shows a picture at its full size."
    )
    return render_page(project.config.model.name, about, samples, sources[0].result.outputs)


def _count(samples: Sequence[Sample]) -> str:
    return str(min(len(samples), 2))


def _about(step: VariantStep) -> str:
    quality = step.result.quality
    return f"worst of all {quality.images}: {quality.worst_text} dB"


def write_page(file: Path, text: str | None) -> None:
    """The page whole; where there is nothing to show, that of an earlier bundle goes."""
    if text is None:
        file.unlink(missing_ok=True)
        return
    replace_text(file, text)
    file.chmod(0o644)


def _photograph(path: Path, inputs: Sequence[TensorSpec]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None:
    if path.suffix == ".npz" or len(inputs) != 1 or inputs[0].kind != "image":
        return None
    return read_picture(path, inputs[0])


def _outputs(file: Path) -> Tensors:
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _names(pictures: Sequence[Path]) -> list[str]:
    """File names without suffix, numbered where two are alike."""
    stems = [path.stem for path in pictures]
    return [stem if stems.count(stem) == 1 else f"{stem}-{number}" for number, stem in enumerate(stems)]
