"""Per-layer precision: random plans without a silent difference, and reading a large artifact back."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench.table import LIMIT_S, ROOT, Row

if TYPE_CHECKING:
    from builder.graph.model import Model
    from builder.precision.layers import LayerTable
    from builder.precision.plan import PlanFile, ResolvedPlan
    from builder.precision.ranges import Observed

PLANS = {"tiny_style": 200, "efficientnet_lite0": 20, "anime_style": 20}
SIDE = 128
LARGE_BYTES = 100_000_000

READ_BACK = """
import sys, time
from pathlib import Path
from builder.backends import tflite
start = time.perf_counter()
layers = tflite.stored_layers(Path(sys.argv[1]))
seconds = time.perf_counter() - start
status = Path('/proc/self/status').read_text()  # the peak of this program; getrusage would inherit its parent's
print(len(layers), seconds, int(status.split('VmHWM:')[1].split()[0]) * 1024)
"""


@lru_cache(maxsize=1)
def _model(example: str) -> tuple[Model, tuple[Path, ...]]:
    """The network with its trained weights, on pictures of SIDE pixels at most, and two pictures to calibrate with."""
    from builder.project.config import load_config
    from builder.project.data import find_data
    from builder.sources import load_model

    folder = ROOT / "examples" / example
    config = load_config(folder)
    small = [
        spec.model_copy(update={"shape": (*spec.shape[:2], *(min(side, SIDE) for side in spec.shape[2:]))})
        if spec.kind == "image"
        else spec
        for spec in config.input
    ]
    config = config.model_copy(update={"input": tuple(small)})
    return load_model(config, folder), tuple(file.path for file in find_data(config, folder).calibration[:2])


def draw_plan(table: LayerTable, seed: int) -> PlanFile:
    """Any scheme for any layer, floats or nothing for its norms. One in four plans allows no fallback."""
    from builder.precision.plan import PlanFile, Rule
    from builder.precision.scheme import SCHEMES

    draw = random.Random(seed)
    rules = tuple(Rule(match=re.escape(name), scheme=draw.choice(list(SCHEMES))) for name in table.names())
    for norm in table.norms:
        scheme = draw.choice(("fp32", "fp16", None))
        rules += (Rule(match=re.escape(norm.name), op="norm", scheme=scheme),) if scheme else ()
    return PlanFile(rule=rules, on_unsupported=("weight_only_wi8_afp32", "fp16", "fp32") if seed % 4 else "error")


def measure_random_plans(example: str, count: int, name: str) -> Row:
    """Each plan is realised as resolved, or refused with what can be done instead."""
    from builder.backends import BACKENDS
    from builder.backends.support import check_support
    from builder.errors import ConfigError, ConversionError, VerificationError
    from builder.graph.samples import read_samples
    from builder.legalize.for_variant import find_needed, legalize_model
    from builder.precision.plan import resolve
    from builder.precision.scheme import SCHEMES

    backend, ends, start = BACKENDS[name], Counter[str](), time.perf_counter()
    usual = backend.SPEC.delegates[0]
    source, pictures = _model(example)
    model = legalize_model(source, find_needed(usual.list_traits(halves=True)), ())[0]
    observed = backend.observe(model, read_samples(pictures, model.inputs))
    realise = _realiser(model, name, observed)
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as work:
        for seed in range(count):
            path = Path(work) / f"{seed}{backend.SPEC.suffix}"
            try:
                resolved = resolve(draw_plan(model.layers, seed), model.layers, where="plan")
                supported = check_support(resolved, model.layers, backend, usual.name, where="plan").plan
                realise(supported, path)
                wanted = {layer: choice.scheme.name for layer, choice in supported.choices.items()}
                realised = {**backend.read_norms(path, model), **backend.read_back(path, model)}
                found = {layer: realised.get(layer) for layer in wanted}
                ends["as asked" if found == wanted else "SILENTLY DIFFERENT"] += 1
            except ConfigError:
                ends["refused before lowering"] += 1
            except (ConversionError, VerificationError) as error:
                ends["refused by the converter or on reading back"] += 1
                print(f"{example}, {name}, plan {seed}: {error}", file=sys.stderr)
    row = Row(
        what=f"{count} random plans over all {len(SCHEMES)} schemes and floats for norms, {example} at {SIDE} px at most, {name}",
        figure="0 silent differences",
        measured=", ".join(f"{number} {end}" for end, number in sorted(ends.items())),
        reached=ends["SILENTLY DIFFERENT"] == 0 and sum(ends.values()) == count,
    )
    print(f"{row.what}: {row.measured} ({time.perf_counter() - start:.0f} s)", file=sys.stderr, flush=True)
    return row


def _realiser(model: Model, name: str, observed: Observed) -> Callable[[ResolvedPlan, Path], object]:
    """What lowers a plan to a file; for TFLite from one fp32 file, as workers do."""
    from builder.backends import BACKENDS
    from builder.backends.tflite.convert import to_float_file
    from builder.backends.tflite.realise import realise

    backend = BACKENDS[name]
    if name != "tflite":
        return lambda plan, path: backend.lower(model, plan, backend.SPEC.delegates[0].name, lambda: observed, path)
    float_file = to_float_file(model)[0]
    return lambda plan, path: path.write_bytes(realise(float_file, model, plan, lambda: observed))


def measure_large_network() -> Row:
    """Ten linear layers of 2.5 M weights each, fp32: reading back every layer's scheme from the file alone."""
    import torch

    from builder.backends.tflite.convert import to_float_file
    from builder.bundle import TensorSpec
    from builder.graph.model import Model
    from builder.precision.layers import list_layers

    width = int((LARGE_BYTES / 4 / 10) ** 0.5)
    network = torch.nn.Sequential(*(torch.nn.Linear(width, width) for _ in range(10))).eval()
    program = torch.export.export(network, (torch.zeros(1, width),))
    spec = {"kind": "tensor", "shape": (1, width)}
    model = Model(
        program=program,
        inputs=(TensorSpec.model_validate({"name": "x", **spec}),),
        outputs=(TensorSpec.model_validate({"name": "y", **spec}),),
        layers=list_layers(program),
    )
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as work:
        path = Path(work) / "large.tflite"
        path.write_bytes(to_float_file(model)[0])
        size = path.stat().st_size
        del model, program, network
        done = subprocess.run(
            [sys.executable, "-c", READ_BACK, str(path)], capture_output=True, text=True, timeout=LIMIT_S, check=True
        )
    layers, seconds, memory = (float(word) for word in done.stdout.split())
    return Row(
        what=f"read-back of a {size / 1e6:.0f} MB artifact, {layers:.0f} layers",
        figure="<= 10 s, <= 2x the file in memory",
        measured=f"{seconds:.2f} s, {memory / 1e6:.0f} MB, the interpreter and its packages included ({memory / size:.2f}x)",
        reached=seconds <= 10 and memory <= 2 * size,
    )


def measure() -> list[Row]:
    """Half an hour on two free cores. A precision does not depend on the size of pictures; the larger examples are given small ones."""
    import torch

    from builder.backends import BACKENDS

    torch.set_num_threads(2)
    return [
        measure_large_network(),
        *(measure_random_plans(example, count, name) for example, count in PLANS.items() for name in BACKENDS),
    ]
