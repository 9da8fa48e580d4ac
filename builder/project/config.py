"""builder.toml as typed models: validated, unknown keys refused with a suggestion, paths relative to the file."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from builder.errors import ConfigError
from builder.suggest import did_you_mean
from builder.toml_file import describe

BackendName = Literal["tflite", "coreml", "executorch"]
DELEGATES: dict[BackendName, tuple[str, ...]] = {
    "tflite": ("xnnpack", "gpu"),
    "coreml": ("all", "cpu_and_gpu", "cpu_and_ne"),
    "executorch": ("xnnpack",),
}


def _file_name(value: str) -> str:
    if not value or value.strip() != value or any(c in value for c in '/\\:*?"<>|\0') or value in (".", ".."):
        raise ValueError(f"{value!r} cannot be used as a file name on every system")
    return value


FileName = Annotated[str, AfterValidator(_file_name)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


SourceKind = Literal["factory", "exported", "torchscript", "onnx", "keras", "tensorflow"]
# Files that carry their weights themselves, by suffix; a directory is a TensorFlow SavedModel.
WHOLE_MODELS: dict[str, SourceKind] = {
    ".pt2": "exported", ".onnx": "onnx", ".keras": "keras", ".h5": "keras", ".ts": "torchscript", ".pt": "torchscript",
}  # fmt: skip
# Packages that decide what an import gives.
IMPORT_PACKAGES: dict[SourceKind, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxruntime", "onnxsim"),
    "keras": ("keras", "h5py", "onnx", "onnxruntime", "onnxsim"),
    "tensorflow": ("onnx", "onnxruntime", "onnxsim"),
}


def source_kind(source: str) -> SourceKind:
    """By its suffix; `module:callable` is a factory, a name without a suffix a SavedModel's directory."""
    if ":" in source:
        return "factory"
    return WHOLE_MODELS.get(Path(source).suffix, "tensorflow")


class ModelSection(Section):
    """`source` is `module:callable` beside the file with `checkpoint` a .safetensors, .pt or .pth state dict; or a whole model."""

    name: FileName
    """The name of your network. Files and packages carry it."""
    version: str = "1"
    """Your own version of the network, as text."""
    source: str
    """Where the network comes from: `module:callable` beside this file, or a `.pt2`, `.onnx`, `.keras`, `.h5`, `.ts` file or a SavedModel directory."""
    checkpoint: str | None = None
    """The weights for a `module:callable`: a `.safetensors`, `.pt` or `.pth` state dict. Pickled code never runs."""
    licence: str = Field(min_length=1)
    """The licence of the weights, for example `Apache-2.0`. It travels with every bundle and package."""

    @model_validator(mode="after")
    def _one_kind_of_source(self) -> Self:
        if ":" not in self.source:
            suffix = Path(self.source.rstrip("/")).suffix
            if suffix and suffix not in WHOLE_MODELS:
                raise ValueError(
                    f"'source' must be 'module:callable', a {', '.join(WHOLE_MODELS)} file or the directory of a SavedModel, not {self.source!r}"
                )
            if self.checkpoint is not None:
                raise ValueError(f"{self.source!r} carries its weights: remove 'checkpoint'")
        elif self.checkpoint is None:
            raise ValueError("'checkpoint' is missing: name the .safetensors, .pt or .pth file with the weights")
        elif Path(self.checkpoint).suffix not in (".safetensors", ".pt", ".pth"):
            raise ValueError(f"'checkpoint' must be a .safetensors, .pt or .pth file, not {self.checkpoint!r}")
        return self


def _numbers(value: Any) -> list[float] | None:
    """What pydantic will take for three numbers; anything else is left to its own messages."""
    if isinstance(value, list | tuple) and len(value) == 3 and all(type(v) in (int, float) for v in value):
        return [float(v) for v in value]
    return None


