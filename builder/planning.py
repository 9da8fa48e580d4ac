"""`builder plan`: for each layer the rule that won, and what each variant's backend makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from builder.pipeline import choose_variants
from builder.project import open_project
from builder.steps import Listener, export_source, plan_variant


@dataclass(frozen=True, kw_only=True)
class PlannedLayer:
    """`rule` counts from 1, 0 means that no rule matched and the layer stays fp32; `reason` says why it fell back."""

    layer: str
    op: str
    rule: int
    requested: str
    scheme: str
    params: int
    macs: int
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class PlannedVariant:
    id: str
    backend: str
    layers: tuple[PlannedLayer, ...]


def plan_config(config: Path, backend: str | None, listener: Listener) -> tuple[PlannedVariant, ...]:
    """The plans of a builder.toml, resolved. Raises ConfigError where a backend cannot realise a layer's scheme."""
    project = open_project(config)
    sections = choose_variants(project.config, (backend,) if backend else ())
    source = export_source(project, listener)
    planned = []
    for section in sections:
        supported = plan_variant(project, source, section)
        layers = tuple(
            PlannedLayer(
                layer=layer.name,
                op=layer.op,
                rule=supported.requested.choices[layer.name].rule + 1,
                requested=supported.requested.scheme(layer.name).name,
                scheme=supported.plan.scheme(layer.name).name,
                params=layer.params,
                macs=layer.macs,
                reason=supported.reasons.get(layer.name),
            )
            for layer in source.result.layers.layers
        )
        planned.append(PlannedVariant(id=section.name, backend=section.backend, layers=layers))
    return tuple(planned)
