"""Operators that a backend refuses, planted at random places of whole networks: is the culprit named, never an innocent, and how fast."""

from __future__ import annotations

import random
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.everyday import silencing
from bench.table import ROOT, Row

sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from torch.export import ExportedProgram

PLACES = 40
LEAST_PART, MOST_S = 0.95, 8.0
# What every backend refuses: it keeps shapes, and takes any number.
OPERATORS = ("special_bessel_j0", "special_bessel_j1", "special_i0e")
NETWORKS = (
    "wavelets", "super_resolution", "convnext", "u2net", "partial_filling", "picture_matting", "segformer", "swin", "face_restoration", "mobilevit",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Planted:
    """`operator` stands in `network` behind the operator `after`, on `backend`; `said` is the sentence of the search."""

    network: str
    backend: str
    operator: str
    after: str
    said: str
    right: bool
    innocent: bool
    seconds: float


def plant(program: ExportedProgram, operator: str, draw: random.Random) -> tuple[ExportedProgram, str]:
    """The program with the operator behind one of its own, drawn among those that give floats; and the name of that one."""
    import torch

    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    module: Any = program.module(check_guards=False)
    nodes = [node for node in module.graph.nodes if node.op == "call_function" and _is_float(values.get(node.name))]
    chosen = draw.choice(nodes)
    with module.graph.inserting_after(chosen):
        made = module.graph.call_function(getattr(torch.ops.aten, operator).default, (chosen,))
    made.meta = dict(chosen.meta)
    chosen.replace_all_uses_with(made, delete_user_cb=lambda user: user is not made)
    module.recompile()
    inputs = tuple(
        torch.zeros(tuple(values[name].shape), dtype=values[name].dtype) for name in program.graph_signature.user_inputs
    )
    with torch.no_grad():
        return torch.export.export(module, inputs), chosen.name


def _is_float(value: Any) -> bool:
    return value is not None and hasattr(value, "is_floating_point") and value.is_floating_point() and value.ndim > 1


def look(network: str, backend_name: str, operator: str, draw: random.Random) -> Planted:
    """The search as a conversion starts it, on a program that was made plain and rewritten for the backend."""
    import torch

    from builder.backends import BACKENDS
    from builder.errors import ConversionError
    from builder.graph.culprit import name_culprit
    from builder.graph.model import Model
    from builder.graph.origins import place
    from builder.legalize import REWRITES
    from builder.legalize.at_source import make_plain
    from builder.legalize.for_variant import find_needed
    from builder.legalize.legalizer import legalize
    from builder.precision.layers import list_layers
    from builder.sources.batch_norm import fold_batch_norms
    from tests.builder.models import make_variant_job
    from tests.papers.projects import PAPERS

    entry = PAPERS[network][1]
    program = fold_batch_norms(make_plain(torch.export.export(entry.create(), entry.samples())))
    delegate = "all" if backend_name == "coreml" else "xnnpack"
    traits = BACKENDS[backend_name].SPEC.delegate(delegate).traits
    program, _ = legalize(program, find_needed(traits), REWRITES)
    program, after = plant(program, operator, draw)
    model = Model(program=program, inputs=entry.inputs, outputs=entry.outputs, layers=list_layers(program))
    with tempfile.TemporaryDirectory() as name:
        from builder.workers.jobs.shared import lower_alone
        from tests.builder.models import plan_of

        plan = plan_of(dict.fromkeys(model.layers.names(), "fp32"))
        job = make_variant_job(backend_name, Path(name), plan)
        try:
            lower_alone(job, model, Path(name))
            told = None
        except ConversionError as error:
            told = str(error)
        start = time.monotonic()
        said = (
            ""
            if told is None
            else str(name_culprit(program, lambda m: lower_alone(job, m, Path(name)), told, floats=True))
        )
        seconds = time.monotonic() - start
    own = [place(node) for node in program.graph.nodes if str(node.target) == f"aten.{operator}.default"]
    right = f"the operator '{operator}'{own[0]} is what it refuses" in said
    return Planted(
        network=network, backend=backend_name, operator=operator, after=after, said=said or "it converts", right=right,
        innocent=not right and "what it refuses" in said, seconds=round(seconds, 1),
    )  # fmt: skip


def measure() -> list[Row]:
    """Some five minutes; each place is told when it is done."""
    warnings.simplefilter("ignore")
    draw = random.Random(0)
    found = []
    for number in range(PLACES):
        network, backend = NETWORKS[number % len(NETWORKS)], ("tflite", "coreml", "executorch")[number % 3]
        with silencing():
            found.append(look(network, backend, draw.choice(OPERATORS), draw))
        one = found[-1]
        print(
            f"{one.network} on {one.backend}, {one.operator} behind {one.after}: {one.seconds} s, {one.said}",
            file=sys.stderr,
            flush=True,
        )
    right, slowest = sum(one.right for one in found), max(one.seconds for one in found)
    innocent = sum(one.innocent for one in found)
    return [
        Row(
            what=f"the culprit at {PLACES} random places of {len(NETWORKS)} networks",
            figure=f">= {LEAST_PART:.0%} named right, never an innocent",
            measured=f"{right} of {PLACES} ({right / PLACES:.0%}), {innocent} innocent",
            reached=right / PLACES >= LEAST_PART and not innocent,
        ),
        Row(
            what="the longest search", figure=f"<= {MOST_S:g} s", measured=f"{slowest:.1f} s", reached=slowest <= MOST_S
        ),
    ]
