"""Plans: rules on layer names, resolved over one model's layer table to one scheme a layer; later rules win."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from builder.errors import ConfigError
from builder.precision.encodings import read_encodings
from builder.precision.layers import Layer, LayerOp, LayerTable, RowOp
from builder.precision.ranges import PLAIN, CalibrationSettings
from builder.precision.scheme import AS_TRAINED, Scheme, parse_scheme
from builder.precision.stated import RangeRule, resolve_ranges
from builder.suggest import did_you_mean
from builder.toml_file import describe

Position = Literal["first", "last", "depthwise", "norm"]
Between = Literal["float", "static_wi8_ai8"]


class Rule(BaseModel):
    """Layers that fulfil every key given here get `scheme`.

    `match`: a regular expression for the whole name; `glob`: the same with `*`, `?` and `[...]`, where `*` crosses dots;
    `op`: the layer's kind, or several; `position`: `first` and `last` are the layers next to an input or an output of the network,
    `depthwise` the depthwise convolutions, `norm` the norms. Norms are selected by rules that name them only: by `position` or `op`, or
    by a pattern that no layer's name matches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    match: str | None = None
    """A regular expression for the whole name of a layer."""
    glob: str | None = None
    """A pattern for the whole name: `*`, `?` and `[...]`, where `*` crosses dots."""
    op: LayerOp | Annotated[tuple[LayerOp, ...], Field(min_length=1)] | None = None
    """The kind of layer, or several kinds."""
    position: Position | None = None
    """`first` and `last` are the layers next to an input or an output of the network, `depthwise` the depthwise convolutions, `norm` the norms."""
    scheme: str
    """The scheme that these layers get."""

    @model_validator(mode="after")
    def _selects(self) -> Self:
        if self.match is not None and self.glob is not None:
            raise ValueError("a rule has either 'match' (a regular expression) or 'glob', not both")
        if not (self.match or self.glob or self.op or self.position):
            raise ValueError("a rule needs 'match', 'glob', 'op' or 'position'; match = '.*' is every layer")
        return self

    def __str__(self) -> str:
        keys = {"match": self.match, "glob": self.glob, "op": self.op, "position": self.position}
        return ", ".join(f"{key} {value!r}" for key, value in keys.items() if value is not None)

    @property
    def names_norms(self) -> bool:
        return self.position == "norm" or (self.op is not None and self.takes("norm"))

    def takes(self, op: RowOp) -> bool:
        return self.op is None or op in ((self.op,) if isinstance(self.op, str) else self.op)


