"""Checkpoints that were trained for integers: what was learned is in the files of all backends, and they compute the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from builder.backends import coreml, executorch, tflite
from builder.backends.coreml.options import CoreMLOptions
from builder.backends.executorch.pte import load as load_pte
from builder.backends.executorch.xnnpack import read_graphs
from builder.backends.tflite.flatbuffer import load_model as load_tflite
from builder.backends.tflite.graph import read_graph
from builder.errors import ConfigError, SourceError, VerificationError
from builder.graph.model import Model
from builder.graph.samples import read_sample
from builder.legalize.for_variant import find_needed, legalize_model
from builder.precision.plan import ResolvedPlan, load_plan, make_uniform_plan, resolve
from builder.precision.quantizers import find_activation_grids, know_operators
from builder.project.config import load_config
from builder.project.data import find_data
from builder.project.project import open_project
from builder.sources import load_model
from tests.builder.models import expected
from tests.builder.projects import edit, write_pictures
from tests.builder.quantized_networks import train_for_integers, write_project

# The converters warn of their own and torch's deprecations; the worker's log keeps that from users.
pytestmark = pytest.mark.filterwarnings("ignore")

TINY = Path(__file__).resolve().parents[3] / "examples" / "tiny_style"
SIZE = 32


class Small(nn.Module):
    """A depthwise and a pointwise convolution around a sum, with zero padding and a sigmoid in floats."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.dw = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.pw = nn.Conv2d(8, 8, 1)
        self.tail = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.head(x))
        x = x + torch.relu(self.pw(self.dw(x)))
        return torch.sigmoid(self.tail(x))


