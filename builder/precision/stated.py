"""`[[range]]` of plan.toml: the range of an activation as somebody else found it, instead of what calibration would choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from builder.errors import ConfigError, ConversionError
from builder.precision.layers import LayerTable
from builder.precision.quantizers import Grid, Integers
from builder.precision.ranges import Observation, Observed
from builder.precision.scheme import Scheme
from builder.suggest import did_you_mean

Side = Literal["input", "output"]
SCHEME = "static_wi8_ai8"
# Between the ends of 8-bit integers.
STEPS = 255


class RangeRule(BaseModel):
    """The real numbers that the integers -128 to 127 of an activation stand for. The layer has the scheme `static_wi8_ai8`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    layer: str
    """The whole name of a layer."""
    of: Side = "output"
    """`output` is what the layer gives, after an activation that is computed with it; `input` is what it reads."""
    low: float = Field(le=0, allow_inf_nan=False)
    """The lowest number, at most 0."""
    high: float = Field(ge=0, allow_inf_nan=False)
    """The highest number, at least 0."""
    imported: SkipJsonSchema[Annotated[bool, Field(exclude=True, repr=False)]] = False

    @model_validator(mode="after")
    def _wide(self) -> Self:
        if self.high - self.low < 1e-6:
            raise ValueError(f"the range of {self.layer!r} is empty: 'high' must be above 'low'")
        return self

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} for the {self.of} of {self.layer!r}"


def resolve_ranges(
    rules: Sequence[RangeRule], schemes: Mapping[str, Scheme], table: LayerTable, *, where: str
) -> tuple[RangeRule, ...]:
    """The rules that hold. Of a file of another tool, what is of no layer here is left out.

    Raises ConfigError for a layer that does not exist or has no such integers, and for a file that is of no layer at all.
    """
    names = table.names()
    kept: dict[tuple[str, Side], RangeRule] = {}
    for number, rule in enumerate(sorted(rules, key=lambda rule: not rule.imported)):
        label = f"{where}, range {number + 1}"
        if rule.layer not in names:
            if rule.imported:
                continue
            raise ConfigError(f"{label} is of an unknown layer {rule.layer!r}{did_you_mean(rule.layer, names)}")
        if schemes[rule.layer].name != SCHEME:
            if rule.imported:
                continue
            raise ConfigError(
                f"{label}: {rule.layer!r} is {schemes[rule.layer]}, which has no range to state; give it {SCHEME}, or remove the range."
            )
        kept[rule.layer, rule.of] = rule  # by hand after those of a file
    if rules and all(rule.imported for rule in rules) and not kept:
        other = rules[0].layer
        raise ConfigError(
            f"{where}: 'encodings' names no layer of this network that is {SCHEME}, {other!r} for one{did_you_mean(other, names)}"
        )
    return tuple(kept.values())


def with_stated(
    observed: Observed, rules: Sequence[RangeRule], places: Callable[[str, Side], Sequence[str]]
) -> Observed:
    """The observations with the stated ranges in place of what was seen; `places` gives a backend's names of an activation.

    Raises ConversionError where one tensor gets two ranges.
    """
    ranges = dict(observed)
    by_place: dict[str, RangeRule] = {}
    for rule in rules:
        for place in places(rule.layer, rule.of):
            other = by_place.setdefault(place, rule)
            if (other.low, other.high) != (rule.low, rule.high):
                raise ConversionError(f"the plan states {other} and {rule}, which are one tensor; state one of them.")
            ranges[place] = replace(ranges.get(place, Observation()), stated=(rule.low, rule.high))
    return ranges


def find_missed(rules: Sequence[RangeRule], held: Mapping[str, Sequence[Integers | None]]) -> str | None:
    """The first stated range that a file has not, in words; None where it has all. `held` is by layer, of those with integers.

    Zero is one of the steps, so the ends may stand off by one of them.
    """
    for rule in rules:
        for call in held.get(rule.layer, ()):
            grid = None if call is None else call.inputs if rule.of == "input" else call.outputs
            if grid is None:
                return f"the plan states {rule}, and the file has no integers there"
            low, high = find_ends(grid)
            step = (rule.high - rule.low) / STEPS
            if max(abs(low - rule.low), abs(high - rule.high)) > 1.01 * step:
                return f"the plan states {rule}, and the file has {low:g} to {high:g}"
    return None


def find_ends(grid: Grid) -> tuple[float, float]:
    """The real numbers of -128 and 127."""
    return (-128 - grid.zero_point[0]) * grid.scale[0], (127 - grid.zero_point[0]) * grid.scale[0]
