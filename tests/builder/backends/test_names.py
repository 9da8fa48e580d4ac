"""A backend is registered under its own name, and none that is not there is asked for anything. `tests/test_house.py` looks where
names of backends stand."""

from __future__ import annotations

import importlib

import pytest

from builder.backends import BACKENDS, find_backend, find_spec
from builder.errors import BundleError


def test_a_backend_is_registered_under_its_own_name() -> None:
    """And no two have a key of a variant, or an artifact's suffix, in common: both tell which one is meant."""
    assert {name: backend.SPEC.name for name, backend in BACKENDS.items()} == {name: name for name in BACKENDS}
    keys = [key for backend in BACKENDS.values() for key in backend.load_options_kind().model_fields]
    assert len(set(keys)) == len(keys)
    assert len({backend.SPEC.suffix for backend in BACKENDS.values()}) == len(BACKENDS)


def test_a_bundle_for_a_backend_that_is_not_there_is_refused() -> None:
    """A manifest may come from another edgebundle; its model takes any name, whoever runs a variant does not."""
    with pytest.raises(
        BundleError, match=r"variant 'v' is for the backend 'other', which .* \(it has tflite, .*rebuild the bundle"
    ):
        find_backend("other", variant="v")
    assert find_spec("other") is None


@pytest.mark.parametrize("backend", [name for name, backend in BACKENDS.items() if backend.SPEC.engine is not None])
def test_an_engine_has_a_module_that_loads_and_profiles(backend: str) -> None:
    """Its import starts no runtime, and its delegates are those of the backend."""
    engine = BACKENDS[backend].SPEC.engine
    assert engine is not None
    module = importlib.import_module(engine.module)
    assert callable(module.load)
    assert callable(module.profile)
    assert set(engine.delegates) <= set(BACKENDS[backend].SPEC.delegate_names)


def test_a_backend_without_an_engine_says_why() -> None:
    """Half a sentence, which a device tells of its variants."""
    assert all(backend.SPEC.engine is not None or backend.SPEC.no_engine for backend in BACKENDS.values())
    assert set(BACKENDS["tflite"].SPEC.browser) <= set(BACKENDS["tflite"].SPEC.delegate_names)


def test_what_took_part_is_named_in_the_words_of_the_manifest() -> None:
    """An engine's own names of delegates are translated; what it does not know is kept, and nothing is the processor."""
    engine = BACKENDS["executorch"].SPEC.engine
    assert engine is not None
    assert engine.name_executed(["XnnpackBackend", "CoreMLBackend"]) == "coreml + xnnpack"
    assert engine.name_executed(["NewBackend"]) == "NewBackend"
    assert engine.name_executed([]) == "cpu"
