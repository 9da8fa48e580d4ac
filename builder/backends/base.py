"""What a backend is to the pipeline: lower a model by a plan, and read back from the file what it really holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from builder.bundle import Binding, Coverage
from builder.graph.model import Model
from builder.graph.origins import Origin
from builder.precision.layers import Layer, LayerTable
from builder.precision.plan import Between, ResolvedPlan
from builder.precision.ranges import Observation, Observed
from builder.precision.scheme import Scheme

if TYPE_CHECKING:
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


class Backend(Protocol):
    """A module of `builder.backends`. Heavy packages are imported inside its functions."""

    @property
    def SUFFIX(self) -> str:
        """Of the artifact, e.g. `.tflite`."""

    @property
    def DELEGATES(self) -> tuple[str, ...]:
        """Delegates that a variant may name."""

    @property
    def PACKAGES(self) -> tuple[str, ...]:
        """Distributions whose versions decide the bytes of the artifact."""

    @property
    def BETWEEN(self) -> tuple[Between, ...]:
        """What the operations that are no layers can compute in."""

    @property
    def NORMS(self) -> tuple[str, ...]:
        """Schemes that a plan can give a norm."""

    @property
    def RUNTIME(self) -> str:
        """The server whose workers run artifacts without converting any: `files`, `torch`, or the backend's own."""

    def warm(self) -> None:
        """Import the converter, and make once what it makes in every process. Runs nothing of the user's, opens no GPU."""

    def elsewhere(self, plan: ResolvedPlan, layers: LayerTable) -> str:
        """What norms that no rule names and other operations between the layers compute in where these are floats: `fp32`, `fp16`."""

    def unsupported(self, layer: Layer, scheme: Scheme, delegate: str) -> str | None:
        """Why the scheme cannot be realised on the layer and what can be done instead, or None."""

    def observe(self, model: Model, samples: Iterable[Tensors]) -> dict[str, Observation]:
        """The activations that a plan may quantize, over samples that are taken one at a time.

        Names are the backend's own. Raises ConversionError without samples.
        """

    def lower(self, model: Model, plan: ResolvedPlan, delegate: str, seen: Seen, out: Path) -> Lowered:
        """Write the artifact to `out`. Deterministic. Raises ConversionError."""

    def read_back(self, path: Path, model: Model) -> dict[str, str]:
        """Realised scheme of every layer, from the file alone (the model only serves to name its weights).

        Raises VerificationError for a layer that is not found in the file.
        """

    def read_norms(self, path: Path, model: Model) -> dict[str, str]:
        """Realised scheme of every norm, from the file alone; a description that is no scheme's name for one that is not found."""

    def read_between(self, path: Path) -> str:
        """What the operations that are no layers compute in, from the file alone: one of BETWEEN, or a description."""

    def stored_layers(self, path: Path) -> tuple[StoredLayer, ...]:
        """Every op with weights, from the file alone, for a person who has nothing but the file."""

    def coverage(self, path: Path, delegate: str) -> Coverage:
        """How much the delegate takes, from the file or the runtime."""

    def predicted(self, path: Path, delegate: str) -> tuple[Coverage, ...]:
        """What delegates other than the variant's would probably take of the file, from their published operator support."""

    def runner(self, path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...], threads: int) -> Runner:
        """Load the artifact in the runtime that this machine has for it."""

    def execution(self, delegate: str) -> Execution:
        """What executes the files of a delegate here: the delegate itself where this machine can, else `runner` and the reason."""

    def runtime_name(self) -> str:
        """What `runner` executes with, as reports name it, e.g. 'LiteRT 2.3.0 (XNNPACK)'."""

    def minimum_runtime(self, path: Path) -> str:
        """The oldest runtime that can load the artifact, as the file states it."""

    def peak_memory(self, path: Path, inputs: tuple[Binding, ...], outputs: tuple[Binding, ...]) -> int:
        """Predicted peak memory of one inference in bytes: weights plus the largest set of tensors alive at once."""
