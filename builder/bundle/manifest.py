"""`manifest.json`: what a bundle says of itself, as typed models.

The manifest is deterministic: the same inputs and tool versions give the same bytes; it holds no time, no path of a
machine and no host name. Kotlin, Swift and Python read the same golden manifest in their tests.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from builder.errors import BundleError

# History of the manifest's schema (readers refuse a newer number):
#   1  first published form
SCHEMA: Final = 1


def inside_path(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or "\\" in path or ".." in parts or ":" in path:
        raise ValueError(f"{path!r} is not a path inside the bundle")
    return path


InsidePath = Annotated[str, AfterValidator(inside_path)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class TensorSpec(Frozen):
    """An input or output as the source model sees it; `shape` is logical (NCHW for images).

    A pixel value p in 0..255 becomes `range[0] + p / 255 * (range[1] - range[0])`, or `(p / 255 - mean) / std` by channel.
    """

    name: str
    kind: Literal["image", "vector", "tensor"]
    shape: tuple[int, ...]
    dtype: Literal["float32", "int32", "int64"] = "float32"
    color_order: Literal["RGB", "BGR"] | None = None
    range: tuple[float, float] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    resize: Literal["stretch", "center_crop"] | None = None
    labels: tuple[str, ...] | None = None


class Binding(Frozen):
    """How one logical tensor is laid out in one artifact: position in the artifact's own order, layout, shape, dtype.

    Layout `image`: the artifact takes or gives a picture of 8 bits a channel and does the arithmetic of `TensorSpec` itself;
    `shape` and `dtype` are then the logical tensor's.
    """

    name: str
    index: int
    layout: Literal["NCHW", "NHWC", "plain", "image"]
    shape: tuple[int, ...]
    dtype: Literal["float32", "float16", "int32", "int64"] = "float32"


class LayerPrecision(Frozen):
    """What was asked for a layer and what was read back from the file; `fallback` is the plan's named reason when they differ."""

    layer: str
    op: str
    requested: str
    realised: str
    fallback: str | None = None


class Quality(Frozen):
    """Agreement of the exported artifact with the source model on the held-out evaluation data.

    PSNR in dB (peak = width of the output's range for images, the source output's own range otherwise; 200 means equal),
    SSIM for images, `top1_agreement` (0..1) for classifiers. `runtime` names what executed the artifact.
    """

    runtime: str
    images: int
    psnr_db_worst: float
    psnr_db_mean: float
    max_abs_error: float
    ssim_worst: float | None = None
    ssim_mean: float | None = None
    top1_agreement: float | None = None


class Coverage(Frozen):
    """How much of an artifact its delegate takes; `source` says whether the file or a published op table told us.

    `left` names what it does not take, where known with the layer, the line of the source and what would help.
    """

    delegate: str
    source: Literal["file", "runtime", "predicted"]
    delegated_ops: int
    total_ops: int
    subgraphs: int
    left: tuple[str, ...] = ()
    delegated_macs: int | None = None
    total_macs: int | None = None

    @property
    def mac_share(self) -> float | None:
        """Part of the multiply-accumulates that the delegate takes, 0..1; None where they were not counted."""
        if self.delegated_macs is None or self.total_macs is None:
            return None
        return self.delegated_macs / self.total_macs if self.total_macs else 1.0


class Legalization(Frozen):
    """A rewrite of the source graph that this variant was made with: in how many places, and the largest change of an output
    that it made on random noise and evaluation samples, relative to the output's range, with the bound that it had to keep."""

    rewrite: str
    places: int
    max_error: float
    bound: float


class Tiling(Frozen):
    """Whether a larger picture may be made of tiles. `overlap` source pixels on each side of a tile make the seams vanish, and
    tiles start at multiples of `multiple`; `scale` is the output's size over the input's. `reason` says why it may not."""

    allowed: bool
    overlap: int | None = None
    multiple: int | None = None
    scale: float | None = None
    reason: str | None = None


