"""Fixtures of the Android target's tests: one small real bundle and one package made of it by the product's own path."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.bundle import Bundle
from builder.targets import TARGETS
from builder.targets.base import PackageRequest, PackageResult
from tests.bundles import make_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle") / "small")


def make_request(bundle: Bundle, out: Path, **changes: object) -> PackageRequest:
    """A request for everything; `out` is created."""
    out.mkdir()
    fields: dict[str, object] = {
        "bundle": bundle,
        "application_id": "org.example.small",
        "version_name": "1.2",
        "version_code": 7,
        "formats": ("aar", "apk", "project"),
        "out": out,
    }
    return PackageRequest(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def packaged(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> PackageResult:
    return TARGETS["android"].package(make_request(bundle, tmp_path_factory.mktemp("package") / "out"))


@pytest.fixture(scope="session")
def aar(packaged: PackageResult) -> Path:
    repository = next(path for path in packaged.files if path.name.endswith("-maven"))
    (bundle_aar,) = repository.glob("org/example/**/*.aar")
    return bundle_aar


@pytest.fixture(scope="session")
def sdk_aar(packaged: PackageResult) -> Path:
    """The SDK as a library, which every bundle's repository holds."""
    repository = next(path for path in packaged.files if path.name.endswith("-maven"))
    (sdk,) = repository.glob("org/edgebundle/**/*.aar")
    return sdk


@pytest.fixture(scope="session")
def apk(packaged: PackageResult) -> Path:
    return next(path for path in packaged.files if path.suffix == ".apk")
