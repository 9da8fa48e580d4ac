"""What becomes of a plan on one backend: every layer realisable as asked, or the plan's named fallback, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from builder.backends.base import Backend
from builder.errors import ConfigError
from builder.precision.layers import Layer, LayerTable
from builder.precision.plan import Choice, ResolvedPlan
from builder.precision.scheme import SCHEMES, Scheme


@dataclass(frozen=True, kw_only=True)
class SupportedPlan:
    """`plan` is what will be lowered, `reasons` says for each layer that fell back why the request could not be met."""

    requested: ResolvedPlan
    plan: ResolvedPlan
    reasons: dict[str, str]

    def keeping(self, kept: Mapping[str, str]) -> SupportedPlan:
        """With fp32 for these layers, whose values are too large for what was asked for, and why by layer."""
        fp32 = {name: replace(self.plan.choices[name], scheme=SCHEMES["fp32"]) for name in kept}
        plan = replace(self.plan, choices={**self.plan.choices, **fp32})
        return replace(self, plan=plan, reasons={**self.reasons, **kept})


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`scheme` is what will be lowered, None for a refusal; `reason` says why it is not what was requested."""

    scheme: Scheme | None
    reason: str | None = None


def list_outcomes(plan: ResolvedPlan, table: LayerTable, backend: Backend, delegate: str) -> dict[str, Outcome]:
    """What a backend makes of every scheme that the plan gives: as asked, the first fallback of the plan that it has, or nothing."""
    return {row.name: _outcome(row, plan, backend, delegate) for row in table.rows if row.name in plan.choices}


def find_unsupported(layer: Layer, scheme: Scheme, backend: Backend, delegate: str) -> str | None:
    """Why the scheme cannot be realised on a layer or norm and what can be done instead, or None."""
    if layer.op != "norm":
        return backend.find_unsupported(layer, scheme, delegate)
    if scheme.name in backend.SPEC.norms:
        return None
    if scheme.mode == "float":
        return f"its files have norms in fp32 alone; use fp32 on {layer.name!r}."
    return f"norms compute in floats; use {' or '.join(backend.SPEC.norms)} on {layer.name!r}."


def _outcome(layer: Layer, plan: ResolvedPlan, backend: Backend, delegate: str) -> Outcome:
    wanted = plan.scheme(layer.name)
    reason = find_unsupported(layer, wanted, backend, delegate)
    if reason is None:
        return Outcome(scheme=wanted)
    for fallback in plan.fallback or ():
        if layer.op == "norm" and fallback.mode != "float":
            continue  # meant for the layers
        again = find_unsupported(layer, fallback, backend, delegate)
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
    norms = {norm.name for norm in table.norms}
    for name, found in list_outcomes(plan, table, backend, delegate).items():
        choice = plan.choices[name]
        if found.scheme is None:
            what = "norm" if name in norms else "layer"
            raise ConfigError(f"{where}: {what} {name!r} cannot be {choice.scheme}: {found.reason}")
        choices[name] = replace(choice, scheme=found.scheme)
        if found.reason is not None:
            reasons[name] = found.reason
    between = plan.between
    if between not in backend.SPEC.between:
        if plan.fallback is None:
            raise ConfigError(
                f"{where}: between = {between!r} is not something that this backend has; it has {' and '.join(backend.SPEC.between)}. "
                "Change it, or set on_unsupported, by which the operations between the layers stay floats."
            )
        between = "float"
    return SupportedPlan(requested=plan, plan=replace(plan, choices=choices, between=between), reasons=reasons)
