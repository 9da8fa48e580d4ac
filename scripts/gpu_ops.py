"""Write the table of what LiteRT's GPU accelerator takes, from its own words: run it after a change of LiteRT or of the corpus.

    python scripts/gpu_ops.py               all of the corpus in five schemes, about half an hour on two cores
    python scripts/gpu_ops.py NETWORK...    writes nothing; tells dB of the GPU in fp32 and in fp16 against the CPU too, for the fp32 file

Prints a line for each network and scheme: operators taken of all.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from builder.backends import tflite
from builder.backends.base import Lowered
from builder.backends.tflite.activations import observe_file
from builder.backends.tflite.convert import to_float_file
from builder.backends.tflite.delegates import gpu
from builder.backends.tflite.flatbuffer import load_model
from builder.backends.tflite.gpu.drivers import Driver, find_drivers
from builder.backends.tflite.gpu.predict import TABLE
from builder.backends.tflite.gpu.run import Accelerated, GpuRunner
from builder.backends.tflite.gpu.words import UNTOLD, read_coverage, read_unsupported
from builder.backends.tflite.graph import read_graph
from builder.backends.tflite.realise import realise
from builder.bundle.tensors import find_peak, measure_psnr_db
from builder.errors import EdgebundleError
from builder.graph.model import Model
from builder.legalize import REWRITES
from builder.legalize.for_variant import find_needed
from builder.legalize.legalizer import legalize
from builder.precision.layers import list_layers
from builder.precision.scheme import SCHEMES
from builder.sources.batch_norm import fold_batch_norms
from tests.builder.models import Mixed, plan_of
from tests.corpus import CORPUS
from tests.corpus.network import Network, picture

# The corpus has no transposed convolution with its activation fused.
NETWORKS = {
    "mixed": Network(factory=Mixed, inputs=(picture("image"),), outputs=(picture("stylized"),)),
    **CORPUS,
}
FILE_SCHEMES = ("fp32", "fp16", "weight_only_wi8_afp32", "dynamic_wi8_afp32", "static_wi8_ai8")
SEED = 7


def make_files(network: Network, folder: Path) -> Iterator[tuple[str, Path, Lowered]]:
    """The files of a network, one a scheme; layers that do not have it stay fp32."""
    samples = network.samples(SEED)
    source = fold_batch_norms(torch.export.export(network.create(), samples))
    program, _ = legalize(source, find_needed(gpu.DELEGATE.traits), REWRITES, samples=[samples])
    model = Model(program=program, inputs=network.inputs, outputs=network.outputs, layers=list_layers(source))
    feed = feed_of(network)
    float_file, lowered = to_float_file(model)
    for scheme in FILE_SCHEMES:
        rows = {layer.name: layer for layer in model.layers.layers}
        schemes = {
            name: "fp32" if tflite.find_unsupported(layer, SCHEMES[scheme], "gpu") else scheme
            for name, layer in rows.items()
        }
        path = folder / f"{scheme}.tflite"
        seen = lambda: observe_file(float_file, lowered, iter([feed]))  # noqa: E731
        # As made for the CPU: files for the GPU lack what it is known to leave.
        path.write_bytes(realise(float_file, model, plan_of(schemes), seen))
        yield scheme, path, lowered


def feed_of(network: Network) -> dict[str, np.ndarray]:
    return {spec.name: np.asarray(sample) for spec, sample in zip(network.inputs, network.samples(SEED), strict=True)}


def format_figures(path: Path, network: Network, lowered: Lowered, drivers: tuple[Driver, ...]) -> str:
    """Worst output's dB against the CPU on each driver; `fails` with the sentence where it fails."""
    feed, said = feed_of(network), []
    cpu = tflite.runner(path, lowered.inputs, lowered.outputs, 1)(feed)
    for driver in drivers:
        try:
            gpu = GpuRunner(path, lowered.inputs, lowered.outputs, driver, driver.half)(feed)
        except EdgebundleError as error:
            said.append(f"{driver.name} fails: {error}")
            continue
        worst = min(
            measure_psnr_db(gpu[spec.name], cpu[spec.name], find_peak(spec, cpu[spec.name])) for spec in network.outputs
        )
        said.append(f"{'fp16' if driver.half else 'fp32'} {worst:.1f} dB")
    return ", ".join(said)


def main(names: list[str]) -> None:
    warnings.simplefilter("ignore")
    drivers = find_drivers()
    if not drivers or not drivers[0].half:
        sys.exit("Mesa's driver is missing: run bash builder/backends/tflite/gpu/mesa.sh prepare")
    taken, left = set[str](), dict[str, str]()
    files = 0
    for name in names or NETWORKS:
        network = NETWORKS[name]
        with tempfile.TemporaryDirectory(prefix="edgebundle-gpu-ops-") as folder:
            try:
                for scheme, path, lowered in make_files(network, Path(folder)):
                    try:
                        said = look_into(path, drivers[0], taken, left)
                    except EdgebundleError as error:  # the accelerator dies on some files
                        print(f"{name} {scheme}: {error}", flush=True)
                        continue
                    files += 1
                    more = format_figures(path, network, lowered, drivers) if names and scheme == "fp32" else ""
                    print(f"{name} {scheme}: {said} {more}", flush=True)
            except EdgebundleError as error:
                print(f"{name}: {error}", flush=True)
        if not names:  # at once, so that a run that is stopped has written what it knew
            write(taken, left, files)


def look_into(path: Path, driver: Driver, taken: set[str], left: dict[str, str]) -> str:
    """What the accelerator says of a file, added to what is known."""
    with Accelerated(path, driver, half=True) as file:
        log = file.log()
    graph, why = read_graph(load_model(path)), read_unsupported(log)
    coverage = read_coverage(log, graph)
    for op in graph.ops:
        reason = why(op)
        if reason is None:
            taken.add(f"{op.name} {op.version}")
        elif reason != UNTOLD:  # told of constants of an operator that is left
            left[f"{op.name} {op.version}"] = reason
    return f"{coverage.delegated_ops}/{coverage.total_ops}"


def write(taken: set[str], left: dict[str, str], files: int) -> None:
    """An operator that was taken of some files only counts as left."""
    lines = [
        "# Operators with their version that LiteRT's GPU accelerator takes, and why it leaves others: its own words.",
        f"# Written by scripts/gpu_ops.py with LiteRT {metadata.version('ai-edge-litert')} from {files} files of the corpus; do not edit.",
        f"taken = {json.dumps(sorted(taken - set(left)), indent=4)}",
        "",
        "[left]",
        *(f"{json.dumps(key)} = {json.dumps(reason)}" for key, reason in sorted(left.items())),
    ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
