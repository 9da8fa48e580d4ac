"""One network of the corpus on one backend, by the steps of a variant: legalize, lower, read back, run, compare with PyTorch.

`python -m tests.corpus.judge BACKEND [--plain] NAME...` prints one line of JSON a network; `--plain` switches all rewrites off.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from builder.backends import BACKENDS
from builder.backends.base import Model
from builder.bundle.tensors import peak_of, psnr_db
from builder.coverage import explained
from builder.errors import EdgebundleError
from builder.legalize import REWRITES
from builder.legalize.batch_norm import fold_batch_norms
from builder.legalize.delegates import needed
from builder.legalize.legalizer import legalize
from builder.precision.layers import layer_table
from tests.builder.models import plan_of
from tests.corpus import CORPUS

SAMPLES = (7, 8, 9)  # seeds of the inputs that are judged, none of which scaled the weights
RUNS = 15


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of it: the worst agreement over samples and outputs, what the delegate takes, and the median latency in ms.

    `error` is the sentence of a typed refusal; the other figures are then empty.
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
    error: str | None = None


def judge(name: str, backend_name: str, *, plain: bool = False) -> Verdict:
    """With `plain` nothing is rewritten. Errors that are not typed are not caught: they are bugs."""
    try:
        return _judge(name, backend_name, plain)
    except EdgebundleError as error:
        return Verdict(network=name, backend=backend_name, error=f"{type(error).__name__}: {error}")


def _judge(name: str, backend_name: str, plain: bool) -> Verdict:
    network, backend = CORPUS[name], BACKENDS[backend_name]
    delegate = backend.DELEGATES[0]
    module = network.create()
    source = fold_batch_norms(torch.export.export(module, network.samples(SAMPLES[0])))
    names = () if plain else needed(backend_name, delegate)
    program, applied = legalize(source, names, REWRITES, samples=[network.samples(SAMPLES[0])])
    model = Model(program=source, inputs=network.inputs, outputs=network.outputs, layers=layer_table(source))
    model = replace(model, program=program)
    with tempfile.TemporaryDirectory(prefix="edgebundle-corpus-") as folder:
        path = Path(folder) / f"artifact{backend.SUFFIX}"
        plan = plan_of(dict.fromkeys(model.layers.names(), "fp32"))
        lowered = backend.lower(model, plan, delegate, lambda: iter(()), path)  # type: ignore[arg-type, return-value]
        assert set(backend.read_back(path, model).values()) <= {"fp32"}
        coverage = explained(backend.coverage(path, delegate), lowered.origins, source)
        runner = backend.runner(path, lowered.inputs, lowered.outputs, 1)
        worst = []
        for seed in SAMPLES:
            samples = network.samples(seed)
            with torch.no_grad():
                wanted = module(*samples)
            wanted = list(wanted) if isinstance(wanted, tuple | list) else [wanted]
            feed = {spec.name: np.asarray(sample) for spec, sample in zip(network.inputs, samples, strict=True)}
            got = runner(feed)
            for spec, want in zip(network.outputs, wanted, strict=True):
                worst.append(psnr_db(got[spec.name], want.numpy(), peak_of(spec, want.numpy())))
        times = []
        for _ in range(RUNS):
            start = time.perf_counter()
            runner(feed)
            times.append(1000 * (time.perf_counter() - start))
    return Verdict(
        network=name,
        backend=backend_name,
        psnr_db=round(float(min(worst)), 1),
        delegated_ops=coverage.delegated_ops,
        total_ops=coverage.total_ops,
        subgraphs=coverage.subgraphs,
        mac_share=coverage.mac_share,
        left=coverage.left,
        rewrites=tuple(done.name for done in applied),
        latency_ms=round(statistics.median(times), 3),
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    backend_argument, *rest = sys.argv[1:]
    for wanted_name in [word for word in rest if word != "--plain"] or CORPUS:
        verdict = judge(wanted_name, backend_argument, plain="--plain" in rest)
        print("VERDICT " + json.dumps(asdict(verdict)), flush=True)
