"""One network of the corpus on one backend, by the steps of a variant: legalize, lower, read back, run, compare with PyTorch.

`python -m tests.corpus.judge BACKEND [--plain] NAME...` prints one line of JSON a network; `--plain` switches all rewrites off, and
times the file in turns with the rewritten one: two files that run minutes apart on a busy machine say nothing of each other.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from builder.backends import BACKENDS
from builder.backends.coverage import explain_left
from builder.backends.tflite.flatbuffer import load_model
from builder.backends.tflite.graph import read_graph
from builder.bundle import Coverage
from builder.bundle.tensors import find_peak, measure_psnr_db
from builder.errors import EdgebundleError
from builder.graph.model import Model
from builder.legalize import REWRITES
from builder.legalize.for_variant import collect_cures, find_needed
from builder.legalize.legalizer import legalize
from builder.precision.layers import list_layers
from builder.sources.batch_norm import fold_batch_norms
from tests.builder.models import plan_of
from tests.corpus import CORPUS
from tests.corpus.network import Network

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors

SAMPLES = (7, 8, 9)  # seeds of the inputs that are judged, none of which scaled the weights
RUNS = 15


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of it: the worst agreement over samples and outputs, what the delegate takes, and the median latency in ms.

    `error` is the sentence of a typed refusal; the other figures are then empty. `rewritten_ms` is of the rewritten file, timed in
    turns with the unlegalized one. `border_transposes`: of a TFLite file, transposes of its inputs and for its outputs.
    """

    network: str
    backend: str
    psnr_db: float | None = None
    delegated_ops: int | None = None
    total_ops: int | None = None
    subgraphs: int | None = None
    mac_share: float | None = None
    left: tuple[str, ...] = ()
    rewrites: tuple[str, ...] = ()
    latency_ms: float | None = None
    rewritten_ms: float | None = None
    border_transposes: int | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Made:
    """A network as an artifact of a backend, ready to run."""

    coverage: Coverage
    rewrites: tuple[str, ...]
    run: Callable[[Tensors], Tensors]
    border_transposes: int | None


def judge(name: str, backend_name: str, *, plain: bool = False) -> Verdict:
    """With `plain` nothing is rewritten. Errors that are not typed are not caught: they are bugs."""
    try:
        return _judge(name, backend_name, plain)
    except EdgebundleError as error:
        return Verdict(network=name, backend=backend_name, error=f"{type(error).__name__}: {error}")


def _judge(name: str, backend_name: str, plain: bool) -> Verdict:
    network = CORPUS[name]
    module = network.create()
    with tempfile.TemporaryDirectory(prefix="edgebundle-corpus-") as folder:
        made = _made(network, module, backend_name, plain, Path(folder) / "judged")
        worst = []
        for seed in SAMPLES:
            samples = network.samples(seed)
            with torch.no_grad():
                wanted = module(*samples)
            wanted = list(wanted) if isinstance(wanted, tuple | list) else [wanted]
            feed = {spec.name: np.asarray(sample) for spec, sample in zip(network.inputs, samples, strict=True)}
            got = made.run(feed)
            for spec, want in zip(network.outputs, wanted, strict=True):
                worst.append(measure_psnr_db(got[spec.name], want.numpy(), find_peak(spec, want.numpy())))
        rewritten = _made(network, module, backend_name, False, Path(folder) / "rewritten") if plain else None
        runners = [made.run, *([rewritten.run] if rewritten else [])]
        latencies = _in_turns(runners, feed)
    return Verdict(
        network=name,
        backend=backend_name,
        psnr_db=round(float(min(worst)), 1),
        delegated_ops=made.coverage.delegated_ops,
        total_ops=made.coverage.total_ops,
        subgraphs=made.coverage.subgraphs,
        mac_share=made.coverage.mac_share,
        left=made.coverage.left,
        rewrites=made.rewrites,
        latency_ms=latencies[0],
        rewritten_ms=latencies[1] if rewritten else None,
        border_transposes=made.border_transposes,
    )


def _made(network: Network, module: nn.Module, backend_name: str, plain: bool, stem: Path) -> Made:
    """Legalized unless `plain`, lowered to a file in fp32, read back."""
    backend = BACKENDS[backend_name]
    delegate = backend.SPEC.delegates[0].name
    source = fold_batch_norms(torch.export.export(module, network.samples(SAMPLES[0])))
    names = () if plain else find_needed(backend.SPEC.delegates[0].list_traits(halves=False))
    program, applied = legalize(source, names, REWRITES, samples=[network.samples(SAMPLES[0])])
    model = Model(program=program, inputs=network.inputs, outputs=network.outputs, layers=list_layers(source))
    path = stem.with_suffix(backend.SPEC.suffix)
    plan = plan_of(dict.fromkeys(model.layers.names(), "fp32"))
    lowered = backend.lower(model, plan, delegate, dict, path)
    assert set(backend.read_back(path, model).values()) <= {"fp32"}
    return Made(
        coverage=explain_left(backend.coverage(path, delegate), lowered.origins, source, collect_cures()),
        rewrites=tuple(done.name for done in applied),
        run=backend.runner(path, lowered.inputs, lowered.outputs, 1),
        border_transposes=_count_border_transposes(path) if backend_name == "tflite" else None,
    )


def _in_turns(runners: Sequence[Callable[[Tensors], Tensors]], feed: Tensors) -> list[float]:
    """Median milliseconds of each, run one after another in every round."""
    times: list[list[float]] = [[] for _ in runners]
    for _ in range(RUNS):
        for runner, found in zip(runners, times, strict=True):
            start = time.perf_counter()
            runner(feed)
            found.append(1000 * (time.perf_counter() - start))
    return [round(statistics.median(found), 3) for found in times]


def _count_border_transposes(path: Path) -> int:
    """TRANSPOSE operators that read an input of the file or write an output of it."""
    graph = read_graph(load_model(path))
    ends = {*graph.inputs, *graph.outputs}
    return sum(op.name == "TRANSPOSE" and bool({op.inputs[0], *op.outputs} & ends) for op in graph.ops)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    backend_argument, *rest = sys.argv[1:]
    for wanted_name in [word for word in rest if word != "--plain"] or CORPUS:
        verdict = judge(wanted_name, backend_argument, plain="--plain" in rest)
        print("VERDICT " + json.dumps(asdict(verdict)), flush=True)