class TensorSection(Section):
    """An input or output. Pictures are RGB or BGR with a `range`, or with `mean` and `std` of pixels scaled to 0..1.

    `scale = 255` says that `mean` and `std` are of pixels of 0..255, as Caffe, Keras and OpenMMLab write them.
    """

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The name by which apps and `.npz` files know this tensor."""
    kind: Literal["image", "vector", "tensor"]
    """`image` is a picture, `vector` is a list of numbers such as a style, `tensor` is anything else."""
    dtype: Literal["float32", "int32", "int64"] = "float32"
    """The type of the numbers that the network takes or gives."""
    range: tuple[float, float] | None = None
    """The lowest and the highest value, for example `[0.0, 1.0]`. A picture's pixels are scaled to it."""
    mean: tuple[float, float, float] | None = None
    """One mean for each channel of pixels scaled to 0..1; use it with `std` instead of `range`."""
    std: tuple[float, float, float] | None = None
    """One standard deviation for each channel of pixels scaled to 0..1; use it with `mean`."""
    scale: Literal[1, 255] = 1
    """255 when `mean` and `std` are of pixels of 0..255, as Caffe, Keras and OpenMMLab write them."""
    color_order: Literal["RGB", "BGR"] = "RGB"
    """The order of a picture's channels."""

    @model_validator(mode="before")
    @classmethod
    def _units(cls, raw: Any) -> Any:
        """Everything after this file knows `mean` and `std` of pixels of 0..1 alone."""
        mean, std = (_numbers(raw.get(key)) if isinstance(raw, dict) else None for key in ("mean", "std"))
        if mean is None or std is None:
            return raw
        if raw.get("scale", 1) != 255:
            if max(map(abs, (*mean, *std))) > 1:
                raise ValueError(
                    "'mean' and 'std' are of pixels scaled to 0..1, and these are not; if they are of pixels of 0..255, add scale = 255"
                )
            return raw
        if 0 < max(map(abs, mean)) <= 1:
            raise ValueError("'mean' is of pixels scaled to 0..1 already: remove 'scale'")
        return {**raw, "mean": [m / 255 for m in mean], "std": [s / 255 for s in std], "scale": 1}

    @model_validator(mode="after")
    def _picture_scale(self) -> Self:
        scaled = self.mean is not None and self.std is not None
        if (self.mean is None) != (self.std is None):
            raise ValueError("'mean' and 'std' go together")
        if self.std is not None and any(s <= 0 for s in self.std):
            raise ValueError("'std' must be positive")
        if self.kind == "image" and scaled == (self.range is not None):
            raise ValueError("an image needs either 'range' or 'mean' and 'std'")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError("'range' must be [low, high]")
        return self


class InputSection(TensorSection):
    """`resize`: how the apps fit a picture of another size: `center_crop` keeps the proportions."""

    shape: tuple[int, ...] = Field(min_length=1)
    """The sizes as the network takes them; `[1, 3, height, width]` for a picture."""
    resize: Literal["stretch", "center_crop"] = "center_crop"
    """How apps fit a picture of another size: `center_crop` keeps the proportions, `stretch` does not."""

    @model_validator(mode="after")
    def _shape(self) -> Self:
        if any(size < 1 for size in self.shape):
            raise ValueError("'shape' must hold positive sizes")
        if self.kind == "image" and (len(self.shape) != 4 or self.shape[0] != 1 or self.shape[1] != 3):
            raise ValueError("the 'shape' of an image must be [1, 3, height, width]")
        return self


class OutputSection(TensorSection):
    """`labels`: a text file with one class name a line, for classifiers."""

    labels: str | None = None
    """A text file with one class name a line. It makes the output a classifier's."""


class DataSection(Section):
    """Globs relative to builder.toml: pictures for a single image input, .npz files (one array an input) otherwise."""

    calibration: str | None = None
    """Files from which ranges of integers are taken, as a glob relative to this file. Static integer schemes need it."""
    evaluation: str
    """Files on which quality is judged, as a glob relative to this file. No file may be in both sets."""


SIZE_UNITS = {"B": 1, "KB": 1000, "MB": 1000_000, "GB": 1000_000_000, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}