class Normed(nn.Module):
    """A group norm in floats between two layers of integers, which rewrites take apart."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.norm = nn.GroupNorm(4, 8)
        self.tail = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.tail(torch.relu(self.norm(self.head(x)))))


def project(folder: Path, network: nn.Module, **settings: Any) -> Path:
    write_pictures(folder / "evaluation", 2, seed=2)
    return write_project(folder, train_for_integers(network, SIZE, **settings), "evaluation/*", size=SIZE, name="small")


def as_trained(model: Model) -> ResolvedPlan:
    return resolve(make_uniform_plan("as_trained"), model.layers, where="test")


def made(backend: Any, model: Model, path: Path) -> Any:
    """The file of the rewritten network, its scheme by layer, and how to run it."""
    delegate = backend.SPEC.delegate_names[0]
    model, _ = legalize_model(model, find_needed(backend.SPEC.delegate(delegate).traits), ())
    lowered = backend.lower(model, as_trained(model), delegate, dict, path)
    return backend.read_back(path, model), backend.runner(path, lowered.inputs, lowered.outputs, 2)


@pytest.mark.parametrize("fold", [True, False])
def test_three_files_hold_the_integers_scales_and_zero_points_of_the_checkpoint(tmp_path: Path, fold: bool) -> None:
    """Weights that PT2E has folded to integers keep their layers' names, and every backend's file has exactly what was learned."""
    folder = project(tmp_path / "p", Small(), fold=fold)
    model = load_model(load_config(folder / "builder.toml"), folder)
    assert model.layers.names() == ["head", "dw", "pw", "tail"]
    assert all(layer.trained for layer in model.layers.layers)
    wanted = dict.fromkeys(model.layers.names(), "as_trained")
    sample = read_sample(folder / "evaluation" / "0.png", model.inputs)
    outputs = []
    for backend in (tflite, executorch, coreml):
        realised, run = made(backend, model, tmp_path / f"file{backend.SPEC.suffix}")
        assert realised == wanted, backend.__name__
        outputs.append(run(sample)["out"])
        assert np.abs(outputs[-1] - expected(model, sample)["out"]).max() < 0.05
    assert np.array_equal(outputs[0], outputs[1])
    grids = {(grid.scale[0], grid.zero_point[0]) for grid in find_activation_grids(model.program)}
    graph = read_graph(load_tflite(tmp_path / "file.tflite"))
    assert grids <= {(float(t.scale[0]), int(t.zero_point[0])) for t in graph.tensors if t.scale.size == 1}
    (xnnpack,) = read_graphs(load_pte(tmp_path / "file.pte"))
    held = {(float(np.float32(v.scale[0])), v.zero_point) for v in xnnpack.values.values() if len(v.scale) == 1}
    assert grids <= held


def test_a_file_with_other_integers_is_not_as_trained(tmp_path: Path) -> None:
    """One changed integer of the weights, one changed scale: the read-back says which layer and what."""
    folder = project(tmp_path / "p", Small())
    config = load_config(folder / "builder.toml")
    model = load_model(config, folder)
    made(tflite, model, tmp_path / "file.tflite")
    other = load_model(config, folder)
    quantize = next(n for n in other.program.graph.nodes if str(n.target).endswith("quantize_per_tensor.default"))
    quantize.args = (quantize.args[0], quantize.args[1] * 1.001, *quantize.args[2:])
    realised = tflite.read_back(tmp_path / "file.tflite", other)
    assert "of its input" in realised["head"]
    assert {realised[name] for name in ("dw", "pw", "tail")} == {"as_trained"}
    other.program.state_dict["pw.weight"].data[0, 0, 0, 0] *= -0.9
    with pytest.raises(VerificationError, match="layer 'pw' is not in the TFLite file"):
        tflite.read_back(tmp_path / "file.tflite", other)


def test_norms_of_floats_between_layers_of_integers_are_rewritten_and_proven_without_rounding(tmp_path: Path) -> None:
    """A quantizer turns a change of the last bit into a whole step: rewrites are compared with what it rounds."""
    folder = project(tmp_path / "p", Normed())
    model = load_model(load_config(folder / "builder.toml"), folder)
    _, rows = legalize_model(model, find_needed(("xnnpack",)), ())
    assert {row.rewrite: row.places > 0 for row in rows}["group_norm"]
    assert all(row.places for row in rows)
    for backend in (tflite, executorch):
        realised, _ = made(backend, model, tmp_path / f"file{backend.SPEC.suffix}")
        assert set(realised.values()) == {"as_trained"}, backend.__name__


def test_litert_and_executorch_agree_bit_for_bit_on_every_evaluation_picture_of_tiny_style(tmp_path: Path) -> None:
    """One training, two runtimes, the same picture: 0 of 196,608 values differ on each of the five."""
    floats = load_config(TINY / "builder.toml")
    network = load_model(floats, TINY).program.module(check_guards=False)
    folder = write_project(
        tmp_path / "p", train_for_integers(network, 256, steps=1), "evaluation/*", size=256, name="tiny"
    )
    shutil.copytree(TINY / "images" / "evaluation", folder / "evaluation")
    config = load_config(folder / "builder.toml")
    model = load_model(config, folder)
    runners = [made(backend, model, tmp_path / f"file{backend.SPEC.suffix}")[1] for backend in (tflite, executorch)]
    files = find_data(config, folder).evaluation
    assert len(files) == 5
    for file in files:
        sample = read_sample(file.path, model.inputs)
        one, other = (run(sample)["out"] for run in runners)
        assert np.array_equal(one, other), file.path.name


def test_a_checkpoint_of_integers_is_as_trained_without_being_asked_and_nothing_else(tmp_path: Path) -> None:
    """No scheme means as_trained; another scheme, and as_trained for a network of floats, are refused."""
    folder = project(tmp_path / "p", Small())
    opened = open_project(folder / "builder.toml")
    model = load_model(opened.config, folder)
    plan, where = opened.plan(opened.config.variant[0])
    assert resolve(plan, model.layers, where=where).uniform.name == "as_trained"  # type: ignore[union-attr]
    assert opened.config.variant[0].name == "tflite-xnnpack-as_trained"
    with pytest.raises(ConfigError, match="trained for integers, so 'head' cannot be fp16"):
        resolve(make_uniform_plan("fp16"), model.layers, where="test")
    (folder / "plan.toml").write_text('[[rule]]\nmatch = ".*"\nscheme = "as_trained"\n', encoding="utf-8")
    resolve(load_plan(folder / "plan.toml"), model.layers, where="test")
    floats = load_model(load_config(TINY / "builder.toml"), TINY)
    with pytest.raises(ConfigError, match="no integers of its own"):
        resolve(make_uniform_plan("as_trained"), floats.layers, where="test")


def test_scales_that_are_chosen_at_run_time_are_refused(tmp_path: Path) -> None:
    """Dynamic quantizers learned nothing: the message says what to train with."""

    class Dynamic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tail = nn.Conv2d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            q = torch.ops.quantized_decomposed
            scale, zero = q.choose_qparams.tensor(x, -128, 127, 1e-6, torch.int8)
            x = q.dequantize_per_tensor.tensor(
                q.quantize_per_tensor.tensor(x, scale, zero, -128, 127, torch.int8), scale, zero, -128, 127, torch.int8
            )
            return self.tail(x)

    know_operators()

    program = torch.export.export(Dynamic().eval(), (torch.rand(1, 3, SIZE, SIZE),))
    write_pictures(tmp_path / "p" / "evaluation", 2, seed=2)
    folder = write_project(tmp_path / "p", program, "evaluation/*", size=SIZE, name="dynamic")
    with pytest.raises(SourceError, match=r"at run time.*nothing that it learned"):
        load_model(load_config(folder / "builder.toml"), folder)


def test_core_ml_for_ios_16_has_no_integer_activations(tmp_path: Path) -> None:
    """A deployment target that is too old is refused with the line to change."""
    folder = project(tmp_path / "p", Small())
    edit(folder / "builder.toml", 'backend = "coreml"', 'backend = "coreml"\ndeployment_target = "iOS16"')
    model = load_model(load_config(folder / "builder.toml"), folder)
    with pytest.raises(ConfigError, match="iOS17"):
        coreml.lower(
            model, as_trained(model), "all", dict, tmp_path / "a.mlpackage", CoreMLOptions(deployment_target="iOS16")
        )
