"""builder.toml and plan.toml: what is accepted, and what the one sentence says when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.config import load_config
from builder.errors import ConfigError
from builder.precision.layers import Layer, LayerTable
from builder.precision.plan import load_plan, resolve
from tests.builder.projects import CONFIG, PLAN


def write(folder: Path, text: str) -> Path:
    path = folder / "builder.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('licence = "Apache-2.0"', 'license = "Apache-2.0"', "did you mean 'licence'"),
        (
            'backend = "tflite"\ndelegate = "xnnpack"\nscheme = "fp32"',
            'backend = "tflite"\ndelegate = "gpo"\nscheme = "fp32"',
            "unknown delegate 'gpo'",
        ),
        ('scheme = "fp32"', "", "needs either 'plan' or 'scheme'"),
        ('scheme = "fp32"', 'plan = "plan.toml"', "two variants are named 'tflite-xnnpack-plan'"),
        ("shape = [1, 3, 32, 32]", "shape = [1, 32, 32, 3]", "must be [1, 3, height, width]"),
        ("range = [0.0, 1.0]\n\n[[output]]", "range = [1.0, 0.0]\n\n[[output]]", "'range' must be [low, high]"),
        ('checkpoint = "small.safetensors"', "", "'checkpoint' is missing"),
        ('checkpoint = "small.safetensors"', 'checkpoint = "small.bin"', "must be a .safetensors, .pt or .pth"),
        ('source = "model:create"', 'source = "model"', "'module:callable' or a .pt2"),
        ('name = "out"', 'name = "image"', "two inputs or outputs are named 'image'"),
        ('name = "small"', 'name = "../small"', "cannot be used as a file name"),
        ('evaluation = "evaluation/*"', "", "'data.evaluation' is missing"),
        ("[model]", "[model", "is not TOML"),
    ],
)
def test_a_wrong_config_is_refused_with_the_key_and_the_cure(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Each mistake names its key, and the near one where a name is unknown."""
    assert old in CONFIG
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, CONFIG.replace(old, new, 1)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_config_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """A directory without builder.toml is named with the path that was tried."""
    with pytest.raises(ConfigError, match=r"builder\.toml does not exist"):
        load_config(tmp_path)


@given(st.text(max_size=400))
def test_any_text_is_a_config_or_one_sentence(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """No text whatsoever ends in anything but a Config or a ConfigError."""
    path = tmp_path_factory.mktemp("fuzz") / "builder.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError):
        load_config(path)


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
        ('[[rule]]\nmatch = "heat"\nscheme = "fp16"', "matches no layer: 'heat'; did you mean 'head'?"),
        ('[[rule]]\nmatch = ".*"\nscheme = "fp61"', "unknown scheme 'fp61'; did you mean 'fp16'?"),
        ('[[rule]]\nmatch = "("\nscheme = "fp16"', "is not a regular expression"),
        ('[[rule]]\nmatch = ".*"\nop = "linear"\nscheme = "fp16"', "matches no layer"),
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


def test_the_test_plan_is_itself_valid(tmp_path: Path) -> None:
    """The plan of the small project resolves as its tests expect."""
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    plan = resolve(load_plan(path), table("head", "dw", "pw", "tail"), where="plan.toml")
    assert plan.needs_calibration
    assert plan.uniform is None