class PlanFile(BaseModel):
    """plan.toml. `on_unsupported` is `error`, or what a layer gets where a backend cannot realise the scheme asked for:
    one scheme, or several of which the first that the backend can realise is taken. `between`: what the operations that
    are no layers compute in, such as additions, resizing and norms that no rule names: floats, or on TFLite 8-bit integers where
    it has them."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    on_unsupported: str | Annotated[tuple[str, ...], Field(min_length=1)] = "error"
    """`error`, or the scheme that a layer gets where the backend cannot realise the one asked for. With several, the first that it can realise is taken."""
    between: Between = "float"
    """What operations that are no layers compute in, such as additions and resizing: floats, or (TFLite) 8-bit integers where it has them."""
    calibration: CalibrationSettings = PLAIN
    """How ranges of static schemes are set."""
    encodings: str | None = None
    """A file of AIMET's encodings beside this file, whose ranges of layers are taken as if they were stated."""
    rule: tuple[Rule, ...] = Field(min_length=1)
    """The rules, in order. The last rule that fits a layer wins."""
    range: tuple[RangeRule, ...] = ()
    """Ranges of activations that are stated instead of calibrated."""

    @model_validator(mode="after")
    def _one_range_each(self) -> Self:
        by_hand = [(each.layer, each.of) for each in self.range if not each.imported]
        for layer, of in by_hand:
            if by_hand.count((layer, of)) > 1:
                raise ValueError(f"two ranges are stated for the {of} of {layer!r}")
        return self

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """The schemes to fall back to in order, none for 'error'."""
        if self.on_unsupported == "error":
            return ()
        return (self.on_unsupported,) if isinstance(self.on_unsupported, str) else self.on_unsupported


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What one layer gets: its scheme and the number (from 0) of the rule that won."""

    scheme: Scheme
    rule: int


@dataclass(frozen=True, kw_only=True)
class ResolvedPlan:
    """One scheme for every layer of a table and every norm that a rule names, and the fallback schemes in order or None for 'refuse'.

    `ranges` are stated ones, of layers of 8-bit activations.
    """

    rules: tuple[Rule, ...]
    choices: dict[str, Choice]
    fallback: tuple[Scheme, ...] | None
    between: Between = "float"
    calibration: CalibrationSettings = PLAIN
    ranges: tuple[RangeRule, ...] = ()

    def scheme(self, layer: str) -> Scheme:
        return self.choices[layer].scheme

    def norms(self, table: LayerTable) -> dict[str, Scheme]:
        """Schemes of the norms that a rule names."""
        return {norm.name: self.scheme(norm.name) for norm in table.norms if norm.name in self.choices}

    @property
    def uniform(self) -> Scheme | None:
        """The one scheme of all layers, or None when the plan mixes."""
        schemes = {choice.scheme.name: choice.scheme for choice in self.choices.values()}
        return next(iter(schemes.values())) if len(schemes) == 1 else None

    @property
    def needs_calibration(self) -> bool:
        """Whether activations must be observed: for their ranges, or for the means that biases are corrected by."""
        return (
            self.between != "float"
            or any(choice.scheme.needs_calibration for choice in self.choices.values())
            or (self.calibration.correct_biases and self.has_integers)
        )

    @property
    def has_integers(self) -> bool:
        return any(choice.scheme.has_integers for choice in self.choices.values())

    @property
    def as_trained(self) -> bool:
        """Whether the file is to hold what the checkpoint was trained for."""
        return any(choice.scheme.mode == "trained" for choice in self.choices.values())


def make_uniform_plan(scheme: str) -> PlanFile:
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
        plan = PlanFile.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{path}: {describe(error, PlanFile)}") from error
    if plan.encodings is None:
        return plan
    return plan.model_copy(update={"range": (*read_encodings(path.parent / plan.encodings), *plan.range)})


def resolve(plan: PlanFile, table: LayerTable, *, where: str) -> ResolvedPlan:
    """One scheme a layer; layers that no rule matches stay fp32, norms that none names compute as what is between the layers.

    Raises ConfigError for a rule that matches nothing.
    """
    choices: dict[str, Choice] = {
        name: Choice(scheme=parse_scheme("fp32", where=where), rule=-1) for name in table.names()
    }
    for number, rule in enumerate(plan.rule):
        label = f"{where}, rule {number + 1}"
        scheme = parse_scheme(rule.scheme, where=label)
        for name in select(rule, table, where=label):
            choices[name] = Choice(scheme=scheme, rule=number)
    _settle_as_trained(choices, table, where)
    named = [norm.name for norm in table.norms if norm.name in choices]
    if named and plan.between != "float":
        raise ConfigError(
            f"{where}: between = {plan.between!r} computes norms in integers, and rule {choices[named[0]].rule + 1} gives "
            f"{named[0]!r} {choices[named[0]].scheme}; remove one of the two."
        )
    fallback = tuple(parse_scheme(name, where=f"{where}, on_unsupported") for name in plan.fallbacks)
    return ResolvedPlan(
        rules=plan.rule,
        choices=choices,
        fallback=fallback or None,
        between=plan.between,
        calibration=plan.calibration,
        ranges=resolve_ranges(
            plan.range, {name: choice.scheme for name, choice in choices.items()}, table, where=where
        ),
    )


def _settle_as_trained(choices: dict[str, Choice], table: LayerTable, where: str) -> None:
    """A network that was trained for integers stays what it is, as a whole: its layers without integers are fp32. Raises ConfigError."""
    asked = [name for name, choice in choices.items() if choice.scheme.mode == "trained"]
    if asked and not table.trained:
        raise ConfigError(
            f"{where}: the checkpoint has no integers of its own, so nothing can be {AS_TRAINED}; name another 'scheme', a 'plan' or a search."
        )
    if not table.trained:
        return
    trained = {layer.name for layer in table.layers if layer.trained}
    for name, choice in choices.items():
        kept = choice.scheme.mode == "trained" or (name not in trained and choice.scheme.name == "fp32")
        if not kept:
            raise ConfigError(
                f"{where}: the checkpoint was trained for integers, so {name!r} cannot be {choice.scheme}; "
                f'set scheme = "{AS_TRAINED}", or take the checkpoint of floats.'
            )
        if name not in trained:
            choices[name] = replace(choice, scheme=parse_scheme("fp32", where=where))


def select(rule: Rule, table: LayerTable, *, where: str) -> list[str]:
    """Names of the layers and norms that a rule selects. Raises ConfigError when there is none.

    `position = "norm"` alone may find none: in a network whose norms are all batch norms they belong to the layers.
    """
    try:
        pattern = re.compile(fnmatch.translate(rule.glob) if rule.glob is not None else rule.match or ".*")
    except re.error as error:
        raise ConfigError(f"{where}: {rule.match!r} is not a regular expression ({error}).") from error
    if not table.rows and rule.match == ".*" and parse_scheme(rule.scheme, where=where).mode == "float":
        return []  # arithmetic alone: floats are what it is
    if not table.rows:
        raise ConfigError(
            f'{where}: the network has no layers, so {rule.scheme} has nothing to work on; write scheme = "fp32".'
        )
    named = [row for row in table.rows if pattern.fullmatch(row.name)]
    by_name_alone = rule.position is None and rule.op is None
    norms_alone = by_name_alone and bool(table.layers) and all(row.op == "norm" for row in named)
    if not (rule.names_norms or norms_alone):
        named = [row for row in named if row.op != "norm"]
    names = [row.name for row in named if rule.takes(row.op) and _stands(row, rule.position)]
    all_norms = rule.position == "norm" and rule.match is None and rule.glob is None and rule.op is None
    if names or (all_norms and not table.norms):
        return names
    if not named:
        if rule.match is not None and (
            part := next((row.name for row in table.rows if pattern.search(row.name)), None)
        ):
            raise ConfigError(
                f"{where} matches no layer: {rule}; 'match' is of whole names, such as {part!r}: write match = '.*{rule.match}.*'."
            )
        near = did_you_mean(rule.match or rule.glob or "", [row.name for row in table.rows])
        raise ConfigError(f"{where} matches no layer: {rule}{near}")
    have = ", ".join(f"{row.name} is a {row.op}" for row in named[:3])
    cure = '; write plan = "preset:int8-all", which takes all layers' if where.startswith("preset:") else ""
    raise ConfigError(f"{where} matches no layer: {rule}; of those that it names, {have}{cure}.")


def _stands(layer: Layer, position: Position | None) -> bool:
    match position:
        case "first":
            return layer.first
        case "last":
            return layer.last
        case "depthwise":
            return layer.op == "depthwise_conv2d"
        case "norm":
            return layer.op == "norm"
        case None:
            return True
