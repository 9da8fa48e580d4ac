"""What a worker process is asked to do and what it gives back: the messages between the pipeline and `worker.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationInfo, field_validator

from builder.backends import BACKENDS
from builder.backends.base import Lowered
from builder.backends.options import Options
from builder.backends.support import SupportedPlan
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
from builder.compression.result import StageReport
from builder.precision.layers import LayerTable
from builder.project.compression import CompressSection
from builder.project.config import Config
from builder.project.used import Used


class Message(BaseModel):
    """What goes into a worker, or comes out of it."""

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
    """Beside it: `program.pt2`, `reference/NNNN.npz` for each evaluation sample, `golden/` inputs and references.

    `warnings` are told each time that the result is used; `used` is what the network's factory read. `noise_db`: how far noise at the
    inputs moves the outputs (`builder.quality.steadiness`), None without evaluation data. `weights_sha256`: of the tensors that a
    factory has loaded itself, None where a file has them.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layers: LayerTable
    golden_inputs: tuple[tuple[GoldenTensor, ...], ...]
    golden_references: tuple[tuple[GoldenTensor, ...], ...]
    tiling: Tiling
    noise_db: float | None = None
    imported: SourceAgreement | None = None
    frozen_norms: FrozenNorms | None = None
    warnings: tuple[str, ...] = ()
    used: Used = Used()
    weights_sha256: str | None = None


class PerceptualRequest(Message):
    """That perceptual similarity is wanted: by LPIPS with the weights of this file, or by the network that is installed."""

    lpips: Path | None = None


class SharedKeys(Message):
    """Content keys of what plans of a source share: the rewritten program, what its float conversion decides, what calibration sees."""

    legalized: str
    floats: str
    observed: str


class AboutFloats(Message):
    """What is kept beside the fp32 file that all plans of a source start from."""

    lowered: Lowered
    legalized: tuple[Legalization, ...]


class VariantJob(Message):
    """Lower one variant by its plan, read it back, run it on the evaluation data. `runtime` is what must execute the file, where it matters."""

    job: Literal["variant"] = "variant"
    backend: str
    delegate: str
    source: Path
    plan: SupportedPlan
    keys: SharedKeys
    runtime: str | None = None
    perceptual: PerceptualRequest | None = None
    calibration: tuple[Path, ...]
    evaluation: tuple[Path, ...]
    rewrites: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    require_coverage: float | None = None
    options: SerializeAsAny[Options] = Field(default_factory=Options, validate_default=True)

    @field_validator("options", mode="before")
    @classmethod
    def _of_the_backend(cls, given: object, info: ValidationInfo) -> Options:
        kind = BACKENDS[info.data["backend"]].load_options_kind()
        return kind.model_validate(given.model_dump() if isinstance(given, Options) else given)


class VariantResult(Message):
    """Beside it: `artifact` + suffix, `golden/` outputs, and `pictures/NNNN.npz` of the evaluation samples in `shown`."""

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
    unproven: str | None = None
    golden_outputs: tuple[tuple[GoldenTensor, ...], ...]
    perceptual: float | None = None
    shown: tuple[int, ...] = ()


class VerifyJob(Message):
    """Run one variant of a bundle at `root` on one golden."""

    job: Literal["verify"] = "verify"
    root: Path
    variant: Variant
    golden: Golden
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class VerifyResult(Message):
    """Worst PSNR over the outputs, against the artifact's golden output and against the source model's, which packages do not carry.

    `unproven`: why nothing here could execute it; the figures are then None.
    """

    runtime: str
    psnr_db: float | None
    source_psnr_db: float | None
    unproven: str | None = None
    seam_error: float | None = None


class PicturesJob(Message):
    """Run one variant of the bundle at `root`, or for None the source step's model in `root`, on samples of the user's."""

    job: Literal["pictures"] = "pictures"
    root: Path
    variant: Variant | None
    samples: tuple[Path, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class PicturesResult(Message):
    """Beside it: `NNNN.npz` with the outputs of each sample, logical layout."""

    runtime: str


class ProbeJob(Message):
    """Load a network of which little is known, and run it on photographs under each of the usual ranges."""

    job: Literal["probe"] = "probe"
    config: Config
    folder: Path
    pictures: tuple[Path, ...]


class ProbedOutput(Message):
    """`low` and `high`: between which nearly all values lie under the chosen range."""

    name: str
    shape: tuple[int, ...]
    low: float
    high: float


class ProbeResult(Message):
    """The `range`, or else `mean` and `std`, of the pictures that the network takes, and by what `evidence`; empty where nothing decides.

    `scores` says by name how much sense the outputs made, `seconds` how long one run took. `integers`: the file was
    trained for integers, and can stay so.
    """

    outputs: tuple[ProbedOutput, ...]
    integers: bool = False
    range: tuple[float, float] | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    scores: dict[str, float] = {}
    evidence: str = ""
    seconds: float = 0.0


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


class CompressJob(Message):
    """Make the source step's network in `source` smaller by the stages of `section`; `state` keeps what is done, to go on from.

    `files` are training pictures; `folder` is that of builder.toml.
    """

    job: Literal["compress"] = "compress"
    section: CompressSection
    folder: Path
    source: Path
    files: tuple[Path, ...]
    evaluation: tuple[Path, ...]
    state: Path


class CompressResult(Message):
    """Beside it: `N-STAGE.pt2`, the network that each stage left."""

    threads: int
    stages: tuple[StageReport, ...]


class TrainJob(Message):
    """Carry out the recipe in `config`. `files` are photographs, `styles` style pictures; `state` keeps what is done, to go on from.

    `folder` is that of builder.toml.
    """

    job: Literal["train"] = "train"
    config: Config
    folder: Path
    files: tuple[Path, ...]
    styles: tuple[Path, ...]
    evaluation: tuple[Path, ...]
    state: Path


class TrainResult(Message):
    """Beside it: `weights.safetensors`, and `pictures/` of the evaluation samples. The figures are those of train.json."""

    parameters: int
    threads: int
    steps: int
    seconds: float
    losses: tuple[float, ...]
    looks: tuple[float, ...]
    terms: dict[str, float]


class JudgeJob(Message):
    """Run an artifact on the evaluation data and compare it with another network: the source step's in `teacher`."""

    job: Literal["judge"] = "judge"
    artifact: Path
    backend: str
    delegate: str
    inputs: tuple[Binding, ...]
    outputs: tuple[Binding, ...]
    teacher: Path
    evaluation: tuple[Path, ...]


class JudgeResult(Message):
    """Beside it: `pictures/NNNN.npz` of the evaluation samples in `shown`."""

    quality: Quality
    shown: tuple[int, ...]


class Failure(Message):
    """A typed error of the worker: the class name in `builder.errors` and its sentence."""

    kind: str
    message: str


AnyJob = (
    SourceJob
    | VariantJob
    | VerifyJob
    | PicturesJob
    | ProbeJob
    | ExportJob
    | SensitivityJob
    | CompressJob
    | TrainJob
    | JudgeJob
)


class Job(Message):
    """The file a worker is started with."""

    job: Annotated[AnyJob, Field(discriminator="job")]


JOB, RESULT, FAILURE, STAGE, LOG = "job.json", "result.json", "failure.json", "stage", "log.txt"
PROGRAM = "program.pt2"
