"""What becomes of a plan on one backend: every layer realisable as asked, or the plan's named fallback, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass, replace

from builder.backends.base import Backend
from builder.errors import ConfigError
from builder.precision.layers import LayerTable
from builder.precision.plan import Choice, ResolvedPlan


@dataclass(frozen=True, kw_only=True)
class SupportedPlan:
    """`plan` is what will be lowered, `reasons` says for each layer that fell back why the request could not be met."""

    requested: ResolvedPlan
    plan: ResolvedPlan
    reasons: dict[str, str]


def check_support(
    plan: ResolvedPlan, table: LayerTable, backend: Backend, delegate: str, *, where: str
) -> SupportedPlan:
    """Raises ConfigError for a layer whose scheme, and fallback if the plan names one, the backend cannot realise."""
    choices: dict[str, Choice] = {}
    reasons: dict[str, str] = {}
    for layer in table.layers:
        choice = plan.choices[layer.name]
        reason = backend.unsupported(layer, choice.scheme, delegate)
        if reason is None:
            choices[layer.name] = choice
            continue
        if plan.fallback is None:
            raise ConfigError(f"{where}: layer {layer.name!r} cannot be {choice.scheme}: {reason}")
        fallback = next((s for s in plan.fallback if backend.unsupported(layer, s, delegate) is None), None)
        if fallback is None:
            last = plan.fallback[-1]
            again = backend.unsupported(layer, last, delegate)
            raise ConfigError(f"{where}: layer {layer.name!r} cannot be the fallback {last} either: {again}")
        choices[layer.name] = Choice(scheme=fallback, rule=choice.rule)
        reasons[layer.name] = reason
    return SupportedPlan(requested=plan, plan=replace(plan, choices=choices), reasons=reasons)
