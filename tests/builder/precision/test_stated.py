"""Ranges that a plan states: they are in the files, they name what they are of, and AIMET's files mean the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from builder.backends import executorch, tflite
from builder.compression.learned_plan import to_plan
from builder.errors import ConfigError, ConversionError
from builder.graph.samples import read_sample
from builder.precision.encodings import read_encodings
from builder.precision.plan import ResolvedPlan, load_plan, resolve
from builder.precision.stated import find_missed
from builder.project.config import load_config
from builder.sources import load_model
from tests.builder.projects import write_pictures
from tests.builder.quantized_networks import train_for_integers, write_project

pytestmark = pytest.mark.filterwarnings("ignore")

SIZE = 16
RULE = '[[rule]]\nmatch = ".*"\nscheme = "static_wi8_ai8"\n'


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.tail = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.tail(torch.relu(self.head(x))))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    made = tmp_path_factory.mktemp("floats")
    write_pictures(made / "evaluation", 2, seed=2)
    program = torch.export.export(Small().eval(), (torch.rand(1, 3, SIZE, SIZE),))
    return write_project(made, program, "evaluation/*", size=SIZE, name="small")


def plan_of(folder: Path, text: str) -> ResolvedPlan:
    model = load_model(load_config(folder / "builder.toml"), folder)
    (folder / "plan.toml").write_text(text, encoding="utf-8")
    return resolve(load_plan(folder / "plan.toml"), model.layers, where="plan.toml")


def stated(layer: str, of: str, low: float, high: float) -> str:
    return f'[[range]]\nlayer = "{layer}"\nof = "{of}"\nlow = {low}\nhigh = {high}\n'


@pytest.mark.parametrize("backend", [tflite, executorch])
def test_files_have_the_ranges_that_a_plan_states(folder: Path, tmp_path: Path, backend: Any) -> None:
    """Read back from the file; another range than the file's is named."""
    ranges = stated("head", "input", -0.5, 2.0) + stated("head", "output", 0, 3.25) + stated("tail", "output", -7, 9)
    plan = plan_of(folder, RULE + ranges)
    model = load_model(load_config(folder / "builder.toml"), folder)
    samples = [read_sample(path, model.inputs) for path in sorted((folder / "evaluation").iterdir())]
    seen = lambda: backend.observe(model, iter(samples))  # noqa: E731
    backend.lower(model, plan, "xnnpack", seen, tmp_path / "file")
    held = backend.read_integers(tmp_path / "file", model)
    assert find_missed(plan.ranges, held) is None
    (tail,) = held["tail"]
    assert tail is not None
    assert np.isclose(tail.outputs.scale[0], 16 / 255, rtol=1e-3)  # type: ignore[union-attr]
    other = plan_of(folder, RULE + stated("tail", "output", -7, 9.2))
    assert "the plan states -7 to 9.2 for the output of 'tail', and the file has -7" in str(
        find_missed(other.ranges, held)
    )
    twice = plan_of(folder, RULE + stated("head", "output", 0, 3) + stated("tail", "input", 0, 4))
    with pytest.raises(ConversionError, match="which are one tensor"):
        backend.lower(model, twice, "xnnpack", seen, tmp_path / "other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (stated("hed", "output", 0, 1), "unknown layer 'hed'; did you mean 'head'"),
        (stated("head", "output", 1, 2), "low"),
        (stated("head", "output", 0, 0), "empty"),
        (stated("head", "output", 0, 1) * 2, "two ranges are stated"),
        (stated("head", "output", 0, 1).replace("low", "lwo"), "lwo"),
        ('[[rule]]\nmatch = "head"\nscheme = "fp16"\n' + stated("head", "output", 0, 1), "'head' is fp16"),
    ],
)
def test_a_range_that_means_nothing_is_refused(folder: Path, text: str, message: str) -> None:
    """With the layer, the near name or the key."""
    with pytest.raises(ConfigError, match=message):
        plan_of(folder, RULE + text)


OLD = {"bitwidth": 8, "is_symmetric": "False", "max": 2.55, "min": -2.55, "offset": -128, "scale": 0.02, "dtype": "int"}
FORMS: list[dict[str, Any]] = [
    {"version": "0.6.1", "activation_encodings": {"head": {"output": {"0": OLD}}, "relu": {"output": {"0": OLD}}}},
    {"version": "0.6.1", "activation_encodings": {"/head/Conv_output_0": [OLD], "x": [{"dtype": "float", "bitwidth": 16}]}},
    {
        "version": "1.0.0",
        "activation_encodings": [
            {"name": "head", "enc_type": "PER_TENSOR", "dtype": "INT", "bw": 8, "is_sym": False, "scale": [0.02], "offset": [-128]}
        ],
    },
    {"version": "2.0.0", "encodings": [{"name": "head", "output_dtype": "int8", "y_scale": 0.02, "y_zero_point": None}]},
]  # fmt: skip


@pytest.mark.parametrize("content", FORMS)
def test_encodings_of_all_versions_are_ranges_of_layers(folder: Path, content: dict[str, Any]) -> None:
    """By module or by tensor, with ends or with scales; what is of no layer is left out, and by hand wins."""
    (folder / "net.encodings").write_text(json.dumps(content), encoding="utf-8")
    (rule,) = plan_of(folder, 'encodings = "net.encodings"\n' + RULE).ranges
    assert (rule.layer, rule.of) == ("head", "output")
    assert rule.low == pytest.approx(-2.56, abs=0.02)
    assert rule.high == pytest.approx(2.55, abs=0.02)
    (own,) = plan_of(folder, 'encodings = "net.encodings"\n' + RULE + stated("head", "output", 0, 1)).ranges
    assert own.high == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "no file of AIMET's encodings"),
        ("{", "no file of AIMET's encodings"),
        ('{"activation_encodings": {}}', "no activation of 8 bits"),
        ('{"activation_encodings": {"a": {"output": {"0": 3}}}}', "no file of AIMET's encodings"),
    ],
)
def test_what_is_no_encodings_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """With the key to correct."""
    (tmp_path / "a.encodings").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        read_encodings(tmp_path / "a.encodings")


def test_encodings_of_another_network_are_refused(folder: Path) -> None:
    """A file that is of no layer at all is a mistake."""
    content = {"activation_encodings": {"heat": {"output": {"0": OLD}}}}
    (folder / "net.encodings").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"'encodings' names no layer .*did you mean 'head'"):
        plan_of(folder, 'encodings = "net.encodings"\n' + RULE)


def test_what_was_learned_is_a_plan_for_the_floats(folder: Path, tmp_path: Path) -> None:
    """The plan that compress leaves gives the file of the float network the grids of the trained one."""
    torch.manual_seed(0)
    trained = write_project(
        tmp_path / "qat", train_for_integers(Small(), SIZE), "evaluation/*", size=SIZE, name="small"
    )
    write_pictures(trained / "evaluation", 2, seed=2)
    wanted = load_model(load_config(trained / "builder.toml"), trained)
    text = to_plan(wanted.program)
    assert text is not None
    plan = plan_of(folder, text)
    model = load_model(load_config(folder / "builder.toml"), folder)
    samples = [read_sample(path, model.inputs) for path in sorted((folder / "evaluation").iterdir())]
    tflite.lower(model, plan, "xnnpack", lambda: tflite.observe(model, iter(samples)), tmp_path / "file")
    for name, (held,) in tflite.read_integers(tmp_path / "file", model).items():
        (want,) = wanted.integers()[name]
        assert held is not None
        assert held.inputs.zero_point == want.inputs.zero_point
        assert held.inputs.scale == pytest.approx(want.inputs.scale, rel=1e-5)
