"""Settings that Xcode would refuse are refused in one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from builder.bundle import Bundle
from builder.errors import ConfigError
from builder.targets import ios
from tests.builder.targets.ios.making import request
from tests.bundles import make_unopened_bundle


@pytest.mark.parametrize(
    "identifier",
    [
        "small",
        "org.example.模型",
        "org.example.a b",
        "org..x",
        ".org.x",
        "org.x_y",
        "org.-x",
        "org.example.'x'",
        "a." + "b" * 200,
    ],
)
def test_refuses_identifiers(bundle: Bundle, tmp_path: Path, identifier: str) -> None:
    """An identifier that Xcode would refuse is refused, with the line to change."""
    with pytest.raises(ConfigError, match=r"'bundle_identifier' in \[package.ios\]"):
        ios.package(request(bundle, tmp_path, "project", application_id=identifier))


@pytest.mark.parametrize("target", ["15.0", "16", "17.0.1", "iOS17", ""])
def test_refuses_deployment_targets(bundle: Bundle, tmp_path: Path, target: str) -> None:
    """A deployment target that is none, or older than the SDK, is refused."""
    with pytest.raises(ConfigError, match="deployment_target"):
        ios.package(request(bundle, tmp_path, "project", deployment_target=target))


def test_a_newer_file_needs_a_newer_target(bundle: Bundle, tmp_path: Path) -> None:
    """A variant whose ops need a newer iOS than the app's is refused with both ways out."""
    root = tmp_path / "bundle"
    shutil.copytree(bundle.root, root)
    raw = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    raw["variants"][0]["minimum_runtime"] = "iOS 18"
    (root / "manifest.json").write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ConfigError, match=r'set deployment_target = "18.0"'):
        ios.package(request(Bundle.open(root), tmp_path / "out", "project"))
    ios.package(request(Bundle.open(root), tmp_path / "out", "project", deployment_target="18.0"))


def test_refuses_other_bad_settings(bundle: Bundle, tmp_path: Path) -> None:
    """A version with letters and an unknown format are refused."""
    with pytest.raises(ConfigError, match="up to three numbers"):
        ios.package(request(bundle, tmp_path, "project", version_name="1.0-beta"))
    with pytest.raises(ConfigError, match="unknown iOS format 'ipaa'"):
        ios.package(request(bundle, tmp_path, "ipaa"))


def test_a_bundle_without_core_ml_is_refused(tmp_path: Path) -> None:
    """A bundle with other backends only names what to add to builder.toml."""
    other = make_unopened_bundle(tmp_path / "bundle")
    with pytest.raises(ConfigError, match=r'no variant for coreml.*backend = "coreml"'):
        ios.package(request(other, tmp_path / "out", "project"))
