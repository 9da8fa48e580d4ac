"""What a backend says of itself, in one place: plain facts, read by every room above. Nothing heavy is imported for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.precision.plan import Between

# What took part where no delegate did.
NO_DELEGATE = "cpu"
# A delegate's trait: it computes everything in fp16, whatever the scheme of a layer is.
HALF = "half"


@dataclass(frozen=True, kw_only=True)
class Delegate:
    """What runs a backend's files on a phone.

    A rewrite is made for delegates with one of the `traits` that it names (`NEEDED_BY`). A trait is a word for what keeps operators
    from being taken: the kernels (`xnnpack`, `gpu`), what the converter makes of a program (`litert`, `mil`), both at once
    (`xnnpack/litert`, `xnnpack/edge`), or the arithmetic (`half`). `half_traits` come to them where a plan has layers in fp16.
    """

    name: str
    traits: tuple[str, ...] = ()
    half_traits: tuple[str, ...] = ()

    @property
    def computes_in_half(self) -> bool:
        return HALF in self.traits

    def list_traits(self, *, halves: bool) -> frozenset[str]:
        """Its traits for a plan; `halves`: some layer is fp16."""
        return frozenset((*self.traits, *(self.half_traits if halves else ())))


@dataclass(frozen=True, kw_only=True)
class FirstVariant:
    """A variant that `builder init` writes, and the comment above it. Without a scheme it gets the preset for integers that the data allow."""

    comment: str
    delegate: str
    scheme: str = ""


@dataclass(frozen=True, kw_only=True)
class Program:
    """The benchmark program that runs a backend's files in a device's shell: how it is built with the engine's arm64 wheel.

    `version` is the wheel's; a test keeps it equal to the version on this computer. `source` stands in mobile/runner.
    """

    version: str
    source: str
    library_folder: str
    libraries: tuple[str, ...]
    compile_flags: tuple[str, ...] = ()
    include_folders: tuple[str, ...] = ()
    system_libraries: tuple[str, ...] = ("libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6")


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What runs a backend's files where they are measured outside of an app: on a computer and, by `program`, in a shell."""

    name: str
    """As records and reports name it, e.g. `LiteRT`."""
    package: str
    """The distribution that has it, imported as `imported`."""
    imported: str
    module: str
    """Loads and profiles a file, as `builder.backends.engine.HostEngine` says."""
    delegates: tuple[str, ...]
    """Those that its builds for computers and shells have."""
    own_names: Mapping[str, str] = field(default_factory=dict)
    """Delegates by the names that the engine itself gives them."""
    program: Program | None = None

    def name_executed(self, names: Iterable[str]) -> str:
        """Which delegates took part, in the manifest's words, from the engine's own."""
        return " + ".join(sorted(self.own_names.get(name, name) for name in names)) or NO_DELEGATE


@dataclass(frozen=True, kw_only=True)
class BackendSpec:
    """`name` stands in builder.toml, in manifests and behind `--backend`, and names the extra that installs `packages`.

    The first delegate is the usual one. `schemes` are tried in this order by a search that names none: those that a runtime of the
    backend executes as they stand.
    """

    name: str
    title: str
    """As sentences name it, e.g. `Core ML`."""
    suffix: str
    """Of the artifact, e.g. `.tflite`. A package's runtime is chosen by it."""
    delegates: tuple[Delegate, ...]
    packages: tuple[str, ...]
    """Distributions whose versions decide the bytes of the artifact."""
    schemes: tuple[str, ...]
    norms: tuple[str, ...]
    """Schemes that a plan can give a norm."""
    between: tuple[Between, ...] = ("float",)
    """What the operations that are no layers can compute in."""
    server: str = ""
    """Whose workers run artifacts without converting any: `files`, `torch`, or empty for the backend's own."""
    server_imports: tuple[str, ...] = ()
    """What a shared `server` imports for it before it forks."""
    engine: Engine | None = None
    """What runs its files on a computer and in a shell."""
    no_engine: str = ""
    """Where there is none: why (half a sentence)."""
    browser: Mapping[str, str] = field(default_factory=dict)
    """By delegate, what runs its files in a browser: `wasm` or `webgpu`."""
    ios_app: bool = False
    """Whether the benchmark app for iOS runs its files."""
    reserved: frozenset[str] = frozenset()
    """Names that no input or output of its files can have."""
    checker: str = ""
    """A module that looks into its artifacts before they are packed: `python -m MODULE MANIFEST REPORT`."""
    first_variants: tuple[FirstVariant, ...] = ()
    """In the order in which an app tries them."""

    @property
    def running_server(self) -> str:
        """The kind of server whose workers run its artifacts."""
        return self.server or self.name

    @property
    def emulated(self) -> bool:
        """Whether the harness' emulated arm64 processor runs its files, so that instructions can be counted."""
        return self.engine is not None and self.engine.program is not None

    @property
    def delegate_names(self) -> tuple[str, ...]:
        return tuple(delegate.name for delegate in self.delegates)

    def delegate(self, name: str) -> Delegate:
        """The delegate of this name, which builder.toml's model has checked."""
        return next(delegate for delegate in self.delegates if delegate.name == name)
