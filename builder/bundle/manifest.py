"""`manifest.json`: what a bundle says of itself, as typed models.

The manifest is deterministic: the same inputs and tool versions give the same bytes; it holds no time, no path of a
machine and no host name. Kotlin, Swift and Python read the same golden manifest in their tests.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from builder.bundle.variant import Frozen, InsidePath, TensorSpec, Variant
from builder.errors import BundleError

# History of the manifest's schema (readers refuse a newer number):
#   1  first published form
SCHEMA: Final = 1


class GoldenTensor(Frozen):
    """One tensor of a golden: `png` (8-bit RGB picture, the pixels themselves), `png_sparse` or `f32` (raw little-endian float32, logical order).

    `png_sparse` is in packages alone, for expected pictures: one pixel of each block of 4 x 4 (builder/bundle/sparse.py).
    """

    name: str
    """The logical tensor."""
    file: InsidePath
    """The file inside the bundle."""
    encoding: Literal["png", "png_sparse", "f32"]
    """How the file holds it."""


class GoldenOutputs(Frozen):
    """What one variant must give for a golden's inputs: at least `min_psnr_db` against the stored tensors."""

    variant: str
    """Id of the variant."""
    tensors: tuple[GoldenTensor, ...]
    """The outputs."""
    min_psnr_db: float
    """The least PSNR, in dB."""


class Golden(Frozen):
    """A test input, the output each variant must give for it on any device, and what the source model gives (`reference`)."""

    id: str
    """Its name."""
    inputs: tuple[GoldenTensor, ...]
    """The inputs."""
    expected: tuple[GoldenOutputs, ...]
    """What each variant must give."""
    reference: tuple[GoldenTensor, ...] = ()
    """What the source model gives."""


class SourceAgreement(Frozen):
    """Agreement of an imported model (ONNX, Keras, TensorFlow) with its file's own runtime, on evaluation and random samples."""

    runtime: str
    """What executed the file."""
    samples: int
    """Number of samples."""
    psnr_db_worst: float
    """PSNR of the worst sample, in dB."""


class FrozenNorms(Frozen):
    """Instance and group norms whose statistics were fixed.

    Qualities of variants are then against the frozen network.
    """

    norms: int
    """Number of norms."""
    samples: int
    """Number of calibration samples that the statistics are from."""
    psnr_db_worst: float
    """Worst agreement with the network as it was trained, on the evaluation data, in dB."""


class ModelInfo(Frozen):
    """`imported` is null where the source was a PyTorch network itself, `frozen_norms` where no statistics were fixed."""

    name: str
    """Name of the network."""
    version: str
    """Your version of it."""
    licence: str = Field(min_length=1)
    """Licence of the weights."""
    checkpoint_sha256: str
    """Hash of the file with the weights, or of the tensors where a factory loads them itself."""
    imported: SourceAgreement | None = None
    """Agreement with the imported file's own runtime."""
    frozen_norms: FrozenNorms | None = None
    """Norms whose statistics were fixed."""


class Tool(Frozen):
    """A tool that took part in making the bundle."""

    name: str
    """Its name."""
    version: str
    """Its version."""


class Phone(Frozen):
    """The names of a phone; null where it does not report one. harness/records/phone.py says when two are the same."""

    soc: str | None = None
    """The chip."""
    board: str | None = None
    """Android's `ro.product.board`."""
    hardware: str | None = None
    """Android's `ro.hardware`."""
    model: str | None = None
    """The phone's model."""


class Ranking(Frozen):
    """An order of variants that was measured on `phones` of one kind: one `soc`, or one `model` where they do not name it."""

    soc: str | None = None
    """The chip it was measured on."""
    model: str | None = None
    """The phone model it was measured on."""
    variants: tuple[str, ...]
    """Variants, the best first."""
    phones: tuple[Phone, ...] = ()
    """The phones it was measured on."""


class BrowserWay(Frozen):
    """A variant, and what executes it in a page."""

    variant: str
    """Id of the variant."""
    accelerator: Literal["wasm", "webgpu"]
    """WebAssembly or WebGPU."""


class BrowserRanking(Frozen):
    """An order that pages measured in one kind of browser; `gpu` is null where it has no WebGPU."""

    browser: str
    """Name of the browser."""
    gpu: str | None
    """What it reports of its GPU."""
    ways: tuple[BrowserWay, ...]
    """The best first."""


class FailedVariant(Frozen):
    """A variant that was asked for and could not be made, under `builder convert --keep-going`."""

    id: str
    """Its name."""
    backend: str
    """The converter."""
    delegate: str
    """What would have run it on the phone."""
    reason: str
    """Why it could not be made, in one sentence."""


class Manifest(Frozen):
    """`manifest.json`: variants are in order of preference; on a device that one of the `rankings` was measured on, in its order.

    `failures` are variants that the bundle does not have although they were asked for.
    """

    schema_: Literal[1]
    """The version of this format."""
    model: ModelInfo
    """The network."""
    inputs: tuple[TensorSpec, ...]
    """Its inputs."""
    outputs: tuple[TensorSpec, ...]
    """Its outputs."""
    variants: tuple[Variant, ...]
    """The artifacts, in order of preference."""
    goldens: tuple[Golden, ...]
    """Test inputs with their outputs."""
    files: tuple[FileHash, ...]
    """Hashes of all files of the bundle."""
    tools: tuple[Tool, ...]
    """The tools that made it, with versions."""
    licences: tuple[str, ...]
    """Licences of what it contains."""
    rankings: tuple[Ranking, ...] = ()
    """Orders of variants that were measured on devices."""
    browser_rankings: tuple[BrowserRanking, ...] = ()
    """Orders that were measured in browsers. Left out of the file where there are none."""
    failures: tuple[FailedVariant, ...] = ()
    """Variants that were asked for and could not be made."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="strings",
        alias_generator=lambda name: "schema" if name == "schema_" else name,
        populate_by_name=True,
    )

    def to_json(self) -> str:
        """The text of manifest.json; equal manifests give equal bytes."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"

    @model_serializer(mode="wrap")
    def _leave_out_what_older_readers_refuse(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        if not self.browser_rankings:
            values.pop("browser_rankings", None)
        return values


class FileHash(Frozen):
    """sha256 of every file of the bundle but the manifest itself."""

    file: InsidePath
    """The file inside the bundle."""
    sha256: str
    """Its hash."""


Manifest.model_rebuild()


def parse_manifest(text: str, *, where: str) -> Manifest:
    """Manifest from JSON text. Raises BundleError naming `where` and the first field that is wrong."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise BundleError(f"{where} is not JSON ({error}); rebuild the bundle with 'builder convert'.") from error
    if not isinstance(raw, dict):
        raise BundleError(f"{where} is not a JSON object; rebuild the bundle with 'builder convert'.")
    schema = raw.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise BundleError(f"{where} has schema {schema} but this edgebundle reads up to {SCHEMA}; upgrade edgebundle.")
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        why = ": ".join(filter(None, (field, first["msg"].removeprefix("Value error, "))))
        raise BundleError(
            f"{where} is not a valid manifest: {why}; rebuild the bundle with 'builder convert'."
        ) from error
