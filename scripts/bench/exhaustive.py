"""The search against all plans of networks small enough to enumerate: 6 layers x 3 schemes, every plan exported and run."""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.table import Row
from builder.backends import tflite
from builder.backends.tflite.activations import observe_file
from builder.backends.tflite.convert import to_float_file
from builder.backends.tflite.realise import realise
from builder.bundle import TensorSpec
from builder.bundle.tensors import measure_psnr_db
from builder.graph.model import Model
from builder.plan_search.goal import Goal, Measures
from builder.plan_search.space import Choice, Schemes, Space
from builder.plan_search.strategy import Search
from builder.precision.layers import list_layers
from builder.precision.plan import Choice as LayerChoice
from builder.precision.plan import ResolvedPlan
from builder.precision.scheme import SCHEMES
from builder.precision.sensitivity import estimate_sensitivities

SEEDS = 20
SIZE, SAMPLES = 16, 3
CHOICES = ("fp16", "dynamic_wi8_afp32", "static_wi8_ai8")
TRIALS, WITHIN_DB = 40, 0.5
BUDGETS = (0.25, 0.5, 0.75)  # of the way from the smallest plan's bytes to the largest's


class SixLayers(nn.Module):
    """Head, depthwise, pointwise, a wide 3x3, a pointwise and a tail, with random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 16, 3, padding=1)
        self.dw = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.pw = nn.Conv2d(16, 24, 1)
        self.wide = nn.Conv2d(24, 24, 3, padding=1)
        self.back = nn.Conv2d(24, 16, 1)
        self.tail = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.head(image))
        y = torch.relu(self.wide(torch.relu(self.pw(self.dw(x)))))
        return torch.sigmoid(self.tail(x + self.back(y)))


def make_source(seed: int) -> Model:
    torch.manual_seed(seed)
    spec = TensorSpec(
        name="image", kind="image", shape=(1, 3, SIZE, SIZE), color_order="RGB", range=(0.0, 1.0), resize="stretch"
    )
    program = torch.export.export(SixLayers().eval(), (torch.rand(spec.shape),))
    out = spec.model_copy(update={"name": "stylized"})
    return Model(program=program, inputs=(spec,), outputs=(out,), layers=list_layers(program))


def draw_pictures(seed: int, count: int) -> list[dict[str, np.ndarray]]:  # type: ignore[type-arg]
    generator = np.random.default_rng(seed)
    return [{"image": generator.random((1, 3, SIZE, SIZE), np.float32)} for _ in range(count)]


def measure_every_plan(model: Model, seed: int) -> dict[Schemes, Measures]:
    """Each plan exported, run on held-out pictures and compared with the source network."""
    file, lowered = to_float_file(model)
    observed = observe_file(file, lowered, draw_pictures(seed + 1000, SAMPLES))
    held_out = draw_pictures(seed + 2000, SAMPLES)
    with torch.no_grad():
        module = model.program.module()
        wanted = [module(torch.from_numpy(picture["image"])).numpy() for picture in held_out]
    names = model.layers.names()
    found = {}
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as folder:
        artifact = Path(folder) / "plan.tflite"
        for schemes in itertools.product(CHOICES, repeat=len(names)):
            choices = {n: LayerChoice(scheme=SCHEMES[s], rule=0) for n, s in zip(names, schemes, strict=True)}
            plan = ResolvedPlan(rules=(), choices=choices, fallback=None)
            artifact.write_bytes(realise(file, model, plan, lambda: observed))
            run = tflite.runner(artifact, lowered.inputs, lowered.outputs, 1)
            psnrs = [measure_psnr_db(run(p)["stylized"], w, 1.0) for p, w in zip(held_out, wanted, strict=True)]
            found[schemes] = Measures(
                psnr_db=round(min(psnrs), 2), psnr_db_mean=round(float(np.mean(psnrs)), 2), ssim=None, ssim_mean=None,
                top1=None, bytes=artifact.stat().st_size, cost=None,
            )  # fmt: skip
    return found


def measure_gaps(seed: int) -> list[float]:
    """By how many dB the search falls short of the best plan of all, for each budget of bytes."""
    model = make_source(seed)
    measured = measure_every_plan(model, seed)
    space = Space(names=tuple(model.layers.names()), schemes=CHOICES, options=(CHOICES,) * len(model.layers.names()))
    noise = estimate_sensitivities(
        model.program, model.layers, ["image"], draw_pictures(seed + 1000, 1)[0], [SCHEMES[s] for s in CHOICES[1:]], lambda t: None
    )  # fmt: skip

    def look_up(wanted: Sequence[Choice]) -> list[Measures | str]:
        return [measured[choice.schemes] for choice in wanted]

    sizes = [found.bytes for found in measured.values()]
    found = []
    for share in BUDGETS:
        goal = Goal(objective="noise", limits={"bytes": min(sizes) + share * (max(sizes) - min(sizes))})
        search = Search(
            space=space, table=model.layers, goal=goal, measure=look_up, max_trials=TRIALS,
            told=lambda count, best: None, simulated=lambda: noise,
        )  # fmt: skip
        search.run()
        best = search.best()
        optimum = min(measured.values(), key=goal.rank)
        if best is None or best.measures is None or not goal.is_met(best.measures):
            sys.exit(f"seed {seed}: the search met no budget.")
        found.append(round(optimum.psnr_db - best.measures.psnr_db, 2))
    return found


def search_all(seeds: Sequence[int] = range(SEEDS)) -> Row:
    """A minute or two a seed."""
    torch.set_num_threads(1)
    worst = [max(measure_gaps(seed)) for seed in seeds]
    plans = len(CHOICES) ** 6
    return Row(
        what=f"6 layers x 3 schemes, all {plans} plans exported, {len(worst)} seeds x {len(BUDGETS)} budgets of bytes",
        figure=f"within {WITHIN_DB} dB of the best plan in all",
        measured=f"{sum(gap <= WITHIN_DB for gap in worst)} of {len(worst)} seeds; worst gap {max(worst):.2f} dB",
        reached=max(worst) <= WITHIN_DB,
        instead=f"{plans} exports, the search makes at most {TRIALS}",
    )
