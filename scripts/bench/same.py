"""The same bytes from forked workers and from a new process for each job: the examples and networks of the corpus on all backends.

`python scripts/bench same` takes an hour on two cores; `EDGEBUNDLE_SAME=johnson,unet` looks at these networks alone.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.table import ROOT, Row, run

sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from tests.corpus.network import Network

EXAMPLES = ("tiny_style", "anime_style", "efficientnet_lite0")
VARIANTS = """
[[variant]]
backend = "tflite"
delegate = "xnnpack"
scheme = "fp32"
[[variant]]
backend = "tflite"
delegate = "xnnpack"
scheme = "weight_only_wi8_afp32"
[[variant]]
backend = "executorch"
delegate = "xnnpack"
scheme = "fp32"
[[variant]]
backend = "coreml"
delegate = "all"
scheme = "fp16"
"""


def write_project(name: str, network: Network, folder: Path) -> Path:
    """A builder.toml for a network of the corpus, as an exported program with two samples."""
    import numpy as np
    import torch

    folder.mkdir()
    torch.export.save(torch.export.export(network.create(), network.samples()), folder / "model.pt2")
    (folder / "evaluation").mkdir()
    for seed in (7, 8):
        arrays = {s.name: v.numpy() for s, v in zip(network.inputs, network.samples(seed), strict=True)}
        np.savez(folder / "evaluation" / f"{seed}.npz", **arrays)
    tensors = "".join(
        f'[[{place}]]\nname = "{spec.name}"\nkind = "{spec.kind}"\nshape = {list(spec.shape)}\ndtype = "{spec.dtype}"\n'
        + (f"range = {list(spec.range)}\n" if spec.range else "")
        for place, spec in [("input", s) for s in network.inputs]
    )
    outputs = "".join(f'[[output]]\nname = "{spec.name}"\nkind = "tensor"\n' for spec in network.outputs)
    (folder / "builder.toml").write_text(
        f'[model]\nname = "{name}"\nsource = "model.pt2"\nlicence = "MIT"\n{tensors}{outputs}'
        f'[data]\nevaluation = "evaluation/*.npz"\n{VARIANTS}',
        encoding="utf-8",
    )
    return folder


def read_contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def compare(project: Path, work: Path) -> str:
    """`identical`, `different`, or the sentence of a refusal that both give."""
    found: list[dict[str, bytes] | str] = []
    for way in ("forked", "plain"):
        out = work / f"{project.name}-{way}"
        os.environ.pop("EDGEBUNDLE_WORKERS", None)
        if way == "plain":
            os.environ["EDGEBUNDLE_WORKERS"] = "plain"
        try:
            run("builder", "convert", project, "-o", out, "-q", cache=work / f"cache-{out.name}")
            found.append(read_contents(out))
        except SystemExit as refusal:  # how `run` tells a failure
            found.append(str(refusal).splitlines()[-1])
    first, second = found
    if isinstance(first, str):
        return f"both refuse: {first}" if first == second else f"different: {first}"
    return "identical" if first == second else "different"


def measure() -> list[Row]:
    from tests.corpus import CORPUS

    names = os.environ.get("EDGEBUNDLE_SAME", ",".join(CORPUS)).split(",")
    rows = []
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as folder:
        work = Path(folder)
        examples = [ROOT / "examples" / name for name in EXAMPLES]
        projects = [*examples, *(write_project(name, CORPUS[name], work / name) for name in names if name)]
        for project in projects:
            found = compare(project, work)
            print(f"{project.name}: {found}", file=sys.stderr, flush=True)
            rows.append(
                Row(
                    what=f"{project.name}: forked workers beside a new process for each job",
                    figure="the same bytes",
                    measured=found,
                    reached=not found.startswith("different"),
                )
            )
    return rows
