"""What a backend is to the pipeline: lower a model by a plan, and read back from the file what it really holds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from builder.backends.spec import BackendSpec
from builder.bundle import Binding, Coverage
from builder.graph.model import Model
from builder.graph.origins import Origin
from builder.precision.layers import Layer, LayerTable
from builder.precision.plan import ResolvedPlan
from builder.precision.quantizers import Integers
from builder.precision.ranges import Observation, Observed
from builder.precision.scheme import Scheme

if TYPE_CHECKING:
    from builder.backends.options import Options
    from builder.graph.tensors import Tensors


Seen = Callable[[], Observed]
"""What was observed over the calibration samples; asked for by plans that need it."""


@dataclass(frozen=True, kw_only=True)
class Lowered:
    """What lowering tells beside the file: how the artifact's own tensors map to the logical ones, and where the operators come
    from that the delegate left, in order of execution, if the converter knows. `kept` are layers that were given fp32 because
    their values are too large for what the plan asked for, with the reason."""

    inputs: tuple[Binding, ...]
    outputs: tuple[Binding, ...]
    origins: tuple[Origin, ...] = ()
    kept: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StoredLayer:
    """An op with weights as it stands in an artifact: its name there, its kind, its scheme, and the bytes of its weights."""

    name: str
    op: str
    scheme: str
    weight_shape: tuple[int, ...]
    weight_bytes: int


class Runner(Protocol):
    """An artifact loaded in its runtime: logical tensors in, logical tensors out."""

    def __call__(self, inputs: Tensors) -> Tensors: ...


@dataclass(frozen=True, kw_only=True)
class Execution:
    """What executes the files of a delegate on this machine, and why that proves nothing of the delegate itself, if so.

    `unproven` goes into the manifest: it names no path and no command.
    """

    runtime: str
    open: Callable[[Path, tuple[Binding, ...], tuple[Binding, ...]], Runner]
    unproven: str | None = None


@dataclass(frozen=True, kw_only=True)
class Need:
    """Something beside the packages that a delegate can use on this machine; `install` is the command that adds it."""

    delegate: str
    name: str
    version: str | None
    install: str


class FloatFile(Protocol):
    """For a backend whose plans all start from one fp32 file of the source, which is kept. A plan is made of it without torch."""

    def convert(self, model: Model, options: Any) -> tuple[bytes, Lowered]:
        """The file. Raises ConversionError."""

    def realise(self, delegate: str, content: bytes, model: Model, plan: ResolvedPlan, seen: Seen) -> bytes:
        """The file with the plan, in the form that the delegate takes. Raises ConversionError."""

    def observe(self, content: bytes, lowered: Lowered, samples: Iterable[Tensors]) -> dict[str, Observation]:
        """The activations that a plan may quantize. Raises ConversionError without samples."""


@dataclass(frozen=True, kw_only=True)
class Reached:
    """The largest magnitudes around a layer: what it reads and gives, and what the ops after it give up to the next layer.

    Of a norm: what its ops read and give, those of its variance left out, which stay in fp32.
    """

    layer: float
    after: float


class HalfLimits(Protocol):
    """For a backend that computes in fp16 by itself and can tell which layers cannot: their values are too large."""

    def in_fp16(self, scheme: Scheme) -> bool:
        """Whether a layer of this scheme is computed in fp16."""

    def measure_reach(
        self, path: Path, model: Model, lowered: Lowered, samples: Iterable[Tensors]
    ) -> dict[str, Reached]:
        """By layer, as the artifact computes it on the samples. Raises VerificationError."""

    def within_half(
        self, plan: ResolvedPlan, known: dict[str, Reached], norms: Collection[str]
    ) -> tuple[ResolvedPlan, dict[str, str]]:
        """The plan with fp32 for what is too large, and why by name. Raises VerificationError where a scheme has fp16 only."""


class Backend(Protocol):
    """A module of `builder.backends`. Heavy packages are imported inside its functions."""

    @property
    def SPEC(self) -> BackendSpec:
        """What it says of itself."""

    def load_options_kind(self) -> type[Options]:
        """The keys that it alone has in [[variant]]."""

    def describe_float_file(self) -> FloatFile | None:
        """Where all plans start from one fp32 file: how it is made and used."""

    def describe_half_limits(self) -> HalfLimits | None:
        """Where layers are looked for that fp16 cannot hold: how."""

    def warm(self) -> None:
        """Import the converter, and make once what it makes in every process. Runs nothing of the user's, opens no GPU."""

    def elsewhere(self, plan: ResolvedPlan, layers: LayerTable) -> str:
        """What norms that no rule names and other operations between the layers compute in where these are floats: `fp32`, `fp16`."""

    def find_unsupported(self, layer: Layer, scheme: Scheme, delegate: str) -> str | None:
        """Why the scheme cannot be realised on the layer and what can be done instead, or None."""

    def observe(self, model: Model, samples: Iterable[Tensors]) -> dict[str, Observation]:
        """The activations that a plan may quantize, over samples that are taken one at a time.

        Names are the backend's own. Raises ConversionError without samples.
        """

    def lower(
        self, model: Model, plan: ResolvedPlan, delegate: str, seen: Seen, out: Path, options: Any = None
    ) -> Lowered:
        """Write the artifact to `out`. Deterministic. `options` are its own, None for the usual ones. Raises ConversionError."""

    def read_back(self, path: Path, model: Model) -> dict[str, str]:
        """Realised scheme of every layer, from the file alone (the model only serves to name its weights).

        Raises VerificationError for a layer that is not found in the file.
        """

    def read_integers(self, path: Path, model: Model) -> Mapping[str, Sequence[Integers | None]]:
        """By layer, what its calls compute with in order of execution, from the file alone; None for a call that is not of 8-bit integers."""

    def read_norms(self, path: Path, model: Model) -> dict[str, str]:
        """Realised scheme of every norm, from the file alone; a description that is no scheme's name for one that is not found."""

    def read_between(self, path: Path) -> str:
        """What the operations that are no layers compute in, from the file alone: one of BETWEEN, or a description."""

    def find_structure(self, path: Path) -> str | None:
        """Equal for two files that execute the same instructions; None where only equal files do."""

    def read_stored_layers(self, path: Path) -> tuple[StoredLayer, ...]:
        """Every op with weights, from the file alone, for a person who has nothing but the file."""

    def coverage(self, path: Path, delegate: str) -> Coverage:
        """How much the delegate takes, from the file or the runtime."""

    def predict_coverage(self, path: Path, delegate: str) -> tuple[Coverage, ...]:
        """What delegates other than the variant's would probably take of the file, from their published operator support."""

    def runner(self, path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...], threads: int) -> Runner:
        """Load the artifact in the runtime that this machine has for it."""

    def execution(self, delegate: str) -> Execution:
        """What executes the files of a delegate here: the delegate itself where this machine can, else `runner` and the reason."""

    def describe_runtime(self) -> str:
        """What `runner` executes with, as reports name it, e.g. 'LiteRT 2.3.0 (XNNPACK)'."""

    def needs(self) -> tuple[Need, ...]:
        """What its delegates can use on this machine to be executed."""

    def read_minimum_runtime(self, path: Path) -> str:
        """The oldest runtime that can load the artifact, as the file states it."""

    def predict_peak_memory(self, path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...]) -> int:
        """Predicted peak memory of one inference in bytes: weights plus the largest set of tensors alive at once."""
