"""Norms in the layer table, and which rules of a plan reach them: those that name them, and no rule for all layers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from builder.backends import BACKENDS
from builder.backends.support import SupportedPlan, check_support
from builder.errors import ConfigError, VerificationError
from builder.legalize.for_variant import legalize_model
from builder.precision.layers import LayerTable, list_layers
from builder.precision.norms import find_norm
from builder.precision.plan import PlanFile, Rule, load_plan, resolve
from builder.precision.presets import plan_path
from builder.workers.jobs.variant import compare_with_request
from tests.builder.models import Mixed, Normed, make_picture_model, plan_of, rewrites_for, seeded

# Torch and the converters warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")

NORMS = ["group", "plain", "scaled", "layer", "untrained"]


@pytest.fixture(scope="module")
def table() -> LayerTable:
    return make_picture_model(seeded(Normed)).layers


def chosen(table: LayerTable, *rules: Rule) -> dict[str, str]:
    plan = resolve(PlanFile(rule=rules), table, where="plan.toml")
    return {name: choice.scheme.name for name, choice in plan.choices.items()}


def test_norms_stand_in_the_table_beside_the_layers(table: LayerTable) -> None:
    """Each norm is one row with its parameters and calls; what the network writes out itself is none, and layers stay layers."""
    assert [(norm.name, norm.op, norm.params, norm.uses) for norm in table.norms] == [
        ("group", "norm", 16, 1),
        ("plain", "norm", 0, 2),
        ("scaled", "norm", 16, 1),
        ("layer", "norm", 16, 1),
        ("untrained", "norm", 16, 1),
    ]
    assert table.names() == ["head", "dw", "pw", "squeeze", "tail"]


class Functional(nn.Module):
    """Norms that are called by function, in a layer's own module too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.fixed = nn.BatchNorm2d(3)

    def forward(self, image: Tensor) -> Tensor:
        x = functional.instance_norm(self.fixed(self.conv(image)))
        return functional.instance_norm(
            x, use_input_stats=False, running_mean=torch.zeros(3), running_var=torch.ones(3)
        )


def test_a_norm_without_a_module_is_named_by_its_call_and_fixed_statistics_are_no_norm(tmp_path: Path) -> None:
    """The name is the same after the program was saved and loaded; norms with fixed statistics are batch norms."""
    program = torch.export.export(Functional().eval(), (torch.rand(1, 3, 8, 8),))
    assert [norm.name for norm in list_layers(program).norms] == ["instance_norm"]
    torch.export.save(program, tmp_path / "a.pt2")
    assert list_layers(torch.export.load(tmp_path / "a.pt2")) == list_layers(program)


def test_a_rule_for_all_layers_leaves_norms_alone(table: LayerTable) -> None:
    """Neither integers nor floats reach a norm by `.*`; a norm that no rule names is no part of the plan."""
    for scheme in ("static_wi8_ai8", "fp16"):
        assert chosen(table, Rule(match=".*", scheme=scheme)) == dict.fromkeys(table.names(), scheme)
        assert chosen(table, Rule(glob="*", position="first", scheme=scheme))["head"] == scheme


@pytest.mark.parametrize(
    "rule",
    [
        Rule(position="norm", scheme="fp16"),
        Rule(op="norm", scheme="fp16"),
        Rule(glob="*", op=("linear", "norm"), scheme="fp16"),
        Rule(match="|".join(NORMS), scheme="fp16"),
    ],
)
def test_rules_that_name_norms_reach_them(table: LayerTable, rule: Rule) -> None:
    """By position, by op, or by names that no layer has; later rules win."""
    found = chosen(table, Rule(match=".*", scheme="static_wi8_ai8"), rule, Rule(match="plain", scheme="fp32"))
    assert {name: found[name] for name in NORMS} == {**dict.fromkeys(NORMS, "fp16"), "plain": "fp32"}
    assert {found[name] for name in ("head", "dw", "pw", "tail")} == {"static_wi8_ai8"}


