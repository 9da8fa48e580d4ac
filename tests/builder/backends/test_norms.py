"""Norms in the scheme that a plan gives them, on every backend: read back from the file, and seen in its output."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from builder.backends import BACKENDS, coreml, executorch, tflite
from builder.backends.borders import make_logical
from builder.backends.support import check_support
from builder.backends.tflite.activations import observe_file
from builder.backends.tflite.convert import to_float_file
from builder.backends.tflite.realise import realise
from builder.bundle.tensors import measure_psnr_db
from builder.graph.model import Model
from builder.legalize.for_variant import legalize_model
from builder.precision.plan import PlanFile, ResolvedPlan, Rule, resolve
from tests.builder.models import Normed, expected, make_picture_model, rewrites_for, samples, seeded

pytestmark = pytest.mark.filterwarnings("ignore")

NORMS = ("group", "plain", "scaled", "layer", "untrained")
SIDE = 16


@pytest.fixture(scope="module")
def model() -> Model:
    torch.set_num_threads(1)
    return make_picture_model(seeded(Normed), SIDE)


@pytest.fixture(scope="module")
def ready(model: Model) -> dict[str, Model]:
    """By backend, the model as its rewrites make it."""
    return {name: legalize_model(model, rewrites_for(name, halves=True), ())[0] for name, backend in BACKENDS.items()}


def lowered(model: Model, name: str, path: Path, *rules: Rule) -> tuple[ResolvedPlan, float]:
    """The plan that the file was made by, and how many dB it agrees with the source."""
    backend = BACKENDS[name]
    delegate = backend.SPEC.delegates[0].name
    resolved = resolve(PlanFile(rule=rules), model.layers, where="plan.toml")
    plan = check_support(resolved, model.layers, backend, delegate, where="plan.toml").plan
    made = backend.lower(model, plan, delegate, lambda: backend.observe(model, samples(model)), path)
    sample = next(samples(model, 1, seed=9))
    runner = backend.runner(path, made.inputs, made.outputs, 1)
    outputs = make_logical(runner, made.inputs, made.outputs, (*model.inputs, *model.outputs))(sample)
    return plan, measure_psnr_db(outputs["stylized"], expected(model, sample)["stylized"], 1.0)


def named(backend_name: str, path: Path, model: Model, plan: ResolvedPlan) -> dict[str, str]:
    backend = BACKENDS[backend_name]
    found = backend.read_back(path, model) | backend.read_norms(path, model)
    return {name: scheme for name, scheme in found.items() if name in plan.choices}


@pytest.mark.parametrize(
    ("name", "layers", "norms", "least_db"),
    [
        ("coreml", "fp32", "fp16", 60.0),
        ("coreml", "fp16", "fp32", 60.0),
        ("coreml", "palettized_w8", "fp32", 30.0),
        ("executorch", "static_wi8_ai8", "fp16", 30.0),
    ],
)
def test_norms_compute_in_the_scheme_of_the_plan(
    ready: dict[str, Model], name: str, layers: str, norms: str, least_db: float, tmp_path: Path
) -> None:
    """What the plan gives norms and layers is what the file holds, and the output is the source's."""
    model, path = ready[name], tmp_path / f"a{BACKENDS[name].SPEC.suffix}"
    rules = (Rule(match=".*", scheme=layers), Rule(position="norm", scheme=norms))
    plan, found_db = lowered(model, name, path, *rules)
    assert named(name, path, model, plan) == {
        **dict.fromkeys(model.layers.names(), layers),
        **dict.fromkeys(NORMS, norms),
    }
    assert found_db > least_db


@pytest.mark.parametrize("name", ["coreml", "executorch"])
def test_norms_apart_from_one_another(ready: dict[str, Model], name: str, tmp_path: Path) -> None:
    """Norms in another scheme than the others, one of them beside another of the same shape, are found as what they are."""
    model, path = ready[name], tmp_path / f"a{BACKENDS[name].SPEC.suffix}"
    high = ("group", "scaled")
    rules = (Rule(op="norm", scheme="fp16"), Rule(match="|".join(high), scheme="fp32"))
    plan, found_db = lowered(model, name, path, *rules)
    found = named(name, path, model, plan)
    assert {norm: found[norm] for norm in NORMS} == {norm: "fp32" if norm in high else "fp16" for norm in NORMS}
    assert found_db > 60


@pytest.mark.parametrize(
    ("name", "scheme", "elsewhere"),
    [
        ("coreml", "palettized_w8", "fp16"),
        ("coreml", "weight_only_wi8_afp32", "fp32"),
        ("executorch", "fp16", "fp16"),
    ],
)
def test_norms_that_no_rule_names_compute_as_what_is_between_the_layers(
    model: Model, ready: dict[str, Model], name: str, scheme: str, elsewhere: str, tmp_path: Path
) -> None:
    """A rule for all layers gives norms nothing: they are in the file what the backend says of such a plan."""
    source = model
    model, path = ready[name], tmp_path / f"a{BACKENDS[name].SPEC.suffix}"
    plan, _ = lowered(model, name, path, Rule(match=".*", scheme=scheme))
    assert BACKENDS[name].elsewhere(plan, model.layers) == elsewhere
    assert BACKENDS[name].read_norms(path, model) == dict.fromkeys(NORMS, elsewhere)
    if name == "executorch":  # the source as it is has none of the roots that rewrites make
        assert set(executorch.read_norms(path, source).values()) == {"something that is not in XNNPACK's graphs"}


def test_norms_of_a_tflite_file_are_fp32_unless_all_is_integers(ready: dict[str, Model], tmp_path: Path) -> None:
    """Static int8 layers leave them fp32, as a rule asks for; with integers between the layers they are not said to be."""
    model, path = ready["tflite"], tmp_path / "a.tflite"
    content, made = to_float_file(model)
    observed = observe_file(content, made, samples(model))
    layers = Rule(match=".*", scheme="static_wi8_ai8")
    plan = resolve(PlanFile(rule=(layers, Rule(op="norm", scheme="fp32"))), model.layers, where="plan.toml")
    path.write_bytes(realise(content, model, plan, lambda: observed))
    assert named("tflite", path, model, plan) == {name: choice.scheme.name for name, choice in plan.choices.items()}
    sample = next(samples(model, 1, seed=9))
    runner = tflite.runner(path, made.inputs, made.outputs, 1)
    outputs = make_logical(runner, made.inputs, made.outputs, (*model.inputs, *model.outputs))(sample)
    assert measure_psnr_db(outputs["stylized"], expected(model, sample)["stylized"], 1.0) > 30
    plan = resolve(PlanFile(rule=(layers,), between="static_wi8_ai8"), model.layers, where="plan.toml")
    path.write_bytes(realise(content, model, plan, lambda: observed))
    assert tflite.read_norms(path, model) == dict.fromkeys(NORMS, "computed in INT8")


def test_a_norm_that_is_not_in_the_file_has_no_scheme(model: Model, tmp_path: Path) -> None:
    """A file of other weights holds no norm whose weights say something."""
    lowered(model, "coreml", tmp_path / "a.mlpackage", Rule(match=".*", scheme="fp16"))
    assert coreml.read_norms(tmp_path / "a.mlpackage", make_picture_model(seeded(Normed, 1), SIDE)) == {
        "plain": "fp16", "untrained": "fp16", **dict.fromkeys(("group", "scaled", "layer"), "no op that is found"),
    }  # fmt: skip
