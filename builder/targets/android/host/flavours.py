"""The runtimes that the app can carry, by the name that --runtime takes: sources, libraries, and what they execute."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from builder.bundle import Bundle
from builder.errors import ConfigError
from builder.suggest import did_you_mean
from builder.targets.android import runtimes
from builder.targets.android.host.maven import Wanted
from builder.targets.base import Runtime


@dataclass(frozen=True, kw_only=True)
class Library:
    """A native library of a runtime, and the delegates that need it (none: every variant does)."""

    name: str
    delegates: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Flavour:
    """A runtime: it executes files that end as `artifact`; `sources` are its own beside those of `main` in both modules. `wanted` are its libraries in Maven, without the main one when that is given as a file; `published` its coordinates
    for users who have Google's Maven or Maven Central, as aliases of the catalogue, and `optional` those that one delegate alone needs."""

    artifact: str
    sources: str
    wanted: tuple[Wanted, ...]
    main: Wanted
    published: tuple[str, ...]
    libraries: tuple[Library, ...]
    delegates: tuple[str, ...]
    optional: Mapping[str, str] = field(default_factory=dict)

    def list_published(self, bundle: Bundle) -> list[str]:
        """The aliases that an app with this bundle needs: none that serves delegates which no variant asks for."""
        asked = {variant.delegate for variant in bundle.manifest.variants}
        return [name for name in self.published if name not in self.optional or self.optional[name] in asked]


_TFLITE = Flavour(
    artifact=runtimes.TFLITE_FILE,
    sources=runtimes.TFLITE,
    # The pom of tensorflow-lite asks for its API as a jar, which does not exist: all are named as the AARs they are.
    wanted=(
        Wanted(alias="tflite-api", packaging="aar", alone=True),
        Wanted(alias="tflite-gpu", packaging="aar", alone=True),
        Wanted(alias="tflite-gpu-api", packaging="aar", alone=True),
    ),
    main=Wanted(alias=runtimes.TFLITE, packaging="aar", alone=True),
    published=("litert", "litert-gpu", "litert-gpu-api"),
    libraries=(
        Library(name="libtensorflowlite_jni.so"),
        Library(name="libtensorflowlite_gpu_jni.so", delegates=("gpu",)),
    ),
    delegates=("xnnpack", "gpu"),
    optional={"litert-gpu": "gpu", "litert-gpu-api": "gpu"},
)
_EXECUTORCH = Flavour(
    artifact=runtimes.EXECUTORCH_FILE,
    sources=runtimes.EXECUTORCH,
    wanted=(Wanted(alias="fbjni", packaging="aar", alone=True), Wanted(alias="nativeloader", alone=True)),
    main=Wanted(alias="executorch-android", packaging="aar", alone=True),
    published=("executorch-android",),
    libraries=(Library(name="libexecutorch.so"), Library(name="libfbjni.so"), Library(name="libc++_shared.so")),
    delegates=("xnnpack",),
)
FLAVOURS: Mapping[str, Flavour] = {
    runtimes.TFLITE: _TFLITE,
    # Google's own Maven repository has it, which Maven asks only where its settings name it.
    runtimes.LITERT: replace(
        _TFLITE,
        wanted=(
            Wanted(alias="litert-api", packaging="aar", alone=True),
            Wanted(alias="litert-gpu", packaging="aar", alone=True),
            Wanted(alias="litert-gpu-api", packaging="aar", alone=True),
        ),
        main=Wanted(alias="litert", packaging="aar", alone=True),
    ),
    runtimes.EXECUTORCH: _EXECUTORCH,
    runtimes.EXECUTORCH_VULKAN: replace(
        _EXECUTORCH,
        main=Wanted(alias="executorch-vulkan", packaging="aar", alone=True),
        published=("executorch-vulkan",),
        delegates=("xnnpack", "vulkan"),
    ),
}


def find_flavour(runtime: Runtime | None) -> Flavour:
    """The flavour that was asked for; the first one when none was. Raises ConfigError for an unknown name or a bad file."""
    name = runtime.name if runtime is not None else runtimes.RUNTIMES[0]
    if name not in FLAVOURS:
        raise ConfigError(f"unknown Android runtime {name!r}{did_you_mean(name, FLAVOURS)}")
    file = runtime.file if runtime is not None else None
    if file is not None and (file.suffix != ".aar" or not _is_zip(file)):
        raise ConfigError(f"the runtime {file} is not an Android library archive; give --runtime {name}=FILE.aar.")
    return FLAVOURS[name]


def choose_flavour(file: str) -> Flavour | None:
    """A flavour that executes such a file."""
    return next((flavour for flavour in FLAVOURS.values() if file.endswith(flavour.artifact)), None)


def _is_zip(file: Path) -> bool:
    return file.is_file() and zipfile.is_zipfile(file)
