"""What the outputs of a network really are, against what builder.toml declares of them: ranges, and pictures of one colour.

A network of 0..255 under `range = [0, 1]` converts without an error and shows white; one that died in training agrees with
its artifacts to 200 dB. Both are found here, on the evaluation data, before any converter starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from builder.bundle import TensorSpec
from builder.bundle.tensors import scale_to_unit
from builder.errors import VerificationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from builder.graph.tensors import Tensors

# Of a picture of 8 bits: what varies less is one colour.
LEVEL = 1 / 255
# Of a value's size: what varies less is float32's rounding.
FLAT = 1e-6
# Of a range's width, by which networks without a clamp leave it.
MARGIN = 0.10
# Of all values: more of them outside of the range is not a network without a clamp.
CLAMPED = 0.25
# Of a range's width, that pictures fill at least where it is to be proposed.
SPREAD = 0.25
# Of the declared range's width: pictures that fill less of it are looked at.
NARROW = 0.02
# Percentiles between which values are taken for usual.
FEW, MANY = 0.5, 99.5
# The ranges in which pictures are stored: of the unit, symmetric, in bytes, and around zero.
USUAL = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-0.5, 0.5), (-127.5, 127.5))


@dataclass(kw_only=True)
class OutputCheck:
    """Collects what every output gives on the evaluation data, in units of its declared range, and judges it at the end."""

    outputs: Sequence[TensorSpec]
    whose: str
    seen: dict[str, list[_Seen]] = field(default_factory=dict)

    def add(self, values: Tensors) -> None:
        """The outputs of one sample by name, logical layout."""
        for spec in self.outputs:
            self.seen.setdefault(spec.name, []).append(_look(values[spec.name], spec))

    def judge(self) -> tuple[str, ...]:
        """Warnings, a sentence each. Raises VerificationError for a picture that no bundle should be made of."""
        self.refuse_constant()
        self._refuse_deaf()
        told: list[str] = []
        for spec in self.outputs:
            seen = self.seen.get(spec.name, [])
            if not seen:
                continue
            if spec.kind == "image":
                told += _judge_range(spec, seen, self.whose)
            told += _find_same_everywhere(spec, seen, self.whose)
        return tuple(told)

    def refuse_constant(self) -> None:
        """Raises VerificationError for a picture of one colour, constant or saturated, on every sample."""
        for spec in self.outputs:
            seen = self.seen.get(spec.name, [])
            if not seen or spec.kind != "image" or any(one.shown >= LEVEL for one in seen):
                continue
            usual = _usual(seen)
            if not _fits(spec, usual) and _fitting(usual, spec, SPREAD) is not None:
                continue  # it only seems so, as 0..1 under [0, 255] does: it is named by its range
            other = None if _inside(usual, _ends(spec)) else _fitting(usual, spec, 0)
            hint = f" (range = [{other[0]:g}, {other[1]:g}] would hold them)" if other else ""
            values = f"{min(one.low for one in seen):.6g} to {max(one.high for one in seen):.6g}"
            raise VerificationError(
                f"output {spec.name!r} of {self.whose} is a picture of one colour for every evaluation sample (its values are {values}{hint}): "
                f"it is constant, or saturates {_describe_declared(spec)}; correct the network, its checkpoint or the range of the output."
            )

    def _refuse_deaf(self) -> None:
        """Raises VerificationError where no output depends on the input. One of several may: anchors, a learned prior."""
        seen = [ones for spec in self.outputs if (ones := self.seen.get(spec.name))]
        if seen and all(_repeats(ones) for ones in seen):
            names = ", ".join(repr(spec.name) for spec in self.outputs if self.seen.get(spec.name))
            raise VerificationError(
                f"{self.whose} gives the same {names} for all {len(seen[0])} evaluation samples: nothing of it depends on the input; "
                "correct the network or its checkpoint, or use different pictures for evaluation."
            )


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Of one sample: extremes and usual values as they are, the width of what a picture shows of them, the share outside."""

    low: float
    high: float
    usual: tuple[float, float]
    shown: float
    outside: float
    size: int
    digest: bytes


def _look(values: NDArray[np.generic], spec: TensorSpec) -> _Seen:
    flat = np.asarray(values, np.float64).reshape(-1)
    low, high = float(flat.min()), float(flat.max())
    few, many = (float(value) for value in np.percentile(flat, (FEW, MANY)))
    shown = outside = 0.0
    if spec.kind == "image":
        unit = scale_to_unit(np.asarray(values), spec).astype(np.float64)
        clipped = np.clip(unit, 0, 1)
        # Each channel alone: a picture of one colour has three values.
        shown = float(np.ptp(clipped.reshape(clipped.shape[1], -1), axis=1).max())
        outside = float(np.mean((unit < -LEVEL / 2) | (unit > 1 + LEVEL / 2)))
    return _Seen(
        low=low, high=high, usual=(few, many), shown=shown, outside=outside, size=flat.size, digest=values.tobytes()
    )


