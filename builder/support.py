"""What becomes of a plan on one backend: every layer realisable as asked, or the plan's named fallback, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass, replace

from builder.backends.base import Backend
from builder.errors import ConfigError
from builder.precision.layers import Layer, LayerTable
from builder.precision.plan import Choice, ResolvedPlan
from builder.precision.scheme import Scheme


@dataclass(frozen=True, kw_only=True)
class SupportedPlan:
    """`plan` is what will be lowered, `reasons` says for each layer that fell back why the request could not be met."""

    requested: ResolvedPlan
    plan: ResolvedPlan
    reasons: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`scheme` is what will be lowered, None for a refusal; `reason` says why it is not what was requested."""

    scheme: Scheme | None
    reason: str | None = None


def outcomes(plan: ResolvedPlan, table: LayerTable, backend: Backend, delegate: str) -> dict[str, Outcome]:
    """What a backend makes of every layer's scheme: as asked, the first fallback of the plan that it has, or nothing."""
    return {layer.name: _outcome(layer, plan, backend, delegate) for layer in table.layers}


def _outcome(layer: Layer, plan: ResolvedPlan, backend: Backend, delegate: str) -> Outcome:
    wanted = plan.scheme(layer.name)
    reason = backend.unsupported(layer, wanted, delegate)
    if reason is None:
        return Outcome(scheme=wanted)
    for fallback in plan.fallback or ():
        again = backend.unsupported(layer, fallback, delegate)
        if again is None:
            return Outcome(scheme=fallback, reason=reason)
        if fallback != wanted:
            reason = f"{reason} The fallback {fallback} fails: {again}"
    return Outcome(scheme=None, reason=reason)


def check_support(
    plan: ResolvedPlan, table: LayerTable, backend: Backend, delegate: str, *, where: str
) -> SupportedPlan:
    """Raises ConfigError for a layer whose scheme, and fallbacks if the plan names some, the backend cannot realise."""
    choices: dict[str, Choice] = {}
    reasons: dict[str, str] = {}
    for name, found in outcomes(plan, table, backend, delegate).items():
        choice = plan.choices[name]
        if found.scheme is None:
            raise ConfigError(f"{where}: layer {name!r} cannot be {choice.scheme}: {found.reason}")
        choices[name] = replace(choice, scheme=found.scheme)
        if found.reason is not None:
            reasons[name] = found.reason
    between = plan.between
    if between not in backend.BETWEEN:
        if plan.fallback is None:
            raise ConfigError(
                f"{where}: between = {between!r} is not something that this backend has; it has {' and '.join(backend.BETWEEN)}. "
                "Change it, or set on_unsupported, by which the operations between the layers stay floats."
            )
        between = "float"
    return SupportedPlan(requested=plan, plan=replace(plan, choices=choices, between=between), reasons=reasons)