class Variant(Frozen):
    """One artifact: backend x plan x delegate. `file` may be a directory (.mlpackage); see `tree_sha256`. `predicted` is what other
    delegates would probably take of the file."""

    id: str
    backend: Literal["tflite", "coreml", "executorch"]
    delegate: str
    file: InsidePath
    bytes: int
    sha256: str
    inputs: tuple[Binding, ...]
    outputs: tuple[Binding, ...]
    layers: tuple[LayerPrecision, ...]
    quality: Quality
    coverage: Coverage
    predicted: tuple[Coverage, ...] = ()
    minimum_runtime: str
    predicted_peak_memory_bytes: int
    legalized: tuple[Legalization, ...] = ()
    tiling: Tiling | None = None


class GoldenTensor(Frozen):
    """One tensor of a golden: `png` (8-bit RGB picture, the pixels themselves) or `f32` (raw little-endian float32, logical order)."""

    name: str
    file: InsidePath
    encoding: Literal["png", "f32"]


class GoldenOutputs(Frozen):
    """What one variant must give for a golden's inputs: at least `min_psnr_db` against the stored tensors."""

    variant: str
    tensors: tuple[GoldenTensor, ...]
    min_psnr_db: float


class Golden(Frozen):
    """A test input, the output each variant must give for it on any device, and what the source model gives (`reference`)."""

    id: str
    inputs: tuple[GoldenTensor, ...]
    expected: tuple[GoldenOutputs, ...]
    reference: tuple[GoldenTensor, ...] = ()


class SourceAgreement(Frozen):
    """Agreement of an imported model (ONNX, Keras, TensorFlow) with its file's own runtime, on evaluation and random samples."""

    runtime: str
    samples: int
    psnr_db_worst: float


class FrozenNorms(Frozen):
    """Instance and group norms whose statistics were fixed from this many calibration samples. `psnr_db_worst` is the worst
    agreement on the evaluation data with the network as it was trained: qualities of variants are against the frozen one."""

    norms: int
    samples: int
    psnr_db_worst: float


class ModelInfo(Frozen):
    """`imported` is null where the source was a PyTorch network itself, `frozen_norms` where no statistics were fixed."""

    name: str
    version: str
    licence: str
    checkpoint_sha256: str
    imported: SourceAgreement | None = None
    frozen_norms: FrozenNorms | None = None


class Tool(Frozen):
    name: str
    version: str


class Phone(Frozen):
    """By what names a phone is known; None where it does not tell one. harness/records/phone.py says when two are the same."""

    soc: str | None = None
    board: str | None = None
    hardware: str | None = None
    model: str | None = None


class Ranking(Frozen):
    """An order of variants that was measured on `phones` of one kind: one `soc`, or one `model` where they do not tell it."""

    soc: str | None = None
    model: str | None = None
    variants: tuple[str, ...]
    phones: tuple[Phone, ...] = ()


class Manifest(Frozen):
    """`manifest.json`: variants are in order of preference; on a device that one of the `rankings` was measured on, in its order."""

    schema_: Literal[1]
    model: ModelInfo
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    variants: tuple[Variant, ...]
    goldens: tuple[Golden, ...]
    files: tuple[FileHash, ...]
    tools: tuple[Tool, ...]
    licences: tuple[str, ...]
    rankings: tuple[Ranking, ...] = ()

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="strings",
        alias_generator=lambda name: "schema" if name == "schema_" else name,
        populate_by_name=True,
    )

    def to_json(self) -> str:
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"


class FileHash(Frozen):
    """sha256 of every file of the bundle but the manifest itself."""

    file: InsidePath
    sha256: str


Manifest.model_rebuild()


def parse_manifest(text: str, *, where: str) -> Manifest:
    """Manifest from JSON text. Raises BundleError naming `where` and the first field that is wrong."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise BundleError(f"{where} is not JSON ({error}); rebuild the bundle with 'builder convert'.") from error
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise BundleError(f"{where} has schema {schema} but this edgebundle reads up to {SCHEMA}; upgrade edgebundle.")
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BundleError(
            f"{where} is not a valid manifest: {field}: {first['msg']}; rebuild the bundle with 'builder convert'."
        ) from error
