"""plan.toml: which layers a rule selects, and what the one sentence says when a plan cannot be meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builder.bundle import TensorSpec
from builder.errors import ConfigError
from builder.precision import scheme
from builder.precision.layers import Layer, LayerTable
from builder.precision.plan import load_plan, make_uniform_plan, resolve
from builder.precision.presets import plan_path
from builder.precision.scheme import SCHEMES
from tests.builder.models import Conditional, Mixed, export, make_image_spec, make_picture_model, seeded
from tests.builder.projects import PLAN


def table(*names: str) -> LayerTable:
    layers = tuple(
        Layer(
            name=n,
            op="depthwise_conv2d" if n.endswith("dw") else "conv2d",
            weight=f"{n}.weight",
            bias=None,
            weight_shape=(1,),
            params=1,
            macs=1,
            uses=1,
            first=n == names[0],
            last=n == names[-1],
        )
        for n in names
    )
    return LayerTable(layers=layers)


def test_later_rules_win_and_unmatched_layers_stay_fp32(tmp_path: Path) -> None:
    """Rules are applied in order over the whole layer name, optionally on one op."""
    path = tmp_path / "plan.toml"
    path.write_text(
        '[[rule]]\nmatch = "blocks\\\\..*"\nscheme = "static_wi8_ai8"\n[[rule]]\nmatch = ".*"\nop = "depthwise_conv2d"\nscheme = "fp16"\n'
    )
    plan = resolve(load_plan(path), table("head", "blocks.0.dw", "blocks.0.pw"), where="plan.toml")
    assert {name: choice.scheme.name for name, choice in plan.choices.items()} == {
        "head": "fp32",
        "blocks.0.dw": "fp16",
        "blocks.0.pw": "static_wi8_ai8",
    }
    assert [plan.choices[n].rule for n in ("head", "blocks.0.dw", "blocks.0.pw")] == [-1, 1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[rule]]\nmatch = "heat"\nscheme = "fp16"', "matches no layer: match 'heat'; did you mean 'head'?"),
        (
            '[[rule]]\nmatch = ".*"\nscheme = "INT8"',
            "write static_wi8_ai8 for convolutions and activations in int8, weight_only_wi8_afp32",
        ),
        ('[[rule]]\nmatch = ".*"\nscheme = "half"', "unknown scheme 'half'; write fp16."),
        ('[[rule]]\nmatch = ".*"\nscheme = "fp61"', "unknown scheme 'fp61'; did you mean 'fp16'?"),
        ('[[rule]]\nmatch = "("\nscheme = "fp16"', "is not a regular expression"),
        (
            '[[rule]]\nmatch = ".*"\nop = "linear"\nscheme = "fp16"',
            "op 'linear'; of those that it names, head is a conv2d",
        ),
        ('[[rule]]\nop = "conv3d"\nscheme = "fp16"', "rule.0.op"),
        ('[[rule]]\nglob = "heat"\nscheme = "fp16"', "matches no layer: glob 'heat'; did you mean 'head'?"),
        ('[[rule]]\nglob = "*"\nmatch = ".*"\nscheme = "fp16"', "not both"),
        ('[[rule]]\nscheme = "fp16"', "needs 'match', 'glob', 'op' or 'position'"),
        ('[[rule]]\nposition = "depthwise"\nscheme = "fp16"', "matches no layer: position 'depthwise'"),
        ('[[rule]]\nmatch = ".*"\nposition = "norm"\nscheme = "fp16"', "matches no layer: match '.*', position 'norm'"),
        ('[[rule]]\npositon = "first"\nscheme = "fp16"', "did you mean 'position'?"),
        ('on_unsupported = ["fp16", "fp23"]\n[[rule]]\nmatch = ".*"\nscheme = "fp16"', "unknown scheme 'fp23'"),
        ('on_unsuported = "error"\n[[rule]]\nmatch = ".*"\nscheme = "fp16"', "did you mean 'on_unsupported'?"),
        ('on_unsupported = "fp23"\n[[rule]]\nmatch = ".*"\nscheme = "fp16"', "unknown scheme 'fp23'"),
    ],
)
def test_a_wrong_plan_is_refused_with_the_rule_and_the_near_name(tmp_path: Path, text: str, message: str) -> None:
    """A plan that cannot be meant names the rule by number and what was probably meant."""
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        resolve(load_plan(path), table("head", "tail"), where="plan.toml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "layers"),
    [
        ('glob = "blocks.*.dw"', ["blocks.0.dw", "blocks.1.dw"]),
        ('glob = "*"', ["head", "blocks.0.dw", "blocks.0.pw", "blocks.1.dw", "tail"]),
        ('glob = "blocks.?.pw"', ["blocks.0.pw"]),
        ('match = "blocks.0.*"', ["blocks.0.dw", "blocks.0.pw"]),
        ('position = "first"', ["head"]),
        ('position = "last"', ["tail"]),
        ('position = "depthwise"', ["blocks.0.dw", "blocks.1.dw"]),
        ('glob = "*1*"\nposition = "depthwise"', ["blocks.1.dw"]),
        ('op = "conv2d"', ["head", "blocks.0.pw", "tail"]),
        ('op = ["conv2d", "depthwise_conv2d"]\nglob = "blocks.0.*"', ["blocks.0.dw", "blocks.0.pw"]),
    ],
)
def test_a_rule_selects_by_name_op_and_position(tmp_path: Path, rule: str, layers: list[str]) -> None:
    """Every key narrows the selection: a glob crosses dots, positions are the ends of the network and depthwise layers."""
    path = tmp_path / "plan.toml"
    path.write_text(f'[[rule]]\n{rule}\nscheme = "fp16"\n')
    names = ("head", "blocks.0.dw", "blocks.0.pw", "blocks.1.dw", "tail")
    plan = resolve(load_plan(path), table(*names), where="plan.toml")
    assert [name for name, choice in plan.choices.items() if choice.rule == 0] == layers


def test_the_ends_of_a_network_are_found_in_its_graph() -> None:
    """`first` are the layers next to an input and `last` those next to an output, also with branches and two inputs."""
    mixed = make_picture_model(seeded(Mixed)).layers
    assert [layer.name for layer in mixed.layers if layer.first] == ["head"]
    assert [layer.name for layer in mixed.layers if layer.last] == ["tail"]
    style = TensorSpec(name="style", kind="vector", shape=(1, 5))
    score = TensorSpec(name="score", kind="tensor", shape=(1, 2))
    two = export(seeded(Conditional), (make_image_spec("image"), style), (make_image_spec("out"), score)).layers
    assert [layer.name for layer in two.layers if layer.first] == ["conv", "style"]
    assert [layer.name for layer in two.layers if layer.last] == ["out", "score"]


def test_the_test_plan_is_itself_valid(tmp_path: Path) -> None:
    """The plan of the small project resolves as its tests expect."""
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    plan = resolve(load_plan(path), table("head", "dw", "pw", "tail"), where="plan.toml")
    assert plan.needs_calibration
    assert plan.uniform is None


def test_every_everyday_word_names_a_scheme_that_there_is() -> None:
    """A cure is one that works."""
    assert {meant.split()[0] for meant in scheme._EVERYDAY.values()} <= set(SCHEMES)


def test_arithmetic_without_layers_takes_every_scheme_of_floats() -> None:
    """A network of reshapes and sums is converted like any other; integers have nothing to work on."""
    empty = LayerTable(layers=())
    for name in ("fp32", "fp16"):
        assert resolve(make_uniform_plan(name), empty, where="variant 'x'").choices == {}
    with pytest.raises(ConfigError, match=r"the network has no layers, so .* write scheme = \"fp32\""):
        resolve(make_uniform_plan("weight_only_wi8_afp32"), empty, where="variant 'x'")


def test_a_preset_of_convolutions_names_the_one_for_linear_layers() -> None:
    """And that one takes them."""
    linear = LayerTable(layers=(replace(table("head").layers[0], op="linear"),))
    presets = plan_path("preset:int8-convs", Path()).parent
    with pytest.raises(ConfigError, match=r"head is a linear; write plan = .preset:int8-all."):
        resolve(load_plan(presets / "int8-convs.toml"), linear, where="preset:int8-convs")
    assert (
        resolve(load_plan(presets / "int8-all.toml"), linear, where="preset:int8-all")
        .choices["head"]
        .scheme.has_integers
    )
