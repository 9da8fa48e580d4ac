"""Plans: rules on layer names, resolved over one model's layer table to one scheme a layer; later rules win."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from builder.config import describe
from builder.errors import ConfigError
from builder.precision.layers import LayerOp, LayerTable
from builder.precision.scheme import Scheme, parse_scheme
from builder.suggest import did_you_mean


class Rule(BaseModel):
    """Layers whose whole name matches the regular expression `match` (and whose op is `op`) get `scheme`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str
    op: LayerOp | None = None
    scheme: str


class PlanFile(BaseModel):
    """plan.toml. `on_unsupported` is `error`, or the scheme a layer gets where a backend cannot realise the one asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    on_unsupported: str = "error"
    rule: tuple[Rule, ...] = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What one layer gets: its scheme and the number (from 0) of the rule that won."""

    scheme: Scheme
    rule: int


@dataclass(frozen=True, kw_only=True)
class ResolvedPlan:
    """One scheme for every layer of a table, and the fallback scheme or None for 'refuse'."""

    rules: tuple[Rule, ...]
    choices: dict[str, Choice]
    fallback: Scheme | None

    def scheme(self, layer: str) -> Scheme:
        return self.choices[layer].scheme

    @property
    def uniform(self) -> Scheme | None:
        """The one scheme of all layers, or None when the plan mixes."""
        schemes = {choice.scheme.name: choice.scheme for choice in self.choices.values()}
        return next(iter(schemes.values())) if len(schemes) == 1 else None

    @property
    def needs_calibration(self) -> bool:
        return any(choice.scheme.needs_calibration for choice in self.choices.values())


def uniform_plan(scheme: str) -> PlanFile:
    """The plan that gives every layer the same scheme (`scheme = "fp16"` in builder.toml)."""
    return PlanFile(rule=(Rule(match=".*", scheme=scheme),))


def load_plan(path: Path) -> PlanFile:
    """Read plan.toml. Raises ConfigError naming the file and the key."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} does not exist; write it, or set 'scheme' instead of 'plan' in builder.toml."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from error
    try:
        return PlanFile.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{path}: {describe(error, {*PlanFile.model_fields, *Rule.model_fields})}") from error


def resolve(plan: PlanFile, table: LayerTable, *, where: str) -> ResolvedPlan:
    """One scheme a layer; layers that no rule matches stay fp32. Raises ConfigError for a rule that matches nothing."""
    choices: dict[str, Choice] = {
        name: Choice(scheme=parse_scheme("fp32", where=where), rule=-1) for name in table.names()
    }
    for number, rule in enumerate(plan.rule):
        label = f"{where}, rule {number + 1}"
        scheme = parse_scheme(rule.scheme, where=label)
        try:
            pattern = re.compile(rule.match)
        except re.error as error:
            raise ConfigError(f"{label}: {rule.match!r} is not a regular expression ({error}).") from error
        matched = [
            layer.name for layer in table.layers if pattern.fullmatch(layer.name) and rule.op in (None, layer.op)
        ]
        if not matched:
            of_op = f" of op {rule.op!r}" if rule.op else ""
            raise ConfigError(
                f"{label} matches no layer: {rule.match!r}{of_op}{did_you_mean(rule.match, table.names())}"
            )
        for name in matched:
            choices[name] = Choice(scheme=scheme, rule=number)
    fallback = (
        None if plan.on_unsupported == "error" else parse_scheme(plan.on_unsupported, where=f"{where}, on_unsupported")
    )
    return ResolvedPlan(rules=plan.rule, choices=choices, fallback=fallback)
