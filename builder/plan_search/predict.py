"""What a plan would measure, told at once from a measured neighbour: it orders a person's tries and decides nothing.

Bytes change by the stored weights of the layers that change; noise by their simulated noise (`builder.precision.sensitivity`), set to
scale by what the neighbour measured; work by the multiply-accumulates of each kind of arithmetic. Layers are taken as independent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builder.plan_search.estimate import guess_cost
from builder.plan_search.goal import LEAST_NOISE, Measures
from builder.plan_search.space import Choice
from builder.precision.layers import LayerTable
from builder.precision.scheme import parse_scheme

# A simulation that is further off than 15 dB is not believed for more.
MOST_SCALE = 30.0


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """`psnr_db` is None without a simulation; `work` is relative to fp32. `measured`: this very plan was exported, and nothing is guessed."""

    bytes: int
    psnr_db: float | None
    work: float
    measured: bool


def predict(
    choice: Choice,
    known: Mapping[Choice, Measures],
    table: LayerTable,
    simulated: Mapping[str, Sequence[float]] | None,
) -> Prediction:
    """From the plan of `known` with the fewest other layers, which must not be empty. `simulated`: noise by scheme, a value a layer."""
    near = min(known, key=lambda other: (_apart(choice, other), other.order()))
    base = known[near]
    if near == choice:
        return Prediction(bytes=base.bytes, psnr_db=base.psnr_db, work=estimate_work(choice, table), measured=True)
    return Prediction(
        bytes=max(0, base.bytes + _weights(choice, table) - _weights(near, table)),
        psnr_db=None if simulated is None else _predict_psnr_db(choice, near, base, known, simulated),
        work=estimate_work(choice, table),
        measured=False,
    )


def predict_alone(scheme: str, layer: int, simulated: Mapping[str, Sequence[float]] | None) -> float | None:
    """PSNR in dB of the outputs with this one layer in the scheme and all others in floats; None where it adds no noise to speak of."""
    noise = simulated[scheme][layer] if simulated is not None and scheme in simulated else 0.0
    return None if noise <= LEAST_NOISE else -10 * math.log10(noise)


def estimate_work(choice: Choice, table: LayerTable) -> float:
    """By the kernels that run each scheme, relative to fp32."""
    total = sum(layer.macs for layer in table.layers)
    pairs = zip(choice.schemes, table.layers, strict=True)
    return sum(guess_cost(scheme) * layer.macs for scheme, layer in pairs) / max(total, 1)


def _apart(one: Choice, other: Choice) -> int:
    layers = sum(a != b for a, b in zip(one.schemes, other.schemes, strict=True))
    return layers + len(one.schemes) * ((one.settings, one.between) != (other.settings, other.between))


def _weights(choice: Choice, table: LayerTable) -> int:
    pairs = zip(choice.schemes, table.layers, strict=True)
    return sum(parse_scheme(scheme, where="a plan").count_weight_bytes(layer.weight_shape) for scheme, layer in pairs)


def _predict_psnr_db(
    choice: Choice,
    near: Choice,
    base: Measures,
    known: Mapping[Choice, Measures],
    simulated: Mapping[str, Sequence[float]],
) -> float:
    """A neighbour with noise of its own tells how far the simulation is off; below the best that was measured nothing is promised."""
    measured, mine, wanted = base.quantities()["noise"], _noise(near, simulated), _noise(choice, simulated)
    floor = min(measures.quantities()["noise"] for measures in known.values())
    if mine > 0:
        scale = min(max(measured / mine, 1 / MOST_SCALE), MOST_SCALE)
        noise = max(measured + scale * (wanted - mine), scale * wanted, LEAST_NOISE)
    else:
        noise = measured + wanted
    return -10 * math.log10(max(noise, min(floor, measured) if wanted > 0 else LEAST_NOISE, LEAST_NOISE))


def _noise(choice: Choice, simulated: Mapping[str, Sequence[float]]) -> float:
    return sum(simulated[s][n] for n, s in enumerate(choice.schemes) if s in simulated)
