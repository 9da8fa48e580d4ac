"""From the results of the steps to a bundle directory: artifacts, goldens, plans, manifest. Same inputs, same bytes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from builder.backends import BACKENDS
from builder.bundle import (
    MANIFEST,
    SCHEMA,
    Bundle,
    FailedVariant,
    FileHash,
    Golden,
    GoldenOutputs,
    GoldenTensor,
    Manifest,
    ModelInfo,
    Tool,
    Variant,
    count_tree_bytes,
    hash_file,
    hash_tree,
    list_tree,
)
from builder.precision.plan import PlanFile
from builder.precision.scheme import SCHEMES
from builder.project.project import Project
from builder.project.source_kinds import IMPORT_PACKAGES, find_source_kind
from builder.quality.steadiness import compute_floor_db
from builder.sources import find_environment
from builder.steps.source import SourceStep
from builder.steps.variant import VariantStep
from builder.storage.cache import keep_entry, make_content_key, read_versions
from builder.storage.output import copy_into

# Least agreement of a device with a golden, in dB. Kernels of other versions round int8 otherwise: LiteRT 2.3 and TFLite
# 2.14 agree to 34 dB on tiny_style's dynamic int8, floats to 88 and more; 8-bit pictures limit all to about 59. Swapped
# colours, a broken delegate or wrong weights give less than 20.
GOLDEN_MIN_PSNR_DB = {"float": 40.0, "quantized": 28.0}
# Twice the error: another GPU's fp16 errs as much as this one's, elsewhere.
HALF_SLACK_DB = 6.0


def assemble_bundle(
    project: Project,
    source: SourceStep,
    variants: Sequence[VariantStep],
    sources: Sequence[SourceStep],
    failures: tuple[FailedVariant, ...] = (),
) -> Bundle:
    """The bundle of these variants, each made from the source of its size in `sources`; `source` is the input's own. Kept in the cache and opened from there (so its hashes are checked)."""
    key = make_content_key(
        {
            "model": project.config.model.model_dump(mode="json"),
            "source": source.key,
            "variants": [
                [step.section.model_dump(mode="json"), step.key, project.plan(step.section)[0].model_dump(mode="json")]
                for step in variants
            ],
            "failures": [failure.model_dump(mode="json") for failure in failures],
        }
    )

    def make(work: Path) -> None:
        write_bundle(project, source, variants, sources, work, failures)

    folder, _ = keep_entry("bundle", key, make, forget=project.fresh.first("bundle", key))
    return Bundle.open(folder)


