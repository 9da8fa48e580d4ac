"""Fixtures of the harness's tests: one small real bundle, one real session on this computer, and records to vary."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.records.run import Run
from tests.harness.small_bundle import make_small_bundle, make_unopened_bundle


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_small_bundle(tmp_path_factory.mktemp("bundle") / "small")


@pytest.fixture(scope="session")
def unopened_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For tests that execute nothing: its artifacts are no networks."""
    return make_unopened_bundle(tmp_path_factory.mktemp("unopened") / "small")


@pytest.fixture(scope="session")
def measured_store(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with one quick run of both variants on the host."""
    import harness

    store = str(tmp_path_factory.mktemp("store") / "runs.sqlite")
    result = harness.measure(small_bundle, devices=["host"], protocol="quick", store=store)
    assert len(result.runs) == 2, result.skipped
    return store


@pytest.fixture(scope="session")
def measured_runs(measured_store: str) -> list[Run]:
    from harness.records.store import read_runs

    return read_runs(measured_store)
