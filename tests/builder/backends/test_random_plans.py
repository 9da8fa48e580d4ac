"""Seeded random plans over all schemes, on every backend: what is requested is in the file, or the refusal says what to do."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from builder.backends import BACKENDS
from builder.backends.support import check_support
from builder.errors import ConfigError
from builder.graph.model import Model
from builder.legalize.for_variant import legalize_model
from builder.precision.plan import PlanFile, Rule, resolve
from builder.precision.scheme import AS_TRAINED, SCHEMES
from tests.builder.models import Mixed, Normed, expected, make_picture_model, rewrites_for, samples, seeded

# The converters warn of their own and torch's deprecations; the worker's log keeps that from users.
pytestmark = pytest.mark.filterwarnings("ignore")

PLANS, NORMED_PLANS = 8, (3,)  # which names fallbacks


@pytest.fixture(scope="module")
def mixed() -> Model:
    torch.set_num_threads(1)
    return make_picture_model(seeded(Mixed))


@pytest.fixture(scope="module")
def normed() -> Model:
    return make_picture_model(seeded(Normed), 16)


# `as_trained` is what a checkpoint is, not what a plan asks of one (test_as_trained.py).
DRAWN = [name for name in SCHEMES if name != AS_TRAINED]


def draw_plan(model: Model, seed: int) -> PlanFile:
    """Any scheme for any layer, floats or nothing for its norms; every other plan names fallbacks, the others refuse."""
    draw = random.Random(seed)
    rules = tuple(Rule(match=re.escape(name), scheme=draw.choice(DRAWN)) for name in model.layers.names())
    for norm in model.layers.norms:
        scheme = draw.choice(("fp32", "fp16", None))
        rules += (Rule(match=re.escape(norm.name), op="norm", scheme=scheme),) if scheme else ()
    return PlanFile(rule=rules, on_unsupported=("weight_only_wi8_afp32", "fp16", "fp32") if seed % 2 else "error")


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("seed", range(PLANS))
def test_a_random_plan_is_realised_as_resolved_or_refused(mixed: Model, name: str, seed: int, tmp_path: Path) -> None:
    """No silent difference: the file holds what the resolved plan says for every layer and runs, or the plan is refused."""
    realise_or_refuse(mixed, name, seed, tmp_path)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("seed", NORMED_PLANS)
def test_a_random_plan_with_norms_is_realised_as_resolved_or_refused(
    normed: Model, name: str, seed: int, tmp_path: Path
) -> None:
    """The same with a scheme of its own for each norm, or none, after the rewrites that the backend's delegate needs."""
    rewrites = rewrites_for(name, halves=True)
    realise_or_refuse(legalize_model(normed, rewrites, ())[0], name, seed, tmp_path)


def realise_or_refuse(model: Model, name: str, seed: int, tmp_path: Path) -> None:
    backend = BACKENDS[name]
    delegate = backend.SPEC.delegates[0].name
    resolved = resolve(draw_plan(model, seed), model.layers, where="plan.toml")
    try:
        supported = check_support(resolved, model.layers, backend, delegate, where="plan.toml")
    except ConfigError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert resolved.fallback is None
        assert re.search(r"plan\.toml: (layer|norm) '\w+' cannot be \w+: .*use \w+", refusal)
        return
    path = tmp_path / f"a{backend.SPEC.suffix}"
    lowered = backend.lower(model, supported.plan, delegate, lambda: backend.observe(model, samples(model)), path)
    wanted = {layer: choice.scheme.name for layer, choice in supported.plan.choices.items()}
    norms = {norm: scheme for norm, scheme in backend.read_norms(path, model).items() if norm in wanted}
    assert backend.read_back(path, model) | norms == wanted
    fell_back = {layer for layer in wanted if wanted[layer] != resolved.scheme(layer).name}
    assert fell_back == set(supported.reasons)
    sample = next(samples(model, 1, seed=99))
    outputs = backend.runner(path, lowered.inputs, lowered.outputs, 1)(sample)
    for output, value in expected(model, sample).items():
        assert np.abs(outputs[output] - value).mean() < 0.1


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_refusal_names_a_scheme_that_the_layer_can_have(mixed: Model, name: str, scheme: str) -> None:
    """Whatever a backend refuses on a layer, each scheme that it says to use instead it does not refuse."""
    backend = BACKENDS[name]
    delegate = backend.SPEC.delegates[0].name
    for layer in mixed.layers.layers:
        reason = backend.find_unsupported(layer, SCHEMES[scheme], delegate)
        if reason is None:
            continue
        advice = [word for word in re.findall(r"\w+", reason.split("use ", 1)[1]) if word in SCHEMES]
        assert advice, reason
        for other in advice:
            assert backend.find_unsupported(layer, SCHEMES[other], delegate) is None, (layer.name, other)
