"""The Swift package, the same bytes twice, and the command."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from builder.bundle import Bundle, count_tree_bytes, hash_file, hash_tree, list_tree, name_bundle_folder
from builder.errors import ConfigError, VerificationError
from builder.targets import ios
from tests.builder.targets.ios.making import ODD, make_app, request


def test_two_runs_give_equal_bytes(bundle: Bundle, tmp_path: Path) -> None:
    """Package, project and an injected ipa are the same bytes twice."""
    app = make_app(tmp_path)
    contents = []
    for name in ("one", "two"):
        out = tmp_path / name
        ios.package(request(bundle, out, "package", "project", "ipa", app=app))
        contents.append({p.relative_to(out).as_posix(): p.read_bytes() for p in list_tree(out)})
    assert contents[0] == contents[1]
    assert len(contents[0]) > 40


def test_package_carries_the_bundle(odd_bundle: Bundle, tmp_path: Path) -> None:
    """The bundle's package has it as a resource that is copied as it is; the SDK lies beside it, without tests and without a bundle."""
    result = ios.package(request(odd_bundle, tmp_path / ODD, "package", deployment_target="17.0"))
    sdk = result.files[0] / "edgebundle"
    folder = name_bundle_folder(ODD)
    package = result.files[0] / folder.removeprefix("edgebundle/")
    assert package.name.startswith("a_b_c_d_x-")
    text = (package / "Package.swift").read_text(encoding="utf-8")
    assert '.iOS("17.0")' in text
    assert '.copy("edgebundle")' in text
    assert '.package(path: "../edgebundle")' in text
    (sources,) = (package / "Sources").iterdir()
    assert Bundle.open(sources / folder).manifest.model.name == ODD
    assert not (sdk / "Tests").exists()
    assert not list(sdk.rglob("manifest.json"))
    for path in list_tree(result.files[0]):
        assert path.stat().st_mode & 0o777 == 0o644, path
    assert (result.files[0] / "executorch" / "Package.swift").is_file()
    notices = (package / "NOTICES.txt").read_text(encoding="utf-8")
    assert f"model {ODD}: {odd_bundle.manifest.model.licence}" in notices
    assert "Apache License" in (sdk / "LICENSE").read_text(encoding="utf-8")


def test_the_sdk_is_the_same_for_every_bundle(bundle: Bundle, odd_bundle: Bundle, tmp_path: Path) -> None:
    """Whatever the bundle and the oldest system that it runs on: the packages of two bundles lie side by side around one SDK."""
    made = []
    for name, one, target in (("one", bundle, "16.0"), ("two", odd_bundle, "17.0")):
        packages = ios.package(request(one, tmp_path / name, "package", deployment_target=target)).files[0]
        made.append({p.relative_to(packages): p.read_bytes() for p in list_tree(packages / "edgebundle")})
    assert made[0] == made[1]


def test_a_model_with_the_name_of_the_sdk_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    """Its package would take the place of the SDK's."""
    model = bundle.manifest.model.model_copy(update={"name": "edgebundle"})
    other = Bundle(bundle.root, bundle.manifest.model_copy(update={"model": model}))
    with pytest.raises(ConfigError, match="is that of a package of the SDK"):
        ios.package(request(other, tmp_path / "out", "package"))


def test_the_command_packages_a_bundle(odd_bundle: Bundle, tmp_path: Path) -> None:
    """`builder package BUNDLE --target ios` from the command line, in directories with odd names."""
    out = tmp_path / ODD
    done = subprocess.run(
        [sys.executable, "-m", "builder", "package", str(odd_bundle.root), "--target", "ios", "-o", str(out)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {p.name for p in out.iterdir() if not p.name.startswith(".")} == {f"{ODD}-ios", f"{ODD}-swift-package"}


def test_a_damaged_model_is_not_packed(bundle: Bundle, tmp_path: Path) -> None:
    """A model that Core ML would refuse on the phone is refused here, even where the manifest's hashes agree with it."""
    root = tmp_path / "bundle"
    shutil.copytree(bundle.root, root)
    raw = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    variant = raw["variants"][0]
    (root / variant["file"] / "Manifest.json").write_text("{}", encoding="utf-8")
    variant["sha256"] = hash_tree(root / variant["file"])
    variant["bytes"] = count_tree_bytes(root / variant["file"])
    for entry in raw["files"]:
        entry["sha256"] = hash_file(root / entry["file"])
    (root / "manifest.json").write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(VerificationError, match=rf"variant '{variant['id']}': .*no good Manifest.json"):
        ios.package(request(Bundle.open(root), tmp_path / "out", "package"))
