"""Schemes: how one layer's weights are stored and its arithmetic is done.

The names follow the grammar of ai-edge-quantizer's recipes: mode, `wi` weight bits, `b` block size, `a` activation type.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from builder.errors import ConfigError
from builder.suggest import did_you_mean

AS_TRAINED = "as_trained"
"""What the checkpoint was trained for: its own integers, scales and zero points, and floats where it has none."""

Mode = Literal["float", "weight_only", "dynamic", "static", "palettized", "sparse", "trained"]


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """`weight_bits` of the stored weights; `activation_bits` of the arithmetic (32 and 16 are floats unless `static`).

    `sparsity`: how many percent of the weights, the smallest, are zero and not stored; a bit for each weight says which.
    `block`: how many weights of an output channel, along the input channels, share a scale; 0 is all of them.
    """

    name: str
    mode: Mode
    weight_bits: int
    activation_bits: int
    sparsity: int = 0
    block: int = 0

    @property
    def needs_calibration(self) -> bool:
        return self.mode == "static"

    @property
    def has_integers(self) -> bool:
        """Whether weights are stored as integers on an even grid."""
        return self.mode in ("weight_only", "dynamic", "static")

    def count_weight_bytes(self, shape: tuple[int, ...]) -> int:
        """Bytes of stored weights of this shape, without scales and palettes."""
        weights = math.prod(shape)
        if self.sparsity:
            return math.ceil(weights / 8) + (weights - math.ceil(weights * self.sparsity / 100)) * self.weight_bits // 8
        return math.ceil(weights * self.weight_bits / 8)

    def __str__(self) -> str:
        return self.name


def _scheme(name: str, mode: Mode, weight_bits: int, activation_bits: int) -> Scheme:
    return Scheme(name=name, mode=mode, weight_bits=weight_bits, activation_bits=activation_bits)


SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        _scheme("fp32", "float", 32, 32),
        _scheme("fp16", "float", 16, 16),
        _scheme("weight_only_wi8_afp32", "weight_only", 8, 32),
        _scheme("weight_only_wi4_afp32", "weight_only", 4, 32),
        _scheme("dynamic_wi8_afp32", "dynamic", 8, 32),
        _scheme("static_wi8_ai8", "static", 8, 8),
        _scheme("static_wi8_ai16", "static", 8, 16),
        _scheme("palettized_w1", "palettized", 1, 16),
        _scheme("palettized_w2", "palettized", 2, 16),
        _scheme("palettized_w4", "palettized", 4, 16),
        _scheme("palettized_w6", "palettized", 6, 16),
        _scheme("palettized_w8", "palettized", 8, 16),
        Scheme(name="sparse_50", mode="sparse", weight_bits=16, activation_bits=16, sparsity=50),
        Scheme(name="sparse_50_palettized_w4", mode="sparse", weight_bits=4, activation_bits=16, sparsity=50),
        _scheme(AS_TRAINED, "trained", 8, 8),
        Scheme(name="weight_only_wi4b32_afp32", mode="weight_only", weight_bits=4, activation_bits=32, block=32),
    )
}


# What people write from other tools, and what they mean by it here.
_EVERYDAY = {
    "int8": "static_wi8_ai8 for convolutions and activations in int8, weight_only_wi8_afp32 for weights alone",
    "int4": "weight_only_wi4_afp32 for weights alone",
    "float16": "fp16",
    "half": "fp16",
    "float32": "fp32",
    "float": "fp32",
    "w8a8": "static_wi8_ai8",
    "a16w8": "static_wi8_ai16",
    "16x8": "static_wi8_ai16",
    "dynamic": "dynamic_wi8_afp32",
}


def parse_scheme(name: str, *, where: str) -> Scheme:
    """The scheme of this name. Raises ConfigError naming `where` and the near name."""
    if meant := _EVERYDAY.get(name.lower()):
        raise ConfigError(f"{where}: unknown scheme {name!r}; write {meant}.")
    if name not in SCHEMES:
        raise ConfigError(f"{where}: unknown scheme {name!r}{did_you_mean(name, SCHEMES)}")
    return SCHEMES[name]
