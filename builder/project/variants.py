"""Which variants of builder.toml a command works on."""

from __future__ import annotations

from collections.abc import Sequence

from builder.errors import ConfigError
from builder.project.config import Config, VariantSection


def choose_variants(config: Config, backends: Sequence[str]) -> tuple[VariantSection, ...]:
    """The variants of these backends, all of them when none is named. Raises ConfigError when that leaves none."""
    chosen = tuple(v for v in config.variant if not backends or v.backend in backends)
    if not chosen:
        raise ConfigError(
            f"builder.toml has no variant for {' or '.join(backends)}; add a [[variant]] with that backend."
        )
    return chosen
