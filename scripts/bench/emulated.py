"""Phones with physics for benchmarks: adb, shell, files and sensors are real, what an inference takes is the model's.

A network runs once under QEMU; afterwards its results are replayed with the model's durations, and all waits pass on the model's clock.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.fleet import keep_results
from bench.table import ROOT

sys.path.insert(0, str(ROOT))

from builder.bundle import FileHash, Manifest, Variant, hash_file, parse_manifest
from harness.protocol import PROTOCOLS
from harness.session.session import open_bundle_or_package, run_session
from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.emulated_phone.physics import PhysicalPhone
from tests.harness.small_bundle import make_small_bundle


def make_bundle(root: Path, names: Iterable[str]) -> Path:
    """The small network under these names. What follows a flatbuffer is not read, so each file has bytes of its own."""
    make_small_bundle(root)
    manifest = parse_manifest((root / "manifest.json").read_text(encoding="utf-8"), where=str(root))
    first = next(variant for variant in manifest.variants if variant.backend == "tflite")
    network = (root / first.file).read_bytes()
    variants = []
    for name in names:
        file = root / f"variants/{name}.tflite"
        file.write_bytes(network + name.encode().ljust(16))
        changes = {
            "id": name,
            "file": f"variants/{file.name}",
            "bytes": file.stat().st_size,
            "sha256": hash_file(file),
        }
        variants.append(first.model_copy(update=changes))
    (root / "manifest.json").write_text(with_variants(root, manifest, tuple(variants)).to_json(), encoding="utf-8")
    return root


def with_variants(root: Path, manifest: Manifest, variants: tuple[Variant, ...]) -> Manifest:
    """The manifest for these variants alone, each with the results of the network."""
    golden = manifest.goldens[0]
    expected = tuple(golden.expected[0].model_copy(update={"variant": variant.id}) for variant in variants)
    kept = [entry for entry in manifest.files if entry.file.startswith("golden/")]
    files = [*kept, *(FileHash(file=variant.file, sha256=variant.sha256) for variant in variants)]
    for entry in manifest.files:
        if entry not in kept:
            (root / entry.file).unlink()
    changes = {
        "goldens": (golden.model_copy(update={"expected": expected}),),
        "variants": variants,
        "files": tuple(files),
    }
    return manifest.model_copy(update=changes)


@contextmanager
def start_phone(
    folder: Path, bundle: Path, server: AdbServer, physics: PhysicalPhone, levels_s: Mapping[str, float]
) -> Iterator[EmulatedPhone]:
    """One that adb is connected to; an inference of each variant takes its level, in seconds, on a cool phone."""
    levels = {hash_file(bundle / f"variants/{name}.tflite")[:16]: level for name, level in levels_s.items()}
    with EmulatedPhone(folder, PIXEL, physics=physics, level_s=levels) as phone:
        server.connect(phone.address)
        yield phone
        server.disconnect(phone.address)


def record(folder: Path, bundle: Path, levels_s: Mapping[str, float]) -> Path:
    """Results of all variants under QEMU, those of the last kept: they are one network. A session that is not good ends the benchmark."""
    out, physics = folder / "recorded", PhysicalPhone(seed=0)
    with (
        serving(folder / "recording") as server,
        start_phone(folder / "one", bundle, server, physics, levels_s) as phone,
    ):
        phone.faults.garble = keep_results(phone, out)
        with open_bundle_or_package(bundle) as opened:
            result = run_session(opened, [f"android:{phone.address}"], PROTOCOLS["quick"], None, clock=physics)
    if result.skipped or any(run.golden is None or not run.golden.passed for run in result.runs):
        sys.exit(f"the recording failed: {result.skipped or [run.verdict.words for run in result.runs]}")
    return out


@contextmanager
def serving(folder: Path) -> Iterator[AdbServer]:
    """An adb server of its own for this process."""
    folder.mkdir()
    with AdbServer(folder) as server:
        before = {name: os.environ.get(name) for name in server.environment}
        os.environ.update(server.environment)
        try:
            yield server
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