def test_a_network_without_norms_takes_a_rule_for_them(tmp_path: Path) -> None:
    """Its norms are folded into layers, so that the rule holds; a name that is nowhere is an error all the same."""
    layers = make_picture_model(seeded(Mixed)).layers
    plan = load_plan(plan_path("preset:key-layers-fp16", tmp_path))
    assert set(resolve(plan, layers, where="preset").choices) == set(layers.names())
    with pytest.raises(ConfigError, match="matches no layer"):
        chosen(layers, Rule(match="head", position="norm", scheme="fp16"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_norm_has_floats_only(table: LayerTable, backend: str) -> None:
    """An integer scheme is refused with what a norm can have, fp16 where the backend has none, and a fallback is taken."""
    module = BACKENDS[backend]
    delegate = module.SPEC.delegates[0].name
    rules = (Rule(match=".*", scheme="fp32"), Rule(position="norm", scheme="static_wi8_ai8"))
    with pytest.raises(ConfigError, match="norm 'group' cannot be static_wi8_ai8: norms compute in floats; use fp32"):
        check_support(
            resolve(PlanFile(rule=rules), table, where="plan.toml"), table, module, delegate, where="plan.toml"
        )
    asked = PlanFile(rule=(rules[0], Rule(position="norm", scheme="fp16")))
    if backend == "tflite":
        with pytest.raises(
            ConfigError, match="norm 'group' cannot be fp16: its files have norms in fp32 alone; use fp32 on 'group'"
        ):
            check_support(resolve(asked, table, where="p"), table, module, delegate, where="p")
    asked = asked.model_copy(update={"on_unsupported": ("weight_only_wi8_afp32", "fp32")})
    supported = check_support(resolve(asked, table, where="p"), table, module, delegate, where="p")
    assert {supported.plan.scheme(name).name for name in NORMS} == {"fp32" if backend == "tflite" else "fp16"}
    assert set(supported.reasons) == (set(NORMS) if backend == "tflite" else set())


def test_integers_between_the_layers_and_a_scheme_for_norms_exclude_each_other(table: LayerTable) -> None:
    """`between` takes norms into integers, which a rule that names them contradicts."""
    plan = PlanFile(
        rule=(Rule(match=".*", scheme="static_wi8_ai8"), Rule(op="norm", scheme="fp32")), between="static_wi8_ai8"
    )
    with pytest.raises(ConfigError, match="computes norms in integers, and rule 2 gives 'group' fp32; remove one"):
        resolve(plan, table, where="plan.toml")


def test_a_norm_that_is_realised_otherwise_is_an_error() -> None:
    """It ends with exit code 5 as a layer does; a norm that no rule names is no row of the manifest."""
    model = make_picture_model(seeded(Normed))
    asked = dict.fromkeys(model.layers.names(), "fp32") | {"group": "fp16"}
    plan = SupportedPlan(requested=plan_of(asked), plan=plan_of(asked), reasons={})
    assert [row.layer for row in compare_with_request(asked, plan, "coreml", model)] == [*model.layers.names(), "group"]
    with pytest.raises(
        VerificationError, match="norm 'group' was asked for as fp16 but the coreml file holds it as fp32"
    ) as caught:
        compare_with_request({**asked, "group": "fp32"}, plan, "coreml", model)
    assert caught.value.exit_code == 5


def test_what_rewrites_make_of_a_norm_carries_its_name() -> None:
    """Each reciprocal root of a norm is marked after all rewrites, that of the network's own arithmetic is not."""
    model, rewrites = legalize_model(make_picture_model(seeded(Normed)), rewrites_for("executorch", halves=True), ())
    assert {"instance_norm", "group_norm", "layer_norm"} <= {done.rewrite for done in rewrites}
    roots = [find_norm(node) for node in model.program.graph.nodes if "rsqrt" in str(node.target)]
    assert sorted(roots, key=str) == [None, "group", "layer", "plain", "plain", "scaled", "untrained"]
