"""Whether a quantized file is to stay as it was trained: what its variants ask for decides that, as the source is loaded once for all."""

from __future__ import annotations

from pathlib import Path

from builder.precision.plan import load_plan
from builder.precision.presets import plan_path
from builder.precision.scheme import AS_TRAINED
from builder.project.config import Config


def keeps_integers(config: Config, folder: Path) -> bool:
    """Whether any variant names no scheme, plan or search, or asks for `as_trained`. Raises ConfigError for a plan that cannot be read."""
    for variant in config.variant:
        if variant.plan is not None:
            if any(rule.scheme == AS_TRAINED for rule in load_plan(plan_path(variant.plan, folder)).rule):
                return True
        elif variant.search is None and variant.scheme in (None, AS_TRAINED):
            return True
    return False