def parse_size(value: int | str) -> int:
    """Bytes from a number or from text such as '270 KB' (1000 bytes) or '1.5 MiB' (1024 * 1024). Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", str(value).strip())
    unit = found[2].upper() or "B" if found else ""
    if found is None or unit not in SIZE_UNITS or float(found[1]) <= 0:
        raise ValueError(f"{value!r} is not a size; write bytes as a number, or a text such as '270 KB' or '1.5 MiB'")
    return int(float(found[1]) * SIZE_UNITS[unit])


def _size(value: int | str) -> int | str:
    parse_size(value)
    return value


class SearchSection(Section):
    """Budgets of a search: one `objective`, the limits that must hold, and what may be tried.

    `max_bytes` is of the artifact, `max_cost` a ratio to the fp32 artifact of the same backend, `min_top1` the share of
    evaluation samples whose class stays the same. All qualities are those of the worst evaluation sample but top-1.
    `min_perceptual` is a similarity of features (1 is equal); `lpips` names a file with LPIPS' weights to take instead.
    `min_coverage`: the part of the multiply-accumulates that the delegate must take; without it nearly what it takes of the stock
    recipe that it takes most of.
    `device`: KIND[:ID] as in `harness devices`, whose latency is the cost; without it cost is counted arm64 instructions.
    """

    objective: Literal["psnr", "ssim", "perceptual", "top1", "bytes", "cost"]
    """What the search makes as good as it can within the limits."""
    min_psnr_db: float | None = Field(default=None, gt=0, lt=200)
    """The lowest PSNR in dB that the worst evaluation sample may have."""
    min_ssim: float | None = Field(default=None, gt=0, le=1)
    """The lowest SSIM that the worst evaluation sample may have; 1 is equal."""
    min_perceptual: float | None = Field(default=None, gt=0, le=1)
    """The lowest similarity of features that the worst evaluation sample may have; 1 is equal."""
    min_top1: float | None = Field(default=None, gt=0, le=1)
    """The lowest share of evaluation samples whose class stays the same."""
    min_coverage: float | None = Field(default=None, ge=0, le=1)
    """The lowest part of the multiply-accumulates, 0 to 1, that the delegate must take."""
    max_bytes: Annotated[int | str, AfterValidator(_size)] | None = None
    """The largest artifact, in bytes or as text such as `270 KB`."""
    max_cost: float | None = Field(default=None, gt=0)
    """The highest cost, as a ratio to the fp32 artifact of the same backend."""
    device: str | None = Field(default=None, min_length=1)
    """The device whose latency is the cost, as `harness devices` names it. Without it, arm64 instructions are counted."""
    lpips: str | None = None
    """A file with the weights of LPIPS, to judge perceptual similarity with."""
    schemes: tuple[str, ...] | None = Field(default=None, min_length=2)
    """The schemes that the search may use; without it, all that the backend has."""
    max_trials: int = Field(default=40, ge=10, le=10_000)
    """How many artifacts the search may export at the most."""

    @model_validator(mode="after")
    def _a_trade_to_make(self) -> Self:
        qualities = (self.min_psnr_db, self.min_ssim, self.min_perceptual, self.min_top1)
        if self.objective in ("bytes", "cost"):
            if not any(limit is not None for limit in qualities):
                raise ValueError(
                    f"the objective {self.objective!r} needs a quality to keep: set 'min_psnr_db', 'min_ssim', 'min_perceptual' or 'min_top1'"
                )
        elif self.max_bytes is None and self.max_cost is None:
            raise ValueError(
                f"the objective {self.objective!r} alone is met by fp32: set 'max_bytes' or 'max_cost' as its limit"
            )
        if self.device is not None and not self.needs_cost:
            raise ValueError("'device' measures cost, of which no budget speaks: set 'max_cost' or objective = 'cost'")
        if self.lpips is not None and not self.needs_perceptual:
            raise ValueError("'lpips' is for a perceptual budget: set 'min_perceptual' or objective = 'perceptual'")
        return self

    @property
    def needs_perceptual(self) -> bool:
        return self.objective == "perceptual" or self.min_perceptual is not None

    @property
    def needs_cost(self) -> bool:
        return self.objective == "cost" or self.max_cost is not None


class LegalizeSection(Section):
    """`off`: rewrites of the graph that are not to be made (docs/legalization.md lists them).

    `freeze_norms`: instance and group norms get fixed statistics, from the calibration data, so that tiles are allowed.
    """

    off: tuple[str, ...] = ()
    """Names of rewrites of the graph that you do not want."""
    freeze_norms: bool = False
    """Give instance and group norms fixed statistics from the calibration data, so that large pictures can be cut into tiles."""


class VariantSection(Section):
    """One artifact: backend x delegate x (`plan` file or `preset:NAME`, one `scheme` for all layers, or a `search` for a plan).

    `require_coverage`: the part of the multiply-accumulates, 0..1, that the delegate must take.
    `require_proven`: the delegate itself must be executed on this machine, in the precision that phones use.
    `size`: the side of the square pictures that it takes, instead of the input's `shape`; `sizes`: one such variant of each.
    TFLite alone: `route` is the converter; onnx2tf runs in an environment of its own, which is made on first use.
    Core ML alone: `io = "images"` gives the file image inputs and outputs that scale pixels themselves, instead of tensors that
    the app fills; `deployment_target` is the oldest iOS that must load it.
    """

    backend: BackendName
    """The converter."""
    delegate: str
    """What runs the file on the phone."""
    id: FileName | None = None
    """The name in the bundle; without it, backend, delegate and scheme."""
    plan: str | None = None
    """A plan file beside this file, or `preset:NAME`."""
    scheme: str | None = None
    """One scheme for all layers, instead of a plan."""
    search: SearchSection | None = None
    """Budgets for a plan that is searched, instead of a plan."""
    require_coverage: float | None = Field(default=None, gt=0, le=1)
    """The part of the multiply-accumulates, 0 to 1, that the delegate must take."""
    require_proven: bool = False
    """Refuse the variant (exit 5) when its own delegate cannot be executed here."""
    sizes: tuple[int, ...] | None = Field(default=None, min_length=1)
    """Several sides of square pictures; each makes a variant."""
    size: int | None = Field(default=None, ge=8, le=8192)
    """The side of the square pictures that this variant takes, in pixels, instead of the input's `shape`."""
    route: Literal["litert-torch", "onnx2tf"] = "litert-torch"
    """TFLite only: the converter. `onnx2tf` runs in an environment of its own, which is made at first use."""
    io: Literal["tensors", "images"] = "tensors"
    """Core ML only: with `images` the file takes and gives pictures and scales the pixels itself."""
    deployment_target: Literal["iOS16", "iOS17", "iOS18"] | None = None
    """Core ML only: the oldest iOS that must load the file."""

    @model_validator(mode="after")
    def _known_delegate_and_one_plan(self) -> Self:
        known = DELEGATES[self.backend]
        if self.delegate not in known:
            raise ValueError(
                f"unknown delegate {self.delegate!r} of {self.backend}{did_you_mean(self.delegate, known)}"
            )
        if sum(way is not None for way in (self.plan, self.scheme, self.search)) != 1:
            raise ValueError("a variant needs one of 'plan', 'scheme' and [variant.search]")
        if self.size is not None and self.sizes is not None:
            raise ValueError("a variant has either 'size' or 'sizes'")
        if self.search is not None and (self.size is not None or self.sizes is not None):
            raise ValueError(
                "a search is made at the input's own shape: remove 'size' and 'sizes', and use the plan it finds"
            )
        if self.sizes is not None and (
            len(set(self.sizes)) != len(self.sizes) or not all(8 <= s <= 8192 for s in self.sizes)
        ):
            raise ValueError("'sizes' must be different sides between 8 and 8192 pixels")
        if self.backend != "tflite" and self.route != "litert-torch":
            raise ValueError(f"'route' is for TFLite, not for {self.backend}: remove it")
        if self.backend != "coreml" and (self.io != "tensors" or self.deployment_target is not None):
            raise ValueError(f"'io' and 'deployment_target' are for Core ML, not for {self.backend}: remove them")
        return self

    @property
    def name(self) -> str:
        """Its id in the bundle: as given, or backend-delegate-scheme."""
        way = self.scheme or Path((self.plan or "search").removeprefix("preset:")).stem
        form = (f"-{self.io}" if self.io != "tensors" else "") + ("-onnx2tf" if self.route == "onnx2tf" else "")
        return self.id or f"{self.backend}-{self.delegate}-{way}{form}" + (f"-{self.size}" if self.size else "")


