"""An additive estimate, fitted to all trials so far: what each layer's scheme adds to noise, bytes and cost.

It only orders what is tried next; what counts is always measured on the exported file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from builder.plan_search.goal import Measures, Quantity
from builder.plan_search.space import Choice, Space
from builder.precision.layers import LayerTable
from builder.precision.scheme import parse_scheme

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

# A measurement is fitted as if it were exact to this share; schemes side by side are not quite additive.
TRUST = 0.02


# Instructions relative to fp32 where nothing was counted yet: XNNPACK's kernels on arm64, and reference kernels for int16.
GUESSED_COST = {"float": 1.0, "int8": 0.6, "int16": 2.5, "dynamic": 1.2}
_SETTINGS: tuple[Callable[[Choice], bool], ...] = (
    lambda choice: choice.between != "float",
    lambda choice: choice.settings.ranges == "percentile",
    lambda choice: choice.settings.ranges == "mse",
    lambda choice: choice.settings.correct_biases,
    lambda choice: choice.settings.equalize,
)


class Estimate:
    """One coefficient for every (layer, scheme), one for each setting, one for every change of arithmetic between
    neighbours, and a constant.

    `shares[scheme][i]` is layer i's guessed part of the noise of the whole network in this scheme; they sum to 1.
    """

    def __init__(self, space: Space, table: LayerTable, shares: Mapping[str, Sequence[float]]) -> None:
        self._space = space
        self._column = {
            (layer, scheme): number
            for number, (layer, scheme) in enumerate(
                (layer, scheme) for layer, options in enumerate(space.options) for scheme in options
            )
        }
        self._size = len(self._column) + len(_SETTINGS) + 2
        self._arithmetic = {name: _arithmetic(name) for name in space.schemes}
        params = [layer.params for layer in table.layers]
        macs = [layer.macs for layer in table.layers]
        self._harm = {scheme: list(found) for scheme, found in shares.items()}
        self._sizes: dict[Quantity, list[float]] = {
            "bytes": [count / max(sum(params), 1) for count in params],
            "cost": [count / max(sum(macs), 1) for count in macs],
            "left": [count / max(sum(macs), 1) for count in macs],
        }
        self.coefficients: dict[Quantity, Vector] = {}

    def features(self, choice: Choice) -> Vector:
        row = np.zeros(self._size)
        schemes = choice.schemes
        first = len(self._column)
        row[first : first + len(_SETTINGS)] = [asked(choice) for asked in _SETTINGS]
        for layer, scheme in enumerate(schemes):
            row[self._column[layer, scheme]] = 1.0
        kinds = [self._arithmetic[scheme] for scheme in schemes]
        row[-2] = sum(a != b for a, b in pairwise(kinds))
        row[-1] = 1.0
        return row

    def fit(self, measured: Mapping[Choice, Measures]) -> None:
        """Least squares with a prior: each uniform plan's value, shared among its layers."""
        quantities = {schemes: measures.quantities() for schemes, measures in measured.items()}
        names = {name for values in quantities.values() for name in values}
        for name in sorted(names):
            rows = [(self.features(s), values[name]) for s, values in quantities.items() if name in values]
            plain = {s: Choice(schemes=self._space.uniform(s)) for s in self._space.schemes}
            uniform = {s: quantities[choice].get(name) for s, choice in plain.items() if choice in quantities}
            known = {s: v for s, v in uniform.items() if v is not None}
            if name == "cost":
                known = {**{s: guess_cost(s) for s in self._space.schemes}, **known}
            self.coefficients[name] = self._solve(name, rows, known)

    def _solve(self, name: Quantity, rows: list[tuple[Vector, float]], uniform: Mapping[str, float]) -> Vector:
        typical = float(np.median([value for _, value in rows])) + 1e-12
        prior = np.zeros(self._size)
        for (layer, scheme), number in self._column.items():
            share = self._sizes[name][layer] if name in self._sizes else self._estimate_harm(scheme, layer)
            prior[number] = share * uniform.get(scheme, typical)
        spread = np.abs(prior) + abs(typical) / self._size
        spread[-2:] = typical / 10
        known = [value * TRUST + typical * 1e-6 for _, value in rows]
        left = np.array([row / sigma for (row, _), sigma in zip(rows, known, strict=True)])
        right = np.array([(value - row @ prior) / sigma for (row, value), sigma in zip(rows, known, strict=True)])
        change = np.linalg.lstsq(
            np.vstack([left, np.diag(1 / spread)]), np.concatenate([right, np.zeros(self._size)]), rcond=None
        )[0]
        solved: Vector = prior + change
        return solved

    def _estimate_harm(self, scheme: str, layer: int) -> float:
        return self._harm[scheme][layer] if scheme in self._harm else 1 / len(self._space.names)

    def value(self, name: Quantity, choice: Choice) -> float:
        """Estimated quantity of a plan."""
        return float(self.features(choice) @ self.coefficients[name])

    def change(self, name: Quantity, before: Choice, after: Choice) -> float:
        """Estimated difference of a quantity between two plans."""
        return float((self.features(after) - self.features(before)) @ self.coefficients[name])


def _arithmetic(scheme_name: str) -> str:
    scheme = parse_scheme(scheme_name, where="search")
    return f"int{scheme.activation_bits}" if scheme.mode == "static" else "float"


def guess_cost(scheme_name: str) -> float:
    """Cost of a network in this scheme, relative to fp32, before anything was counted."""
    return GUESSED_COST[find_cost_kind(scheme_name)]


def find_cost_kind(scheme_name: str) -> str:
    """`float`, `dynamic`, `int8` or `int16`: schemes of one kind run much the same kernels."""
    dynamic = parse_scheme(scheme_name, where="search").mode == "dynamic"
    return "dynamic" if dynamic else _arithmetic(scheme_name)
