"""Networks that were trained for integers by torchao's own tools, as a user would hand them over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

CONFIG = """
[model]
name = "{name}"
source = "{source}"
licence = "Apache-2.0"

[[input]]
name = "image"
kind = "image"
shape = [1, 3, {size}, {size}]
range = [0.0, 1.0]

[[output]]
name = "out"
kind = "image"
range = [0.0, 1.0]

[data]
evaluation = "{evaluation}"

[[variant]]
backend = "tflite"
delegate = "xnnpack"

[[variant]]
backend = "executorch"
delegate = "xnnpack"

[[variant]]
backend = "coreml"
delegate = "all"
"""


def train_for_integers(
    network: nn.Module, size: int, *, fold: bool = True, steps: int = 2
) -> torch.export.ExportedProgram:
    """A few steps of QAT by torchao's PT2E with ExecuTorch's quantizer, and the checkpoint that it leaves."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e

    torch.manual_seed(0)
    sample = (torch.rand(1, 3, size, size),)
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True, is_qat=True))
    exported = isinstance(network, torch.fx.GraphModule)  # of a program, whose mode is what it was exported in
    module: Any = network if exported else torch.export.export(network.train(), sample).module()
    prepared = prepare_qat_pt2e(module, quantizer)
    for parameter in prepared.parameters():
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(prepared.parameters(), lr=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        picture = torch.rand(sample[0].shape)
        ((prepared(picture) - picture) ** 2).mean().backward()
        optimizer.step()
    return torch.export.export(convert_pt2e(prepared, fold_quantize=fold), sample)


def write_project(
    folder: Path, program: torch.export.ExportedProgram, evaluation: str, *, size: int, name: str
) -> Path:
    """A builder.toml with one variant for each backend, none of which names a scheme."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.export.save(program, folder / "qat.pt2")
    text = CONFIG.format(name=name, source="qat.pt2", size=size, evaluation=evaluation)
    (folder / "builder.toml").write_text(text, encoding="utf-8")
    return folder