class AndroidSection(Section):
    """`keystore`: a PKCS#12 or PEM key to sign with (password from the environment variable EDGEBUNDLE_KEYSTORE_PASSWORD)."""

    application_id: str
    """The application id, for example `org.example.tinystyle`."""
    version_name: str = "1.0"
    """The version that users see."""
    version_code: int = Field(default=1, ge=1, le=2_100_000_000)
    """The number by which Android knows a newer version."""
    keystore: str | None = None
    """A PKCS#12 or PEM key to sign with. Its password comes from the environment variable EDGEBUNDLE_KEYSTORE_PASSWORD."""


class IosSection(Section):
    """`team`: the Apple team that signs (an empty one is chosen in Xcode). `app`: an .app or .ipa built before, which the formats
    `app` and `ipa` take where there is no Xcode. `executorch`: carry the bundle's ExecuTorch variants too, and in the project the
    runtime for them (from iOS 17 on)."""

    bundle_identifier: str
    """The bundle identifier, for example `org.example.tinystyle`."""
    version: str = "1.0"
    """The version that users see."""
    build: int = Field(default=1, ge=1, le=2_100_000_000)
    """The build number."""
    deployment_target: str = "16.0"
    """The oldest iOS that the app runs on."""
    team: str = Field(default="", pattern=r"^([A-Z0-9]{10})?$")
    """The ten characters of your Apple team; leave it empty to choose in Xcode."""
    app: str | None = None
    """An `.app` or `.ipa` that you built before, for the formats `app` and `ipa` on a machine without Xcode."""
    executorch: bool = False
    """Carry the ExecuTorch variants too, with their runtime (iOS 17 or later)."""


