"""Per-layer precision: random plans without a silent difference, and reading a large artifact back."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench.table import LIMIT_S, ROOT, Row

PLANS = {"tiny_style": 200, "efficientnet_lite0": 20, "anime_style": 20}
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


def random_rows(example: str, count: int) -> list[Row]:
    """Any scheme for any layer: each plan is realised as resolved, or refused with what can be done instead."""
    import torch

    from builder.backends import BACKENDS
    from builder.config import load_config
    from builder.data import find_data, read_samples
    from builder.errors import ConfigError, ConversionError, VerificationError
    from builder.precision.plan import PlanFile, Rule, resolve
    from builder.precision.scheme import SCHEMES
    from builder.sources import load_model
    from builder.support import check_support

    torch.set_num_threads(2)
    folder = ROOT / "examples" / example
    config = load_config(folder)
    model = load_model(config, folder)
    pictures = tuple(file.path for file in find_data(config, folder).calibration[:2])
    rows = []
    for name, backend in BACKENDS.items():
        delegate, ends = backend.DELEGATES[0], Counter[str]()
        observed = backend.observe(model, read_samples(pictures, model.inputs))
        float_file = _float_file(model) if name == "tflite" else None
        with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as work:
            for seed in range(count):
                draw = random.Random(seed)
                named = [
                    Rule(match=re.escape(layer), scheme=draw.choice(list(SCHEMES))) for layer in model.layers.names()
                ]
                plan = PlanFile(
                    rule=tuple(named), on_unsupported=("weight_only_wi8_afp32", "fp16", "fp32") if seed % 4 else "error"
                )
                try:
                    resolved = resolve(plan, model.layers, where="plan")
                    supported = check_support(resolved, model.layers, backend, delegate, where="plan").plan
                except ConfigError:
                    ends["refused before lowering"] += 1
                    continue
                path = Path(work) / f"{seed}{backend.SUFFIX}"
                try:
                    if float_file is not None:
                        from builder.backends.tflite.realise import realise

                        path.write_bytes(realise(float_file, model, supported, lambda seen=observed: seen))
                    else:
                        backend.lower(model, supported, delegate, lambda seen=observed: seen, path)
                    wanted = {layer: choice.scheme.name for layer, choice in supported.choices.items()}
                    ends["as asked" if backend.read_back(path, model) == wanted else "SILENTLY DIFFERENT"] += 1
                except (ConversionError, VerificationError):
                    ends["refused by the converter or on reading back"] += 1
        rows.append(
            Row(
                what=f"{count} random plans over all {len(SCHEMES)} schemes, {example}, {name}",
                figure="0 silent differences",
                measured=", ".join(f"{number} {end}" for end, number in sorted(ends.items())),
                reached=ends["SILENTLY DIFFERENT"] == 0 and sum(ends.values()) == count,
            )
        )
    return rows


def _float_file(model: object) -> bytes:
    from builder.backends.tflite.convert import to_float_file

    return to_float_file(model)[0]  # type: ignore[arg-type]


def large_row() -> Row:
    """Ten linear layers of 2.5 M weights each, fp32: reading back every layer's scheme from the file alone."""
    import torch

    from builder.backends.base import Model
    from builder.backends.tflite.convert import to_float_file
    from builder.bundle import TensorSpec
    from builder.precision.layers import layer_table

    width = int((LARGE_BYTES / 4 / 10) ** 0.5)
    network = torch.nn.Sequential(*(torch.nn.Linear(width, width) for _ in range(10))).eval()
    program = torch.export.export(network, (torch.zeros(1, width),))
    spec = {"kind": "tensor", "shape": (1, width)}
    model = Model(
        program=program,
        inputs=(TensorSpec.model_validate({"name": "x", **spec}),),
        outputs=(TensorSpec.model_validate({"name": "y", **spec}),),
        layers=layer_table(program),
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
    """Hours on two cores: most of it are the larger examples on ExecuTorch and Core ML."""
    rows = [large_row()]
    for example, count in PLANS.items():
        rows += random_rows(example, count)
    return rows
