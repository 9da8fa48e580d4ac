"""One real Core ML bundle, and the Xcode project of the same bundle under an odd name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from builder.bundle import Bundle
from builder.targets import ios
from tests.builder.targets.ios.making import ODD, request
from tests.ios.bundles import make_coreml_bundle


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return make_coreml_bundle()


@pytest.fixture(scope="module")
def odd_bundle(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same bundle, of a model with an odd name."""
    root = tmp_path_factory.mktemp(ODD.replace('"', "")) / "bundle"
    shutil.copytree(bundle.root, root)
    raw = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    raw["model"]["name"] = ODD
    (root / "manifest.json").write_text(json.dumps(raw), encoding="utf-8")
    return Bundle.open(root)


@pytest.fixture(scope="module")
def project(odd_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Xcode project of the oddly named model."""
    out = tmp_path_factory.mktemp("project") / ODD
    result = ios.package(request(odd_bundle, out, "project"))
    return result.files[0]
