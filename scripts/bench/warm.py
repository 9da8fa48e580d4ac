"""Warm workers: converting beside the stock converters one process after the other, in pairs of one run; the memory of servers.

A part of the topic `spine`. Each pair takes turns, so that what else the machine does changes both.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from bench.table import ROOT, Row, run

EXAMPLE = ROOT / "examples" / "tiny_style"
PAIRS = 3
SERVERS_GB = 1.5

MODEL = """
import contextlib, io, sys
from pathlib import Path
import numpy as np, torch
sys.path.insert(0, sys.argv[1])
import model
from safetensors.torch import load_file
from PIL import Image
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
net = model.create().eval()
net.load_state_dict(load_file(folder / "tiny_style.safetensors"))
sample = (torch.zeros(1, 3, 256, 256),)
"""
# The six files of tiny_style by the converters' own defaults, as their documentation has it; nothing is verified.
STOCK = {
    "tflite": """
import litert_torch
from ai_edge_quantizer import quantizer, recipe
litert_torch.convert(net, sample).export(str(out / "fp32.tflite"))
pictures = [np.asarray(Image.open(p).convert("RGB"), np.float32).transpose(2, 0, 1)[None] / 255 for p in sorted((folder / "images/calibration").iterdir())]
for name, wanted in (("int8", recipe.static_wi8_ai8()), ("weights", recipe.weight_only_wi8_afp32())):
    q = quantizer.Quantizer(str(out / "fp32.tflite"))
    q.load_quantization_recipe(wanted)
    seen = q.calibrate({"serving_default": [{"args_0": x} for x in pictures]}) if name == "int8" else None
    q.quantize(seen).export_model(str(out / f"{name}.tflite"))
""",
    "executorch": """
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
program = to_edge_transform_and_lower(torch.export.export(net, sample), partitioner=[XnnpackPartitioner()])
(out / "fp32.pte").write_bytes(program.to_executorch().buffer)
""",
    "coreml": """
import coremltools
program = torch.export.export(net, sample).run_decompositions({})
for name, precision in (("fp32", coremltools.precision.FLOAT32), ("fp16", coremltools.precision.FLOAT16)):
    coremltools.convert(program, convert_to="mlprogram", compute_precision=precision, skip_model_load=True).save(str(out / f"{name}.mlpackage"))
""",
}
# Two networks in one process of a user's: the second finds everything warm. Prints seconds of both.
SESSION = """
import os, sys, time
import builder
for turn in ("first", "second"):
    os.environ["EDGEBUNDLE_CACHE"] = f"{sys.argv[2]}/cache-{turn}"
    start = time.perf_counter()
    builder.convert(sys.argv[1], out=f"{sys.argv[2]}/{turn}")
    print(time.perf_counter() - start)
"""


def time_stock(work: Path) -> float:
    total = 0.0
    for text in STOCK.values():
        with tempfile.TemporaryDirectory(dir=work) as out:
            total += run("python", "-c", MODEL + text, EXAMPLE, out)[0]
    return total


def convert_rows(work: Path) -> list[Row]:
    """An empty cache, then the second network of a session, each beside the stock converters in the same turn."""
    ours, again, stock = [], [], []
    for number in range(PAIRS):
        stock.append(time_stock(work))
        turn = work / f"turn{number}"
        turn.mkdir()
        first, second = run("python", "-c", SESSION, EXAMPLE, turn)[1].stdout.split()[-2:]
        ours.append(float(first))
        again.append(float(second))
        shutil.rmtree(turn)
    rows = []
    for what, seconds, figure in (
        ("convert tiny_style, six variants, empty cache", ours, 0.6),
        ("the same, second network of a session", again, 0.3),
    ):
        ratios = [mine / theirs for mine, theirs in zip(seconds, stock, strict=True)]
        rows.append(
            Row(
                what=what,
                figure=f"<= {figure}x",
                measured=f"{statistics.median(ratios):.2f}x ({', '.join(f'{r:.2f}' for r in ratios)})",
                reached=statistics.median(ratios) <= figure,
                instead=f"stock converters, one process after the other, unverified: {statistics.median(stock):.0f} s",
            )
        )
    return rows


def measure_memory(work: Path) -> Row:
    """Proportional memory of all servers once they are warm and at rest, and what one converter's process takes."""
    code = (
        "import builder, os, sys, psutil\nfrom builder.workers import servers\n"
        "builder.convert(sys.argv[1], out=sys.argv[2] + '/bundle')\n"
        "root = psutil.Process(servers._own[0].process.pid)\n"
        "print(sum(p.memory_full_info().pss for p in (root, *root.children(recursive=True))))"
    )
    done = run("python", "-c", code, EXAMPLE, work, cache=work / "memory")[1]
    together = int(done.stdout.split()[-1])
    with tempfile.TemporaryDirectory(dir=work) as out:
        one = measure_peak([sys.executable, "-c", MODEL + STOCK["tflite"], str(EXAMPLE), out])
    return Row(
        what="memory of all servers together",
        figure=f"<= {SERVERS_GB} GB beyond one worker's",
        measured=f"{together / 1e9:.2f} GB, one worker {one / 1e9:.2f} GB",
        reached=together - one <= SERVERS_GB * 1e9,
    )


def measure_peak(words: list[str]) -> int:
    """The largest resident memory of a process."""
    largest = 0
    with psutil.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            try:
                largest = max(largest, process.memory_info().rss)
                process.wait(0.05)
            except (psutil.Error, psutil.TimeoutExpired):
                continue
    return largest


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as folder:
        work = Path(folder)
        return [*convert_rows(work), measure_memory(work)]