def write_bundle(
    project: Project,
    source: SourceStep,
    variants: Sequence[VariantStep],
    sources: Sequence[SourceStep],
    root: Path,
    failures: tuple[FailedVariant, ...] = (),
) -> Bundle:
    """Fill the empty directory `root`."""
    described = tuple(_variant(step, root) for step in variants)
    (root / "golden").mkdir()
    goldens = tuple(golden for made in _distinct(sources) for golden in _goldens(made, variants, sources, root))
    (root / "plan.toml").write_text(_plans(project, variants), encoding="utf-8")
    manifest = Manifest(
        schema_=SCHEMA,
        model=ModelInfo(
            name=project.config.model.name,
            version=project.config.model.version,
            licence=project.config.model.licence,
            checkpoint_sha256=source.result.weights_sha256 or project.checkpoint_sha256,
            imported=source.result.imported,
            frozen_norms=source.result.frozen_norms,
        ),
        inputs=source.result.inputs,
        outputs=source.result.outputs,
        variants=described,
        goldens=goldens,
        files=tuple(FileHash(file=p.relative_to(root).as_posix(), sha256=hash_file(p)) for p in list_tree(root)),
        tools=_tools(project, variants),
        licences=(project.config.model.licence,),
        failures=failures,
    )
    (root / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    return Bundle(root, manifest)


def _tools(project: Project, variants: Sequence[VariantStep]) -> tuple[Tool, ...]:
    """What decided the bytes: packages of this environment, and those that an environment of its own is made of."""
    packages = {"torch", "numpy", "edgebundle", *IMPORT_PACKAGES.get(find_source_kind(project.config.model.source), ())}
    packages.update(name for step in variants for name in BACKENDS[step.section.backend].SPEC.packages)
    version_of = read_versions(tuple(packages))
    isolated = [find_environment(project.config, project.folder)]
    others = [step.section.options.find_other_converter() for step in variants]
    isolated += [other.environment for other in others if other is not None]
    for environment in isolated:
        if environment is not None:
            name, _, version = environment.packages[0].partition("==")
            version_of[name] = version
    return tuple(Tool(name=name, version=version_of[name]) for name in sorted(version_of))


def _variant(step: VariantStep, root: Path) -> Variant:
    suffix = BACKENDS[step.section.backend].SPEC.suffix
    target = root / "variants" / f"{step.section.name}{suffix}"
    target.parent.mkdir(exist_ok=True)
    copy_into(step.folder / step.result.artifact, target)
    return Variant(
        id=step.section.name,
        backend=step.section.backend,
        delegate=step.section.delegate,
        file=target.relative_to(root).as_posix(),
        bytes=count_tree_bytes(target),
        sha256=hash_tree(target),
        **{name: getattr(step.result, name) for name in VARIANT_FIELDS},
    )


VARIANT_FIELDS = (
    "inputs",
    "outputs",
    "layers",
    "quality",
    "coverage",
    "predicted",
    "minimum_runtime",
    "predicted_peak_memory_bytes",
    "legalized",
    "tiling",
    "unproven",
)


def _distinct(sources: Sequence[SourceStep]) -> list[SourceStep]:
    """Each source once, in order of first use."""
    return list({made.key: made for made in sources}.values())


def _goldens(
    source: SourceStep, variants: Sequence[VariantStep], sources: Sequence[SourceStep], root: Path
) -> tuple[Golden, ...]:
    """The goldens of one size, with what the variants of that size give for them."""
    goldens = []
    mine = [step for step, made in zip(variants, sources, strict=True) if made.key == source.key]
    size = mine[0].section.size
    suffix = f"-{size}" if size else ""
    for number, (inputs, reference) in enumerate(
        zip(source.result.golden_inputs, source.result.golden_references, strict=True)
    ):
        expected = []
        for step in mine:
            outputs = step.result.golden_outputs[number]
            renamed = tuple(
                _copy_golden(step.folder, root, tensor, f"{number}.{step.section.name}") for tensor in outputs
            )
            floats = all(SCHEMES[layer.realised].mode == "float" for layer in step.result.layers)
            kind = "float" if floats else "quantized"
            least = compute_floor_db(GOLDEN_MIN_PSNR_DB[kind], source.result.noise_db, "fp16" if floats else "int8")
            delegate = BACKENDS[step.section.backend].SPEC.delegate(step.section.delegate)
            worst = step.result.quality.psnr_db_worst
            if (
                delegate.computes_in_half and worst is not None
            ):  # another GPU's fp16 errs as much as this one's, elsewhere
                least = min(least, round(worst - HALF_SLACK_DB, 1))
            expected.append(GoldenOutputs(variant=step.section.name, tensors=renamed, min_psnr_db=least))
        goldens.append(
            Golden(
                id=f"{number}{suffix}",
                inputs=tuple(_copy_golden(source.folder, root, tensor, f"{number}{suffix}.input") for tensor in inputs),
                reference=tuple(
                    _copy_golden(source.folder, root, tensor, f"{number}{suffix}.reference") for tensor in reference
                ),
                expected=tuple(expected),
            )
        )
    return tuple(goldens)


def _copy_golden(folder: Path, root: Path, tensor: GoldenTensor, prefix: str) -> GoldenTensor:
    file = f"golden/{prefix}.{tensor.name}.{tensor.encoding}"
    shutil.copyfile(folder / tensor.file, root / file)
    return tensor.model_copy(update={"file": file})


def _plans(project: Project, variants: Sequence[VariantStep]) -> str:
    """The plan of every variant as it was written, for people: one [[variant]] with its rules each."""
    lines = [
        "# The precision plan of every variant of this bundle, as requested; manifest.json has what was realised.",
        "",
    ]
    for step in variants:
        plan: PlanFile = project.plan(step.section)[0]
        lines += [
            "[[variant]]",
            f"id = {json.dumps(step.section.name)}",
            f"on_unsupported = {json.dumps(plan.on_unsupported)}",
        ]
        for rule in plan.rule:
            keys = rule.model_dump(exclude_none=True)
            lines += ["[[variant.rule]]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
        for stated in plan.range:
            keys = stated.model_dump()
            lines += ["[[variant.range]]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
        lines.append("")
    return "\n".join(lines)
