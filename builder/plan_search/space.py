"""What may be chosen: the schemes of each layer, the uniform plans, and a mix of schemes as rules that a person reads."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from builder.backends import BACKENDS
from builder.errors import ConfigError
from builder.precision.layers import LayerTable
from builder.precision.plan import Between, PlanFile, Rule
from builder.precision.ranges import PLAIN, CalibrationSettings
from builder.precision.scheme import AS_TRAINED, Scheme, parse_scheme
from builder.project.config import VariantSection

Schemes = tuple[str, ...]
"""One scheme for each layer, in the order of the layer table."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """All that a search decides: a scheme for each layer, how ranges are set, and what lies between the layers."""

    schemes: Schemes
    settings: CalibrationSettings = PLAIN
    between: Between = "float"

    def with_schemes(self, schemes: Schemes) -> Choice:
        return replace(self, schemes=schemes)

    @property
    def has_static(self) -> bool:
        return self.between != "float" or any(_scheme(name).needs_calibration for name in self.schemes)

    @property
    def has_integers(self) -> bool:
        return self.between != "float" or any(_scheme(name).has_integers for name in self.schemes)

    def order(self) -> tuple[Schemes, str, str]:
        """For a fixed order among equals."""
        return self.schemes, str(self.settings), self.between


def _scheme(name: str) -> Scheme:
    return parse_scheme(name, where="search")


# Not tried of themselves under a smaller limit of cost: kernels that no SIMD code exists for, minutes a picture.
SLOW = {"static_wi8_ai16": 2.0}


@dataclass(frozen=True, kw_only=True)
class Space:
    """`options[i]` are the schemes that layer i can have on this backend, in the order of `schemes`."""

    names: tuple[str, ...]
    schemes: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]

    def uniform(self, scheme: str) -> Schemes:
        """Every layer in this scheme; a layer that cannot have it gets the next narrower one that it can."""
        return tuple(self._near(options, scheme) for options in self.options)

    def _near(self, options: tuple[str, ...], scheme: str) -> str:
        if scheme in options:
            return scheme
        bits = parse_scheme(scheme, where="search").weight_bits
        return min(options, key=lambda o: abs(parse_scheme(o, where="search").weight_bits - bits))

    def uniforms(self) -> dict[str, Schemes]:
        """The stock recipes by name, without those that only repeat another."""
        by_scheme: dict[str, Schemes] = {}
        for scheme in self.schemes:
            plan = self.uniform(scheme)
            if plan not in by_scheme.values():
                by_scheme[scheme] = plan
        return by_scheme


def make_space(table: LayerTable, section: VariantSection, *, calibrated: bool) -> Space:
    """What the search of a variant may try. Raises ConfigError for a scheme that does not exist or cannot be tried, and for a layer with no scheme left."""
    if table.trained:
        raise ConfigError(
            "the checkpoint was trained for integers, so there is no plan to search; replace [variant.search] by "
            f'scheme = "{AS_TRAINED}", or search with the checkpoint of floats.'
        )
    schemes, max_cost = (section.search.schemes, section.search.max_cost) if section.search else (None, None)
    backend = BACKENDS[section.backend]
    usual = [s for s in backend.SPEC.schemes if s not in SLOW or max_cost is None or max_cost >= SLOW[s]]
    named = tuple(dict.fromkeys(schemes or usual))
    known = {name: parse_scheme(name, where="'schemes' in [variant.search]") for name in named}
    refused = [name for name, scheme in known.items() if scheme.needs_calibration and not calibrated]
    if schemes and refused:
        raise ConfigError(
            f"'schemes' in [variant.search] names {refused[0]}, which needs calibration data; set 'calibration' in [data]."
        )
    usable = tuple(name for name in named if name not in refused)
    options = []
    for layer in table.layers:
        mine = tuple(name for name in usable if backend.find_unsupported(layer, known[name], section.delegate) is None)
        if not mine:
            raise ConfigError(
                f"layer {layer.name!r} can have none of the schemes {', '.join(usable)}; add fp32 to 'schemes' in [variant.search]."
            )
        options.append(mine)
    used = {name for mine in options for name in mine}
    return Space(names=tuple(table.names()), schemes=tuple(n for n in usable if n in used), options=tuple(options))


def plan_of(names: Sequence[str], choice: Choice) -> PlanFile:
    """The commonest scheme for all, then a rule for every layer that differs."""
    schemes = choice.schemes
    common = Counter(schemes).most_common(1)[0][0]
    special = tuple(
        Rule(match=re.escape(name), scheme=scheme)
        for name, scheme in zip(names, schemes, strict=True)
        if scheme != common
    )
    return PlanFile(
        rule=(Rule(match=".*", scheme=common), *special), between=choice.between, calibration=choice.settings
    )


def plan_text(plan: PlanFile, title: Sequence[str], why: Mapping[str, str]) -> str:
    """plan.toml with a rule a line; `why` is the comment of a rule by its pattern."""
    lines = [f"# {line}" if line else "#" for line in title]
    lines += [f"on_unsupported = {json.dumps(plan.on_unsupported)}"]
    if plan.between != "float":
        lines += [f"between = {json.dumps(plan.between)}"]
    if settings := plan.calibration.model_dump(exclude_defaults=True):
        lines += [f"calibration = {{ {', '.join(f'{key} = {json.dumps(value)}' for key, value in settings.items())} }}"]
    lines += ["rule = ["]
    for rule in plan.rule:
        entry = f"  {{ match = '{rule.match}', scheme = {json.dumps(rule.scheme)} }},"
        comment = why.get(rule.match or "")
        lines.append(f"{entry}  # {comment}" if comment else entry)
    return "\n".join([*lines, "]", ""])
