"""The corpus as ONNX files of both exporters, imported: agreement with PyTorch, and whether layers keep their names."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from bench.table import ROOT, Row

ENOUGH_DB, SHARE = 80.0, 0.9


def measure() -> list[Row]:
    """One row an exporter; about three minutes."""
    sys.path.insert(0, str(ROOT))
    import torch

    from tests.corpus import CORPUS

    torch.set_num_threads(2)
    rows = []
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for exporter in ("torchscript", "dynamo"):
            found = {name: _agreement(network, Path(folder), exporter) for name, network in CORPUS.items()}
            good = [name for name, (decibels, _, _) in found.items() if decibels >= ENOUGH_DB]
            named = [name for name, (_, same, _) in found.items() if same]
            bad = "; ".join(
                f"{name}: {why or f'{db:.1f} dB'}" for name, (db, _, why) in found.items() if name not in good
            )
            worst = min((db for db, _, why in found.values() if not why), default=0.0)
            rows.append(
                Row(
                    what=f"corpus from ONNX, {exporter} exporter, {len(found)} networks against PyTorch",
                    figure=f">= {SHARE:.0%} at >= {ENOUGH_DB:g} dB",
                    measured=f"{len(good)} of {len(found)}, worst {worst:.1f} dB, layer names of PyTorch in {len(named)}{'; ' + bad if bad else ''}",
                    reached=len(good) >= SHARE * len(found),
                )
            )
    return rows


def _agreement(network: Any, folder: Path, exporter: str) -> tuple[float, bool, str]:
    """Worst dB over two samples, whether the layers have PyTorch's names, and why it failed if it did."""
    import torch

    from builder.errors import EdgebundleError
    from builder.precision.layers import list_layers
    from builder.project.config import Config
    from builder.quality.parity import agree, make_torch_run
    from builder.sources import load_model
    from builder.sources.batch_norm import fold_batch_norms

    module, samples = network.create(), network.samples()
    names = {"input_names": [s.name for s in network.inputs], "output_names": [s.name for s in network.outputs]}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(module, samples, str(folder / "net.onnx"), dynamo=exporter == "dynamo", **names)
    inputs = [
        {
            "name": s.name,
            "kind": "tensor",
            "shape": s.shape,
            "dtype": s.dtype,
            **({"range": list(s.range)} if s.range else {}),
        }
        for s in network.inputs
    ]
    config = Config.model_validate(
        {
            "model": {"name": "net", "source": "net.onnx", "licence": "Apache-2.0"},
            "input": inputs,
            "output": [{"name": s.name, "kind": "tensor"} for s in network.outputs],
            "data": {"evaluation": "*"},
            "variant": [{"backend": "tflite", "delegate": "xnnpack", "scheme": "fp32"}],
        }
    )
    try:
        model = load_model(config, folder)
    except EdgebundleError as error:
        return 0.0, False, str(error)
    source = make_torch_run(module, model.inputs, model.outputs)
    imported = make_torch_run(model.program.module(), model.inputs, model.outputs)
    worst = 200.0
    for seed in (1, 2):
        sample = {s.name: value.numpy() for s, value in zip(network.inputs, network.samples(seed), strict=True)}
        worst = min(worst, agree(imported(sample), source(sample), model.outputs))
    own = list_layers(fold_batch_norms(torch.export.export(module, samples)))
    return worst, set(own.names()) == set(model.layers.names()), ""
