"""Per-layer precision: schemes, the layer table, and rules resolved to one scheme a layer."""

from builder.precision.layers import Layer, LayerTable
from builder.precision.plan import PlanFile, ResolvedPlan, Rule, load_plan, make_uniform_plan, resolve
from builder.precision.scheme import SCHEMES, Scheme, parse_scheme

__all__ = [
    "SCHEMES",
    "Layer",
    "LayerTable",
    "PlanFile",
    "ResolvedPlan",
    "Rule",
    "Scheme",
    "load_plan",
    "make_uniform_plan",
    "parse_scheme",
    "resolve",
]