class PackageSection(Section):
    android: AndroidSection | None = None
    """Settings of the Android packages."""
    ios: IosSection | None = None
    """Settings of the iOS packages."""


class LimitsSection(Section):
    """What one worker process (one variant's lowering and verification) may take."""

    time_s: float = Field(default=1800, gt=0)
    """Seconds that one variant may take."""
    memory_gb: float = Field(default=12, gt=0)
    """Gigabytes of memory that one variant may take."""


class Config(Section):
    """The whole of builder.toml."""

    model: ModelSection
    """The network."""
    input: tuple[InputSection, ...] = Field(min_length=1)
    """The inputs, in the order of `forward`."""
    output: tuple[OutputSection, ...] = Field(min_length=1)
    """The outputs, in the order in which the network gives them."""
    data: DataSection
    """Pictures or arrays to calibrate and to judge with."""
    variant: tuple[VariantSection, ...] = Field(min_length=1)
    """The artifacts that you want, in order of preference."""
    legalize: LegalizeSection = LegalizeSection()
    """How the graph is rewritten for the delegates."""
    package: PackageSection = PackageSection()
    """Settings of the packages."""
    limits: LimitsSection = LimitsSection()
    """What one worker process may take."""

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        tensors = [tensor.name for tensor in (*self.input, *self.output)]
        for name in sorted({name for name in tensors if tensors.count(name) > 1}):
            raise ValueError(f"two inputs or outputs are named {name!r}")
        ids = [variant.name for variant in self.variant]
        for name in sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"two variants are named {name!r}: give one of them another 'id'")
        return self

    @model_validator(mode="after")
    def _searches_judge_what_there_is(self) -> Self:
        pictures = any(o.kind == "image" for o in self.output)
        classes = any(o.labels is not None for o in self.output)
        for search in (v.search for v in self.variant if v.search is not None):
            if not pictures and (search.objective == "ssim" or search.min_ssim is not None):
                raise ValueError("a search by SSIM needs an output of kind 'image'")
            if not pictures and search.needs_perceptual:
                raise ValueError("a search by perceptual similarity needs an output of kind 'image'")
            if not classes and (search.objective == "top1" or search.min_top1 is not None):
                raise ValueError("a search by top-1 agreement needs an output with 'labels'")
        return self


def known_keys() -> set[str]:
    """Every key that builder.toml may hold, for suggestions."""
    names: set[str] = set()
    todo: list[Any] = [Config]
    while todo:
        section = todo.pop()
        if isinstance(section, type) and issubclass(section, Section):
            names.update(section.model_fields)
            todo.extend(field.annotation for field in section.model_fields.values())
        else:
            todo.extend(get_args(section))
    return names


MODEL_FILES = (*WHOLE_MODELS, ".safetensors", ".pth", ".ckpt", ".bin")


def load_config(path: Path) -> Config:
    """Read builder.toml. Raises ConfigError naming the file, the key and, for a syntax error, the line."""
    if path.is_dir():
        path = path / "builder.toml"
    if path.suffix in MODEL_FILES and path.is_file():
        raise ConfigError(
            f"{path} is a model, and this takes the builder.toml that describes it; run: builder init {shlex.quote(str(path))}"
        )
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} does not exist; go to the directory of your builder.toml or name it on the command line."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from error
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{path}: {describe(error, known_keys())}") from error
