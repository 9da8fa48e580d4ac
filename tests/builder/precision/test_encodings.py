"""AIMET's files of encodings: each of the three forms gives the ranges that it states, and what is none is one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builder.errors import ConfigError
from builder.precision.encodings import read_encodings

MIN_MAX = {"bitwidth": 8, "dtype": "int", "min": -1.5, "max": 3.0}


def ranges(folder: Path, content: object) -> list[tuple[str, str, float, float]]:
    path = folder / "net.encodings"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return [(rule.layer, rule.of, round(rule.low, 6), round(rule.high, 6)) for rule in read_encodings(path)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"activation_encodings": {"/blocks.0/dw/Conv_output_0": [MIN_MAX]}}, ("blocks.0.dw", "output", -1.5, 3.0)),
        ({"activation_encodings": {"head:0": [MIN_MAX]}}, ("head", "output", -1.5, 3.0)),
        ({"activation_encodings": {"blocks.0": {"input": {"0": MIN_MAX}}}}, ("blocks.0", "input", -1.5, 3.0)),
        (
            {"activation_encodings": [{"name": "tail", "bw": 8, "dtype": "INT", "scale": [0.5], "offset": [-128]}]},
            ("tail", "output", -64.0, 63.5),
        ),
        (
            {"encodings": [{"name": "tail", "output_dtype": "uint8", "y_scale": 0.5, "y_zero_point": 128}]},
            ("tail", "output", -64.0, 63.5),
        ),
        (
            {"encodings": [{"name": "tail", "output_dtype": "int8", "y_scale": 0.5}]},
            ("tail", "output", -64.0, 63.5),
        ),
    ],
    ids=["of a tensor", "with a port", "of a module", "scale and offset", "y_scale", "with a sign"],
)  # fmt: skip
def test_each_form_gives_the_range_that_it_states(
    tmp_path: Path, content: dict[str, Any], expected: tuple[str, str, float, float]
) -> None:
    """By the name of the layer that an exporter's name stands for."""
    assert ranges(tmp_path, content) == [expected]


def test_a_range_holds_zero(tmp_path: Path) -> None:
    """Integers have a zero point: padding and ReLU are exact."""
    above = MIN_MAX | {"min": 1.0, "max": 2.0}
    below = MIN_MAX | {"min": -2.0, "max": -1.0}
    told = ranges(tmp_path, {"activation_encodings": {"a": [above], "b": [below]}})
    assert told == [("a", "output", 0.0, 2.0), ("b", "output", -2.0, 0.0)]


def test_what_no_plan_can_have_is_passed_over(tmp_path: Path) -> None:
    """Floats, other widths, and a scale for each channel; the others of the file are taken."""
    others = {
        "floats": [{"bitwidth": 16, "dtype": "float"}],
        "wide": [MIN_MAX | {"bitwidth": 16}],
        "by channel": [MIN_MAX, MIN_MAX],
    }
    told = ranges(tmp_path, {"activation_encodings": {**others, "kept": [MIN_MAX]}})
    assert [layer for layer, *_ in told] == ["kept"]
    with pytest.raises(ConfigError, match=r"has no activation of 8 bits with one scale; state ranges"):
        ranges(tmp_path, {"activation_encodings": others})


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"activation_encodings": [{"bw": 8}]}', '{"encodings": {"a": {"input": 3}}}']
)
def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, content: str) -> None:
    """Damaged JSON, another list, an entry without a name, a value in the place of a table."""
    with pytest.raises(
        ConfigError, match=r"net.encodings is no file of AIMET's encodings \(\w+: .*; correct 'encodings'\.$"
    ):
        ranges(tmp_path, content)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With what to correct."""
    with pytest.raises(ConfigError, match=r"none.encodings does not exist; correct 'encodings' in the plan"):
        read_encodings(tmp_path / "none.encodings")
