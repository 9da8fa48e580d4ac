"""What a worker process is asked to do and what it gives back: the messages between the pipeline and `worker.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from builder.bundle import (
    Binding,
    Coverage,
    FileHash,
    FrozenNorms,
    Golden,
    GoldenTensor,
    LayerPrecision,
    Legalization,
    Quality,
    SourceAgreement,
    TensorSpec,
    Tiling,
    Variant,
)
from builder.precision.layers import LayerTable
from builder.precision.plan import Between, Rule
from builder.precision.ranges import CalibrationSettings
from builder.project.config import Config


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceJob(Message):
    """Load, check and export the source model; run it on the evaluation data. `calibration` is given where norms are frozen by it."""

    job: Literal["source"] = "source"
    config: Config
    folder: Path
    calibration: tuple[Path, ...] = ()
    evaluation: tuple[Path, ...]
    goldens: int


class SourceResult(Message):
    """Beside it: `program.pt2`, `reference/NNNN.npz` for each evaluation sample, `golden/` inputs and references."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layers: LayerTable
    golden_inputs: tuple[tuple[GoldenTensor, ...], ...]
    golden_references: tuple[tuple[GoldenTensor, ...], ...]
    tiling: Tiling
    imported: SourceAgreement | None = None
    frozen_norms: FrozenNorms | None = None


class PerceptualRequest(Message):
    """That perceptual similarity is wanted: by LPIPS with the weights of this file, or by the network that is installed."""

    lpips: Path | None = None


class VariantJob(Message):
    """Lower one variant, read it back, run it on the evaluation data. `requested` and `schemes` are by layer.

    `observed_key` is the content key of what calibration sees.
    """

    job: Literal["variant"] = "variant"
    backend: str
    delegate: str
    source: Path
    rules: tuple[Rule, ...]
    requested: dict[str, str]
    schemes: dict[str, str]
    reasons: dict[str, str]
    between: Between
    calibration_settings: CalibrationSettings
    observed_key: str
    perceptual: PerceptualRequest | None = None
    calibration: tuple[Path, ...]
    evaluation: tuple[Path, ...]
    rewrites: tuple[str, ...] = ()
    require_coverage: float | None = None
    route: Literal["litert-torch", "onnx2tf"] = "litert-torch"
    io: Literal["tensors", "images"] = "tensors"
    deployment_target: str | None = None


class VariantResult(Message):
    """Beside it: `artifact` + suffix and `golden/` outputs."""

    artifact: str
    inputs: tuple[Binding, ...]
    outputs: tuple[Binding, ...]
    layers: tuple[LayerPrecision, ...]
    quality: Quality
    coverage: Coverage
    predicted: tuple[Coverage, ...]
    minimum_runtime: str
    predicted_peak_memory_bytes: int
    legalized: tuple[Legalization, ...]
    tiling: Tiling | None = None
    golden_outputs: tuple[tuple[GoldenTensor, ...], ...]
    perceptual: float | None = None


class VerifyJob(Message):
    """Run one variant of a bundle at `root` on one golden."""

    job: Literal["verify"] = "verify"
    root: Path
    variant: Variant
    golden: Golden
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class VerifyResult(Message):
    """Worst PSNR over the outputs, against the artifact's golden output and against the source model's."""

    runtime: str
    psnr_db: float
    source_psnr_db: float
    seam_error: float | None = None


class ExportJob(Message):
    """Write the files of one export format (`exports.FORMATS`) of the source step in `source`."""

    job: Literal["export"] = "export"
    format: str
    dynamic: bool
    source: Path
    config: Config
    folder: Path
    evaluation: tuple[Path, ...]


class ExportResult(Message):
    """Beside it: the files in `files/`."""

    format: str
    dynamic: bool
    files: tuple[FileHash, ...]
    agreement: SourceAgreement


class SensitivityJob(Message):
    """Simulate each layer of the source in `source` alone in every scheme, on one sample."""

    job: Literal["sensitivity"] = "sensitivity"
    source: Path
    sample: Path
    schemes: tuple[str, ...]


class SensitivityResult(Message):
    """Noise power by scheme, a value for each layer in the order of the source's table."""

    noise: dict[str, tuple[float, ...]]


class Failure(Message):
    """A typed error of the worker: the class name in `builder.errors` and its sentence."""

    kind: str
    message: str


AnyJob = SourceJob | VariantJob | VerifyJob | ExportJob | SensitivityJob


class Job(Message):
    """The file a worker is started with."""

    job: Annotated[AnyJob, Field(discriminator="job")]


JOB, RESULT, FAILURE, STAGE, LOG = "job.json", "result.json", "failure.json", "stage", "log.txt"
PROGRAM = "program.pt2"