def _judge_range(spec: TensorSpec, seen: Sequence[_Seen], whose: str) -> list[str]:
    low, high = min(one.low for one in seen), max(one.high for one in seen)
    usual = _usual(seen)
    outside = float(np.mean([one.outside for one in seen]))
    name = f"output {spec.name!r} of {whose}"
    better = None if _fits(spec, usual) else _fitting(usual, spec, SPREAD)
    if better is not None and outside <= CLAMPED and not _inside((low, high), better):
        better = None  # it would clamp as well: ringing that goes far, not another range
    if better is not None or outside > CLAMPED:
        better = better or _fitting(usual, spec, 0)
        cure = (
            f"write range = [{better[0]:g}, {better[1]:g}] for it in builder.toml"
            if better
            else "scale it in the network"
        )
        raise VerificationError(
            f"{name} gives values from {low:.4g} to {high:.4g}, which are not those of {_describe_declared(spec)} ({outside:.0%} would be clamped); {cure}."
        )
    if outside > 0:
        return [
            f"{name} leaves {_describe_declared(spec)} ({low:.4g} to {high:.4g}, {outside:.2%} of the values), which every app clamps"
        ]
    if spec.range is not None and low >= (middle := sum(spec.range) / 2):
        upper = (middle, spec.range[1])
        if upper in USUAL and usual[1] - usual[0] >= SPREAD * (upper[1] - upper[0]):
            return [
                f"{name} never goes below {middle:g}, the middle of {_describe_declared(spec)}: if it gives {upper[0]:g} to {upper[1]:g}, correct the range"
            ]
    return []


def _find_same_everywhere(spec: TensorSpec, seen: Sequence[_Seen], whose: str) -> list[str]:
    name = f"output {spec.name!r} of {whose}"
    flat = all(one.high - one.low <= FLAT * max(abs(one.low), abs(one.high)) for one in seen)
    if spec.kind != "image" and seen[0].size > 1 and flat:
        return [f"{name} has one value everywhere ({seen[0].low:.6g} for the first evaluation sample): is it trained?"]
    if _repeats(seen):
        return [f"{name} is the same for all {len(seen)} evaluation samples: it does not depend on the input"]
    return []


def _repeats(seen: Sequence[_Seen]) -> bool:
    return len(seen) > 1 and len({one.digest for one in seen}) == 1


def _usual(seen: Sequence[_Seen]) -> tuple[float, float]:
    return min(one.usual[0] for one in seen), max(one.usual[1] for one in seen)


def _fits(spec: TensorSpec, usual: tuple[float, float]) -> bool:
    ends = _ends(spec)
    return _inside(usual, ends) and usual[1] - usual[0] >= NARROW * (ends[1] - ends[0])


def _inside(usual: tuple[float, float], ends: tuple[float, float]) -> bool:
    width = ends[1] - ends[0]
    return usual[0] >= ends[0] - MARGIN * width and usual[1] <= ends[1] + MARGIN * width


def _fitting(usual: tuple[float, float], spec: TensorSpec, spread: float) -> tuple[float, float] | None:
    """The usual range that these values fill best, and to `spread` of its width at least; None where they fill none but the declared one."""
    width = usual[1] - usual[0]
    widths = [
        (width / (ends[1] - ends[0]), ends)
        for ends in USUAL
        if ends != spec.range and _inside(usual, ends) and width >= spread * (ends[1] - ends[0])
    ]
    return max(widths)[1] if widths else None


def _ends(spec: TensorSpec) -> tuple[float, float]:
    """The smallest and largest value of a declared picture."""
    if spec.range is not None:
        return spec.range
    mean, std = spec.mean or (0.0,), spec.std or (1.0,)
    return (
        min(-m / s for m, s in zip(mean, std, strict=True)),
        max((1 - m) / s for m, s in zip(mean, std, strict=True)),
    )


def _describe_declared(spec: TensorSpec) -> str:
    if spec.range is not None:
        return f"the declared range [{spec.range[0]:g}, {spec.range[1]:g}]"
    low, high = _ends(spec)
    return f"the declared mean and std (values from {low:.3g} to {high:.3g})"
