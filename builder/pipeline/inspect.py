"""`builder inspect`: what a model, an artifact, a bundle or a package holds, read from the file itself."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from builder.backends import BACKENDS
from builder.backends.base import StoredLayer
from builder.bundle import Coverage, Manifest, count_tree_bytes, list_bundles, open_bundle
from builder.bundle.archive import is_bundle
from builder.errors import InputError
from builder.precision.layers import Layer
from builder.project.project import open_project
from builder.project.source_kinds import MODEL_FILES
from builder.steps.listener import Listener
from builder.steps.source import export_source
from builder.targets import TARGETS
from builder.targets.base import Finding, Target
from builder.workers.messages import PROGRAM


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was found.

    `layers` (norms and products too) for a model; `stored`, `coverage` and `predicted` for an artifact; `manifest` for a bundle or package;
    `findings` of the audit for a package.
    """

    kind: Literal["model", "artifact", "bundle", "package"]
    path: str
    bytes: int
    layers: tuple[Layer, ...] = ()
    backend: str | None = None
    stored: tuple[StoredLayer, ...] = ()
    coverage: Coverage | None = None
    predicted: tuple[Coverage, ...] = ()
    manifest: Manifest | None = None
    findings: tuple[Finding, ...] = ()


def inspect_path(path: Path, listener: Listener) -> Inspection:
    """Raises InputError for what is none of ours, and the errors of the kind it is."""
    if not path.exists():
        raise InputError(f"{path} does not exist; give a builder.toml, a model, an artifact, a bundle or a package.")
    backend = next((name for name, module in BACKENDS.items() if path.suffix == module.SPEC.suffix), None)
    if backend is not None:
        return _artifact(path, backend)
    if path.suffix == ".pt2":
        return Inspection(kind="model", path=str(path), bytes=path.stat().st_size, layers=_read_pt2_layers(path))
    if path.suffix in MODEL_FILES:
        raise InputError(
            f"the layers of {path} follow from its input shapes, which a builder.toml states; run: builder init {shlex.quote(str(path))}, "
            "then inspect that file."
        )
    target = next((target for target in TARGETS.values() if path.suffix in target.AUDITED), None)
    if path.is_file() and target is not None:
        return _package(path, target)
    if is_bundle(path):
        with open_bundle(path) as bundle:
            return Inspection(kind="bundle", path=str(path), bytes=count_tree_bytes(path), manifest=bundle.manifest)
    project = open_project(path)
    source = export_source(project, listener)
    named = project.config.model.weights
    weights = project.folder / named if named is not None else source.folder / PROGRAM
    return Inspection(kind="model", path=str(path), bytes=weights.stat().st_size, layers=source.result.layers.all_rows)


def _artifact(path: Path, name: str) -> Inspection:
    backend = BACKENDS[name]
    usual = backend.SPEC.delegates[0].name
    coverage = backend.coverage(path, usual)
    return Inspection(
        kind="artifact",
        path=str(path),
        bytes=count_tree_bytes(path),
        backend=name,
        stored=backend.read_stored_layers(path),
        coverage=coverage,
        predicted=backend.predict_coverage(path, usual),
    )


def _package(path: Path, target: Target) -> Inspection:
    """A package with one bundle shows it; one with several, and the SDK as a library, is what its audit says."""
    findings = target.audit_package(path)
    manifest = None
    if len(list_bundles(path)) == 1 or any(finding.code == "bundle" for finding in findings):
        with open_bundle(path) as bundle:
            manifest = bundle.manifest
    return Inspection(kind="package", path=str(path), bytes=path.stat().st_size, manifest=manifest, findings=findings)


def _read_pt2_layers(path: Path) -> tuple[Layer, ...]:
    import torch

    from builder.precision.layers import list_layers
    from builder.precision.quantizers import know_operators
    from builder.sources.batch_norm import fold_batch_norms
    from builder.sources.exported import refuse_code
    from builder.sources.quantized import unify_quantizers

    refuse_code(path)
    know_operators()
    return list_layers(fold_batch_norms(unify_quantizers(torch.export.load(path)))).all_rows
