"""docs/plans.md: its plan works as its comments say, and its tables name what there is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from builder.backends import BACKENDS
from builder.precision.layers import Layer, LayerOp, LayerTable
from builder.precision.plan import load_plan, resolve
from builder.precision.presets import list_presets
from builder.precision.scheme import SCHEMES

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "plans.md").read_text(encoding="utf-8")


def layer(name: str, op: LayerOp = "conv2d") -> Layer:
    return Layer(
        name=name, op=op, weight=f"{name}.weight", bias=None, weight_shape=(8, 8, 3, 3), params=576, macs=576, uses=1,
        first=name == "head", last=name == "tail",
    )  # fmt: skip


def test_the_plan_of_the_page_does_what_its_comments_say(tmp_path: Path) -> None:
    """Copied from the page, it keeps the ends in fp16 and the depthwise convolution of one block in fp32."""
    (tmp_path / "plan.toml").write_text(re.findall(r"```toml\n(.*?)```", TEXT, re.S)[0], encoding="utf-8")
    layers = (layer("head"), layer("blocks.0.dw", "depthwise_conv2d"), layer("blocks.0.pw"), layer("tail"))
    plan = resolve(load_plan(tmp_path / "plan.toml"), LayerTable(layers=layers), where="plan.toml")
    assert {name: choice.scheme.name for name, choice in plan.choices.items()} == {
        "head": "fp16",
        "blocks.0.dw": "fp32",
        "blocks.0.pw": "static_wi8_ai8",
        "tail": "fp16",
    }


def test_the_tables_name_every_preset_and_scheme_and_who_has_it() -> None:
    """A preset or scheme that is added stands on the page, with a plain yes or no where that is the whole truth."""
    for name in list_presets():
        assert f"| `{name}` |" in TEXT
    schemes = TEXT.split("## Schemes")[1]
    for name, scheme in SCHEMES.items():
        if scheme.mode == "palettized":
            assert f"`_w{scheme.weight_bits}`" in TEXT or f"`{name}`" in TEXT
            continue
        cells = next(line for line in schemes.splitlines() if line.startswith(f"| `{name}` |")).split("|")[4:7]
        for cell, backend in zip(cells, ("tflite", "coreml", "executorch"), strict=True):
            asked = replace(layer("a"), trained=scheme.mode == "trained")
            delegate = BACKENDS[backend].SPEC.delegates[0].name
            refused = BACKENDS[backend].find_unsupported(asked, scheme, delegate) is not None
            assert refused == (cell.strip() in ("no", "linear layers", "wide layers (iOS 18)")), (name, backend)
