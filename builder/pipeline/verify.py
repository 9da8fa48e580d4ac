"""`builder verify`: hashes, then every variant on the goldens, against itself and the source model.

A variant runs in its own runtime, or, where a package for Android is given, by the very library inside it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from builder.backends import find_backend
from builder.bundle import Bundle, Golden, Variant, open_bundle, refuse_edited
from builder.bundle.show import render_table
from builder.bundle.tensors import find_logical_shape, list_specs
from builder.errors import InputError, VerificationError
from builder.graph.tiling import SEAM, Tiler
from builder.project.config import LimitsSection
from builder.steps.listener import Listener
from builder.targets.android.execute.findings import describe_failure
from builder.targets.android.execute.run import Execution, execute_package
from builder.workers.messages import VerifyJob, VerifyResult
from builder.workers.servers import warm
from builder.workers.supervisor import run_job


@dataclass(frozen=True, kw_only=True)
class Check:
    """One variant on one golden.

    `psnr_db` is against the stored output of this very artifact, `source_psnr_db` against the source model's, which packages do not
    carry. Both are limited to about 59 dB by the 8 bits of a golden picture. `worst_psnr_db` is what `convert` measured on all
    evaluation samples, against the source model's floats. The figures of a variant that nothing here can execute are None, and
    `remark` says why: its file was compared with its hash alone.

    `seam_error`: how much neighbouring tiles of a larger picture differ where apps mix them (docs/formats/tiling.md), relative to the
    output's range, where tiles are allowed; `tiles` says their size, overlap and predicted memory, or why they are not. `remark`: why a package's own library did
    not run it, or what was particular.
    """

    variant: str
    golden: str
    runtime: str
    psnr_db: float | None
    min_psnr_db: float
    source_psnr_db: float | None
    worst_psnr_db: float | None
    seam_error: float | None = None
    tiles: str = ""
    remark: str = ""

    @property
    def passed(self) -> bool:
        """Whether the golden was reached, or nothing here could tell."""
        return self.psnr_db is None or self.psnr_db >= self.min_psnr_db


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What `builder verify` found: one check for each variant and golden."""

    model: str
    bundle_sha256: str
    checks: tuple[Check, ...]

    def _repr_html_(self) -> str:
        """For notebooks."""
        columns = ("variant", "golden", "own golden dB", "8-bit source dB", "convert's worst dB", "run by")
        rows = [
            [c.variant, c.golden, *map(_decibels, (c.psnr_db, c.source_psnr_db, c.worst_psnr_db)), c.runtime]
            for c in self.checks
        ]
        return render_table(columns, rows)


def _decibels(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def verify_bundle(path: Path, listener: Listener) -> Verification:
    """Raises BundleError for a damaged bundle, VerificationError when a variant does not give its golden output."""
    with open_bundle(path) as bundle:
        refuse_edited(bundle.root)
        warm([find_backend(v.backend, variant=v.id).SPEC.running_server for v in bundle.manifest.variants])
        packaged = _by_package(path, bundle, listener)
        checks = tuple(
            _check(bundle, variant, golden, packaged.get((variant.id, golden.id)), listener)
            for variant in bundle.manifest.variants
            for golden in _goldens(bundle, variant)
        )
        failed = [check for check in checks if not check.passed]
        if failed:
            worst = failed[0]
            raise VerificationError(
                f"variant {worst.variant!r} agrees with its golden {worst.golden} to {worst.psnr_db} dB only, "
                f"{worst.min_psnr_db:g} dB is required, run by {worst.runtime}; rebuild the bundle with these tool versions."
            )
        for check in checks:
            if check.seam_error is not None and not check.seam_error <= SEAM:
                raise VerificationError(
                    f"variant {check.variant!r} makes tiles that differ at their seams by {check.seam_error:g} of the output's range, "
                    "more than 1/255; rebuild the bundle with these tool versions."
                )
        return Verification(model=bundle.manifest.model.name, bundle_sha256=bundle.sha256, checks=checks)


def _goldens(bundle: Bundle, variant: Variant) -> list[Golden]:
    """The goldens of the variant's picture size. Raises VerificationError where there is none."""
    goldens = [golden for golden in bundle.manifest.goldens if any(e.variant == variant.id for e in golden.expected)]
    if not goldens:
        raise VerificationError(f"no golden has an output for variant {variant.id!r}; rebuild the bundle.")
    return goldens


PACKAGES = (".apk", ".aab", ".aar")  # of Android


def _by_package(path: Path, bundle: Bundle, listener: Listener) -> dict[tuple[str, str], Execution]:
    """What the libraries inside a package did, by variant and golden. Raises VerificationError where they fail."""
    if path.suffix not in PACKAGES:
        return {}
    what = "the package's own libraries"
    listener.stage(what, "run")
    executions = execute_package(path, bundle)
    for found in executions:
        if not found.passed:
            raise VerificationError(f"{path.name} {describe_failure(found, bundle)}")
    listener.finish(what, cached=False)
    return {(found.variant, found.golden): found for found in executions}


def _check(bundle: Bundle, variant: Variant, golden: Golden, packaged: Execution | None, listener: Listener) -> Check:
    what = f"variant {variant.id!r}"
    expected = next(e for e in golden.expected if e.variant == variant.id)
    if packaged is not None and packaged.psnr_db is not None:
        return Check(
            variant=variant.id,
            golden=golden.id,
            runtime=packaged.runtime,
            psnr_db=packaged.psnr_db,
            min_psnr_db=expected.min_psnr_db,
            source_psnr_db=packaged.source_psnr_db,
            worst_psnr_db=variant.quality.psnr_db_worst,
            tiles=_tiles(variant),
            remark=packaged.remark,
        )
    with tempfile.TemporaryDirectory(prefix="edgebundle-verify-") as folder:
        job = VerifyJob(
            root=bundle.root.absolute(),
            variant=variant,
            golden=golden,
            inputs=list_specs(bundle.manifest.inputs, variant.inputs),
            outputs=list_specs(bundle.manifest.outputs, variant.outputs),
        )
        text = run_job(
            job, Path(folder), what=what, limits=LimitsSection(), on_stage=lambda stage: listener.stage(what, stage)
        )
    listener.finish(what, cached=False)
    result = VerifyResult.model_validate_json(text)
    unproven = packaged.unproven if packaged is not None else result.unproven
    return Check(
        variant=variant.id,
        golden=golden.id,
        runtime=result.runtime,
        psnr_db=result.psnr_db,
        min_psnr_db=expected.min_psnr_db,
        source_psnr_db=result.source_psnr_db,
        worst_psnr_db=variant.quality.psnr_db_worst,
        seam_error=result.seam_error,
        tiles=_tiles(variant),
        remark=f"unproven: {unproven}" if unproven else "",
    )


def _tiles(variant: Variant) -> str:
    if variant.tiling is None:
        return ""
    if not variant.tiling.allowed:
        return f"no: {variant.tiling.reason}"
    high, wide = find_logical_shape(variant.inputs[0])[2:]
    try:
        Tiler.of(high, wide, int(variant.tiling.scale or 1), variant.tiling)
    except InputError as error:
        return f"no: {error}"
    return f"{high} x {wide}, overlap {variant.tiling.overlap}, {variant.predicted_peak_memory_bytes / 1e6:.0f} MB each"
