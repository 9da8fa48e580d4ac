"""builder.toml as typed models: validated, unknown keys refused with a suggestion, paths relative to the file."""

from __future__ import annotations

import shlex
import tomllib
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, GetPydanticSchema, ValidationError, create_model, model_validator
from pydantic_core.core_schema import literal_schema

from builder.backends import BACKENDS
from builder.backends.options import Options
from builder.errors import ConfigError
from builder.precision.scheme import AS_TRAINED
from builder.project.budgets import SearchSection
from builder.project.compression import CompressSection
from builder.project.file_name import FileName
from builder.project.model import ModelSection
from builder.project.pixel_units import in_unit_pixels
from builder.project.source_kinds import (
    CARRY_INTEGERS,
    MODEL_FILES,
    find_source_kind,
)
from builder.project.training import TrainSection
from builder.suggest import did_you_mean
from builder.targets import TARGETS
from builder.toml_file import Section, describe

# As a Literal of their names would be.
BackendName = Annotated[str, GetPydanticSchema(lambda _source, _handler: literal_schema(list(BACKENDS)))]


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
        return in_unit_pixels(raw)

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


class LegalizeSection(Section):
    """`off`: rewrites of the graph that are not to be made (docs/legalization.md lists them).

    `freeze_norms`: instance and group norms get fixed statistics, from the calibration data, so that tiles are allowed.
    """

    off: tuple[str, ...] = ()
    """Names of rewrites of the graph that you do not want."""
    require: tuple[str, ...] = ()
    """Names of rewrites that must hold on your network: where one does not, it is an error instead of left out."""
    freeze_norms: bool = False
    """Give instance and group norms fixed statistics from the calibration data, so that large pictures can be cut into tiles."""


class _Variant(Section):
    """One artifact: backend x delegate x (`plan` file or `preset:NAME`, one `scheme` for all layers, or a `search` for a plan).

    A whole model that was trained for integers needs none of these: it is `as_trained`.
    `require_coverage`: the part of the multiply-accumulates, 0..1, that the delegate must take.
    `require_proven`: the delegate itself must be executed on this machine, in the precision that phones use.
    `size`: the side of the square pictures that it takes, instead of the input's `shape`; `sizes`: one such variant of each.
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

    @model_validator(mode="after")
    def _require_known_delegate_and_one_plan(self) -> Self:
        known = BACKENDS[self.backend].SPEC.delegate_names
        if self.delegate not in known:
            raise ValueError(
                f"unknown delegate {self.delegate!r} of {self.backend}{did_you_mean(self.delegate, known)}"
            )
        if sum(way is not None for way in (self.plan, self.scheme, self.search)) > 1:
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
        return self

    @model_validator(mode="after")
    def _no_key_of_another_backend(self) -> Self:
        for other in BACKENDS.values():
            keys = other.load_options_kind().model_fields
            if other.SPEC.name != self.backend and any(getattr(self, key) != keys[key].default for key in keys):
                names = " and ".join(repr(key) for key in keys)
                are, them = ("are", "them") if len(keys) > 1 else ("is", "it")
                raise ValueError(f"{names} {are} for {other.SPEC.title}, not for {self.backend}: remove {them}")
        return self

    @property
    def options(self) -> Options:
        """The keys that its backend alone has."""
        kind = BACKENDS[self.backend].load_options_kind()
        return kind.model_validate({key: getattr(self, key) for key in kind.model_fields})

    @property
    def name(self) -> str:
        """Its id in the bundle: as given, or backend-delegate-scheme."""
        way = self.scheme or ("search" if self.search is not None else AS_TRAINED)
        if self.plan is not None:
            way = Path(self.plan.removeprefix("preset:")).stem
        form = self.options.form()
        return self.id or f"{self.backend}-{self.delegate}-{way}{form}" + (f"-{self.size}" if self.size else "")


def _with_options() -> type[_Variant]:
    """With the keys of all backends: a backend adds its own, so no class that is written here can have them."""
    kinds = [kind for kind in (backend.load_options_kind() for backend in BACKENDS.values()) if kind.model_fields]
    keys: dict[str, Any] = {
        key: (field.annotation, field) for kind in kinds for key, field in kind.model_fields.items()
    }
    text = "\n".join(cleandoc(kind.__doc__ or "") for kind in (_Variant, *kinds))
    return create_model("VariantSection", __base__=_Variant, __doc__=text, __module__=__name__, **keys)


if TYPE_CHECKING:
    VariantSection = _Variant
else:
    VariantSection = _with_options()


class _Package(Section):
    def of(self, target: str) -> Section | None:
        """The section of a target, if the file has one."""
        section: Section | None = getattr(self, target, None)
        return section


def _with_targets() -> type[_Package]:
    """With the section of each target that has one, under its name."""
    kinds = {name: kind for name, target in TARGETS.items() if (kind := target.load_section_kind()) is not None}
    keys: dict[str, Any] = {
        name: (kind | None, Field(default=None, description=f"Settings of the {TARGETS[name].TITLE} packages."))
        for name, kind in kinds.items()
    }
    return create_model("PackageSection", __base__=_Package, __module__=__name__, **keys)


if TYPE_CHECKING:
    PackageSection = _Package
else:
    PackageSection = _with_targets()


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
    compress: CompressSection | None = None
    """How `builder compress` makes the network smaller."""
    train: TrainSection | None = None
    """How `builder train` trains the network anew: its recipe."""

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        tensors = [tensor.name for tensor in (*self.input, *self.output)]
        for name in sorted({name for name in tensors if tensors.count(name) > 1}):
            raise ValueError(f"two inputs or outputs are named {name!r}")
        for spec in (BACKENDS[variant.backend].SPEC for variant in self.variant):
            for name in sorted(spec.reserved.intersection(tensors)):
                raise ValueError(
                    f"the name {name!r} is one that {spec.title} keeps to itself: give that input or output another 'name'"
                )
        ids = [variant.name.casefold() for variant in self.variant]
        for name in sorted({variant.name for variant in self.variant if ids.count(variant.name.casefold()) > 1}):
            # ids name files, and the disks of most phones' developers do not tell capitals apart
            raise ValueError(f"two variants are named {name!r}: give one of them another 'id'")
        return self

    @model_validator(mode="after")
    def _variants_have_a_plan(self) -> Self:
        if find_source_kind(self.model.source) in CARRY_INTEGERS:
            return self
        if any((v.plan, v.scheme, v.search) == (None, None, None) for v in self.variant):
            raise ValueError("a variant needs one of 'plan', 'scheme' and [variant.search]")
        return self

    @model_validator(mode="after")
    def _require_judging_backend(self) -> Self:
        judged = self.compress.backend if self.compress is not None else None
        if judged is not None and judged not in BACKENDS:
            raise ValueError(f"[compress] names an unknown backend {judged!r}{did_you_mean(judged, BACKENDS)}")
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
        raise ConfigError(f"{path}: {describe(error, Config)}") from error
