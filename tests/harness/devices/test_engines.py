"""What runs a backend's files is asked of the backend: every device refuses what it cannot run in the same words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from builder.backends import BACKENDS
from builder.backends.spec import BackendSpec, Engine
from builder.bundle import Bundle, Variant
from harness.devices import engines
from harness.devices.browser.page import find_refusal as of_a_page
from harness.devices.engines import find_engine, find_program
from harness.devices.host.device import Host
from harness.devices.runner.binaries import build_runner_bundle
from harness.devices.runner.result import find_refusal as of_the_runner
from harness.errors import DeviceError

BARE = Engine(name="Bare", package="bare", imported="bare_of_all", module="none.such", delegates=("slow",))


@pytest.fixture
def variant(unopened_bundle: Path) -> Callable[[str, str], Variant]:
    """The bundle's first variant, for another backend and delegate."""
    first = Bundle.open(unopened_bundle).manifest.variants[0]
    return lambda backend, delegate: first.model_copy(update={"backend": backend, "delegate": delegate})


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend whose engine has no program for a shell, and is not installed."""
    spec: BackendSpec = replace(BACKENDS["executorch"].SPEC, name="bare", title="Bare", engine=BARE)
    monkeypatch.setattr(engines, "find_spec", {"bare": spec}.get)


def test_a_backend_that_nothing_here_executes_says_why(variant: Callable[[str, str], Variant]) -> None:
    """In its own words, on the host and in a shell; a page names what it does run."""
    for refuse in (Host().find_unsupported, of_the_runner):
        assert refuse(variant("coreml", "all")) == "Core ML executes on macOS and iOS only"
    assert of_a_page(variant("coreml", "all"), None) == "a browser runs TFLite files only"


def test_a_backend_of_another_edgebundle_is_refused(variant: Callable[[str, str], Variant]) -> None:
    """A manifest may name any."""
    strange = variant("strange", "fast")
    assert Host().find_unsupported(strange) == "this edgebundle does not have the backend 'strange'"
    assert of_the_runner(strange) == "this edgebundle does not have the backend 'strange'"
    assert of_a_page(strange, None) == "a browser runs TFLite files only"


def test_a_delegate_that_the_engine_lacks_is_refused(variant: Callable[[str, str], Variant]) -> None:
    """A phone may have it; this computer's build and the shell's have not."""
    gpu = variant("tflite", "gpu")
    assert Host().find_unsupported(gpu) == "the gpu delegate is not part of the runtime for Python"
    assert of_the_runner(gpu) == "the shell runner executes on the CPU (xnnpack) and cannot load the gpu delegate"
    assert of_a_page(gpu, None) == "this browser has no WebGPU"
    assert of_a_page(variant("tflite", "abacus"), None) == "a browser has no delegate abacus"


def test_an_engine_without_a_program_runs_in_no_shell(bare: None, variant: Callable[[str, str], Variant]) -> None:
    """It runs on this computer once it is installed."""
    assert find_engine("bare") == BARE
    assert find_program("bare") == "Bare has no program for a shell"
    assert Host().find_unsupported(variant("bare", "slow")) == "its runtime is not installed: pip install bare"
    with pytest.raises(DeviceError, match=r"artifacts for bare have no runner for a shell: Bare has no program"):
        build_runner_bundle("bare")


def test_every_program_is_made_of_a_source_that_is_there() -> None:
    """mobile/runner has the engine of each, and what the emulated processor counts is what has one."""
    for name, backend in BACKENDS.items():
        known = find_program(name)
        assert backend.SPEC.emulated == (not isinstance(known, str))
        if not isinstance(known, str):
            assert (Path(__file__).parents[3] / "mobile" / "runner" / known[1].source).is_file()
