"""One artifact in `manifest.json`: its inputs and outputs, precision, quality, coverage, rewrites and tiles."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict


def inside_path(path: str) -> str:
    """A relative path without `..`, as a manifest may name it. Raises ValueError."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or "\\" in path or ".." in parts or ":" in path:
        raise ValueError(f"{path!r} is not a path inside the bundle")
    return path


InsidePath = Annotated[str, AfterValidator(inside_path)]


class Frozen(BaseModel):
    """A part of the manifest; an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", use_attribute_docstrings=True)


class TensorSpec(Frozen):
    """An input or output as the source model sees it; `shape` is logical (NCHW for images).

    With `range` a pixel value p in 0..255 becomes `range[0] + p / 255 * (range[1] - range[0])`. With `mean` and `std` it becomes
    `(p / 255 - mean) / std`, by channel.
    """

    name: str
    """The name of the tensor."""
    kind: Literal["image", "vector", "tensor"]
    """What apps take it for."""
    shape: tuple[int, ...]
    """Sizes in the logical layout, NCHW for pictures."""
    dtype: Literal["float32", "int32", "int64"] = "float32"
    """Type of the numbers."""
    color_order: Literal["RGB", "BGR"] | None = None
    """Order of a picture's channels."""
    range: tuple[float, float] | None = None
    """Lowest and highest value."""
    mean: tuple[float, ...] | None = None
    """Mean of each channel of pixels scaled to 0..1."""
    std: tuple[float, ...] | None = None
    """Standard deviation of each channel of pixels scaled to 0..1."""
    resize: Literal["stretch", "center_crop"] | None = None
    """How apps fit a picture of another size."""
    labels: tuple[str, ...] | None = None
    """Names of the classes."""


class Binding(Frozen):
    """How one logical tensor is laid out in one artifact: position in the artifact's own order, layout, shape, dtype.

    Layout `image`: the artifact takes or gives a picture of 8 bits a channel, and does the arithmetic of `TensorSpec` itself.
    `shape` and `dtype` are then the logical tensor's.
    """

    name: str
    """The logical tensor."""
    index: int
    """Its position in the artifact."""
    layout: Literal["NCHW", "NHWC", "plain", "image"]
    """Its layout in the artifact."""
    shape: tuple[int, ...]
    """Its sizes in the artifact."""
    dtype: Literal["float32", "float16", "int32", "int64"] = "float32"
    """Its type in the artifact."""


class LayerPrecision(Frozen):
    """What was asked for a layer and what was read back from the file; `fallback` is the plan's named reason when they differ."""

    layer: str
    """Name of the layer."""
    op: str
    """Its kind."""
    requested: str
    """The scheme that the plan asked for."""
    realised: str
    """The scheme read back from the file."""
    fallback: str | None = None
    """Why they differ, by a fallback that the plan names."""


class Quality(Frozen):
    """Agreement of the exported artifact with the source model on the held-out evaluation data.

    PSNR is in dB; 200 means equal. Its peak is the width of the declared range for images, and the source output's own range for other
    outputs. SSIM is for images, `top1_agreement` (0..1) for classifiers. `runtime` names what executed the artifact.
    `psnr_db_worst_own` takes as peak what the source's outputs really span on each sample. It is lower where a picture fills little
    of its range. Where nothing could execute the artifact, `images` is 0 and every figure null; the variant's `unproven` says why.
    """

    runtime: str
    """What executed the artifact."""
    images: int
    """Number of evaluation samples."""
    psnr_db_worst: float | None
    """PSNR of the worst sample, in dB."""
    psnr_db_mean: float | None
    """Mean PSNR, in dB."""
    max_abs_error: float | None
    """Largest difference of a value."""
    psnr_db_worst_own: float | None = None
    """PSNR of the worst sample against the range that the source's output really has, in dB."""
    ssim_worst: float | None = None
    """SSIM of the worst picture."""
    ssim_mean: float | None = None
    """Mean SSIM."""
    top1_agreement: float | None = None
    """Share of samples whose class stays the same."""

    @property
    def worst_text(self) -> str:
        """The worst PSNR for a table, a dash where nothing was executed."""
        return "-" if self.psnr_db_worst is None else f"{self.psnr_db_worst:.1f}"


class Coverage(Frozen):
    """How much of an artifact its delegate takes; `source` says how it is known.

    `left` names what it does not take, where known with the layer, the line of the source and what would help.
    """

    delegate: str
    """The delegate."""
    source: Literal["file", "runtime", "predicted"]
    """Where it is known from: the file itself, the runtime, or a published table."""
    delegated_ops: int
    """Operators that it takes."""
    total_ops: int
    """All operators."""
    subgraphs: int
    """Parts into which it cuts the graph."""
    left: tuple[str, ...] = ()
    """What it leaves, with the layer and line where known."""
    delegated_macs: int | None = None
    """Multiply-accumulates that it takes."""
    total_macs: int | None = None
    """All multiply-accumulates."""

    @property
    def mac_share(self) -> float | None:
        """Part of the multiply-accumulates that the delegate takes, 0..1; None where they were not counted."""
        if self.delegated_macs is None or self.total_macs is None:
            return None
        return self.delegated_macs / self.total_macs if self.total_macs else 1.0


class Legalization(Frozen):
    """A rewrite of the source graph that this variant was made with, and in how many places.

    `max_error` is the largest change of an output on random noise and evaluation samples, relative to the output's range. `bound`
    is what it had to keep.
    """

    rewrite: str
    """Name of the rewrite."""
    places: int
    """In how many places it was made."""
    max_error: float
    """Largest change of an output, relative to its range."""
    bound: float
    """The bound that the change had to keep."""


class Tiling(Frozen):
    """Whether a larger picture may be made of tiles; `reason` says why it may not.

    `overlap` source pixels on each side of a tile make the seams vanish. Tiles start at multiples of `multiple`. `scale` is the
    output's size over the input's.
    """

    allowed: bool
    """Whether tiles give the same picture."""
    overlap: int | None = None
    """Source pixels on each side of a tile."""
    multiple: int | None = None
    """Tiles start at multiples of this many pixels."""
    scale: float | None = None
    """Size of the output over that of the input."""
    reason: str | None = None
    """Why tiles are not allowed."""


class Variant(Frozen):
    """One artifact: backend x plan x delegate. `file` may be a directory (.mlpackage); see `hash_tree`.

    `predicted` is what other delegates would probably take of the file. `unproven` says why the delegate itself was not executed
    in the precision that phones use; it is null where it was.
    """

    id: str
    """Its name."""
    backend: str
    """The converter."""
    delegate: str
    """What runs it on the phone."""
    file: InsidePath
    """The artifact inside the bundle; a directory for Core ML."""
    bytes: int
    """Its size."""
    sha256: str
    """Its hash."""
    inputs: tuple[Binding, ...]
    """How the artifact takes its inputs."""
    outputs: tuple[Binding, ...]
    """How it gives its outputs."""
    layers: tuple[LayerPrecision, ...]
    """Requested and realised scheme of every layer."""
    quality: Quality
    """Agreement with the source model."""
    coverage: Coverage
    """How much the delegate takes."""
    predicted: tuple[Coverage, ...] = ()
    """What other delegates would probably take."""
    minimum_runtime: str
    """The oldest runtime that loads it."""
    predicted_peak_memory_bytes: int
    """Predicted peak memory of one inference."""
    legalized: tuple[Legalization, ...] = ()
    """Rewrites it was made with."""
    tiling: Tiling | None = None
    """Whether large pictures may be cut."""
    unproven: str | None = None
    """Why the delegate itself was not executed in the precision that phones use."""
