"""Native libraries: page alignment of their segments, ABIs, what the bundle's delegates need, sizes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from builder.targets.android.apkzip import LIBRARY_ALIGNMENT
from builder.targets.android.audit.layout import Carried, Package
from builder.targets.android.elf import read_elf
from builder.targets.android.host.flavours import choose_flavour
from builder.targets.base import Finding

ABIS = ("arm64-v8a", "x86_64")
KNOWN_ABIS = (*ABIS, "armeabi-v7a", "x86", "riscv64")  # https://developer.android.com/ndk/guides/abis
# LiteRT 2 has 16 KB pages too, but its Interpreter runs on the CPU alone: its litert-gpu belongs to another API.
_LITERT = "take com.google.ai.edge.litert:litert 1.4.0 or a later 1.4, whose libraries have 16 KB pages: --runtime litert where Maven's settings name Google's repository, or Gradle (--with-gradle, or the project)"
CURES = {
    "libtensorflowlite_jni.so": _LITERT,
    "libtensorflowlite_gpu_jni.so": _LITERT.replace(":litert ", ":litert-gpu "),
}


def audit_libraries(package: Package, bundles: Sequence[Carried]) -> Iterator[Finding]:
    """All findings of the libraries. An AAR carries none: its pom brings them."""
    by_abi: dict[str, dict[str, int]] = defaultdict(dict)
    for info, abi, name in package.libraries():
        by_abi[abi][name] = info.file_size
        if abi not in KNOWN_ABIS:
            yield package.finding(
                "error",
                "unknown-abi",
                f"holds {info.filename} for the ABI {abi!r}, which Android does not know; package again.",
            )
        try:
            elf = read_elf(package.archive.read(info))
        except ValueError as error:
            yield package.finding(
                "error", "elf", f"holds {info.filename}, which is no library ({error}); package again."
            )
            continue
        smallest = min(elf.alignments, default=0)
        if elf.bits == 64 and smallest < LIBRARY_ALIGNMENT:
            cure = CURES.get(name, "take a build of that library with 16 KB pages")
            yield package.finding(
                "warning",
                "elf-alignment",
                f"holds {info.filename} with segments aligned to {smallest} bytes; phones with 16 KB pages refuse to load it, and the Play "
                f"Store apps that target Android 15 or newer: {cure}.",
            )
    if package.kind == "aar" and not by_abi:
        return
    yield from _abis(package, by_abi)
    for bundle in bundles:
        yield from _delegates(package, bundle, by_abi)


def _abis(package: Package, by_abi: dict[str, dict[str, int]]) -> Iterator[Finding]:
    every = {name for libraries in by_abi.values() for name in libraries}
    for abi in ABIS:
        for library in sorted(every - by_abi.get(abi, {}).keys()):
            yield package.finding(
                "error", "abi", f"has {library} for {', '.join(sorted(by_abi))} but not for {abi}; package again."
            )
    if not every:
        yield package.finding("error", "abi", "holds no native library, so no runtime; package again.")
        return
    yield package.finding("info", "abis", f"runs on {', '.join(sorted(abi for abi in by_abi if by_abi[abi]))}.")
    for abi, libraries in sorted(by_abi.items()):
        parts = ", ".join(f"{name} {size:,}" for name, size in sorted(libraries.items()))
        yield package.finding(
            "info", "size-abi", f"holds {sum(libraries.values()):,} bytes of libraries for {abi}: {parts}."
        )


def _delegates(package: Package, bundle: Carried, by_abi: dict[str, dict[str, int]]) -> Iterator[Finding]:
    """Every variant finds the library of its runtime and of its delegate, for every ABI that the package serves."""
    for variant in bundle.manifest.variants:
        flavour = choose_flavour(variant.file)
        if flavour is None:
            continue
        for library in flavour.libraries:
            needed = not library.delegates or variant.delegate in library.delegates
            missing = [abi for abi in ABIS if needed and library.name not in by_abi.get(abi, {})]
            if missing:
                yield package.finding(
                    "error",
                    "delegate-library",
                    f"lacks {library.name} for {', '.join(missing)}, without which variant {variant.id} cannot run; package again.",
                )
