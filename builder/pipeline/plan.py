"""`builder plan`: for each layer the rule that won, and what each backend makes of it, refusals included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from builder.backends import BACKENDS
from builder.backends.base import Backend
from builder.backends.support import Outcome, list_outcomes
from builder.plan_search import find_plans
from builder.precision.layers import Layer, LayerTable
from builder.precision.plan import ResolvedPlan, resolve
from builder.precision.scheme import SCHEMES
from builder.project.project import open_project
from builder.project.variants import choose_variants
from builder.steps.listener import Listener
from builder.steps.source import export_source
from builder.steps.variant import require_plans


@dataclass(frozen=True, kw_only=True)
class PlannedLayer:
    """`rule` counts from 1, 0 means that no rule matched: the layer stays fp32, a norm or product computes as what is between the layers.

    `scheme` is what the backend lowers, None where it refuses; `reason` says why that is not what was requested.
    `weight_bytes` are those of the scheme's weights (of the requested one where it is refused), without scales and palettes.
    """

    layer: str
    op: str
    rule: int
    requested: str
    scheme: str | None
    weight_bytes: int
    params: int
    macs: int
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class PlannedVariant:
    """`what_if` is a backend that the variant itself does not name; `rules` are the plan's in words, in their order."""

    id: str
    backend: str
    what_if: bool
    rules: tuple[str, ...]
    layers: tuple[PlannedLayer, ...]

    @property
    def refused(self) -> list[PlannedLayer]:
        """Layers that cannot have the scheme that the plan asks for."""
        return [layer for layer in self.layers if layer.scheme is None]


def plan_config(
    config: Path, backend: str | None, listener: Listener, *, all_backends: bool = False
) -> tuple[PlannedVariant, ...]:
    """The plans of a builder.toml, resolved.

    With `all_backends` also what the backends that a variant does not name make of its plan. Raises ConfigError for a plan that cannot be
    meant; what a backend refuses is part of the result.
    """
    project = open_project(config)
    sections = choose_variants(project.config, (backend,) if backend else ())
    require_plans(project, sections)
    source = export_source(project, listener)
    layers = source.result.layers
    project = find_plans(project, source, sections, listener)
    planned = []
    for section in sections:
        plan, where = project.plan(section)
        resolved = resolve(plan, layers, where=where)
        names = [section.backend]
        if all_backends:
            names += [name for name in BACKENDS if name != section.backend]
        for name in names:
            delegate = section.delegate if name == section.backend else BACKENDS[name].SPEC.delegates[0].name
            outcome_of = list_outcomes(resolved, layers, BACKENDS[name], delegate)
            between = _between(resolved, outcome_of, layers, BACKENDS[name])
            rows = tuple(_plan_layer(row, resolved, outcome_of.get(row.name, between)) for row in layers.all_rows)
            same = name == section.backend
            title = section.name if same else f"{section.name} on {name} ({delegate})"
            words = tuple(f"{rule}: {rule.scheme}" for rule in resolved.rules)
            planned.append(PlannedVariant(id=title, backend=name, what_if=not same, rules=words, layers=rows))
    return tuple(planned)


def _between(plan: ResolvedPlan, outcome_of: dict[str, Outcome], layers: LayerTable, backend: Backend) -> Outcome:
    """What becomes of the norms that no rule names, and of products."""
    if plan.between != "float" and plan.between in backend.SPEC.between:
        why = "no rule names it; integers where a kernel has them (between)"
        return Outcome(scheme=SCHEMES[plan.between], reason=why)
    choices = {
        name: replace(choice, scheme=outcome_of[name].scheme or choice.scheme) for name, choice in plan.choices.items()
    }
    scheme = SCHEMES[backend.elsewhere(replace(plan, choices=choices), layers)]
    return Outcome(scheme=scheme, reason="no rule names it: computes as what is between the layers")


def _plan_layer(layer: Layer, plan: ResolvedPlan, outcome: Outcome) -> PlannedLayer:
    choice = plan.choices.get(layer.name)
    shown = outcome.scheme or plan.scheme(layer.name)
    return PlannedLayer(
        layer=layer.name,
        op=layer.op,
        rule=choice.rule + 1 if choice else 0,
        requested=choice.scheme.name if choice else "",
        scheme=outcome.scheme.name if outcome.scheme else None,
        weight_bytes=shown.count_weight_bytes(layer.weight_shape),
        params=layer.params,
        macs=layer.macs,
        reason=outcome.reason,
    )
