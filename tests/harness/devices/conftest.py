"""Emulated phones, and one measurement of the small model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.devices.base import Request
from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.small_models import Backend, SmallModels, make_small_models


@pytest.fixture(scope="session")
def models() -> SmallModels:
    return make_small_models()


@pytest.fixture
def phone(adb_environment: AdbServer, tmp_path: Path) -> Iterator[EmulatedPhone]:
    """An emulated phone that adb is connected to; at the end it must not have been asked for anything it does not have."""
    with EmulatedPhone(tmp_path / "phone", PIXEL) as emulated:
        assert "connected to" in adb_environment.connect(emulated.address)
        yield emulated
        adb_environment.disconnect(emulated.address)
    assert emulated.unknown_commands == []


def make_request(models: SmallModels, backend: Backend, *, runs: int = 3, timeout_s: float = 60.0) -> Request:
    return Request(
        artifact=models.file(backend),
        variant=models.variant(backend),
        inputs={"image": models.input},
        threads=1,
        warmup=1,
        runs=runs,
        timeout_s=timeout_s,
    )
