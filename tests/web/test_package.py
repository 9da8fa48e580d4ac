"""`builder package --target web`: what it writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import builder
from builder import process
from builder.bundle import hash_file, list_tree
from builder.errors import ConfigError
from builder.targets.base import PackageOptions, Runtime
from builder.targets.mobile import find_mobile_root
from builder.targets.web import node
from tests.harness.small_bundle import make_small_bundle
from tests.web.packages import install_node_modules


def test_two_packages_have_the_same_bytes(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of the same bundle, made again from nothing but npm's packages."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    again = builder.package(make_small_bundle(tmp_path / "bundle"), target="web", out=tmp_path / "dist").files[0]
    assert hashes(again) == hashes(site)


def hashes(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in list_tree(folder)}


def test_a_page_says_what_it_carries(site: Path) -> None:
    """Licences of the runtime, an installable manifest, no source map and no path of this machine."""
    notices = (site / "NOTICES.txt").read_text()
    for line in (
        "@litertjs/core 2.5.3: Apache-2.0",
        "edgebundle page: Apache-2.0 (see LICENSE)",
        "model small: Apache-2.0",
    ):
        assert line in notices
    assert "Apache License" in (site / "LICENSE").read_text()
    assert json.loads((site / "app.webmanifest").read_text())["display"] == "standalone"
    assert not list(site.rglob("*.map"))
    for path in (site / "app.js", site / "sw.js", site / "index.html"):
        assert "@BUILD@" not in path.read_text()
        assert str(site.parent) not in path.read_text()


def test_a_bundle_without_tflite_is_refused_with_what_to_add(tmp_path: Path) -> None:
    """A browser runs no Core ML."""
    root = make_small_bundle(tmp_path / "bundle")
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["variants"] = [variant for variant in manifest["variants"] if variant["backend"] == "coreml"]
    (root / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ConfigError, match=r'backend = "tflite"'):
        builder.package(root, target="web", out=tmp_path / "dist")


@pytest.mark.parametrize(
    ("name", "said"), [("onnxruntime", "a bundle has no ONNX variant"), ("litert", "no choice of runtimes")]
)
def test_another_runtime_is_refused_with_the_reason(site: Path, tmp_path: Path, name: str, said: str) -> None:
    """A page runs what a bundle has, and no bundle has ONNX: the sentence names the command that writes it."""
    with pytest.raises(ConfigError, match=said):
        builder.package(
            site / "bundle", target="web", options=PackageOptions(runtime=Runtime(name=name)), out=tmp_path / "dist"
        )


def test_the_sources_are_typed(tmp_path: Path) -> None:
    """TypeScript finds no error in the page's sources, strictly."""
    sources = find_mobile_root() / "web"
    names = ("package.json", "package-lock.json", "tsconfig.json", "src")
    (tmp_path / "node_modules").symlink_to(install_node_modules())
    for name in names:
        copy = shutil.copytree if (sources / name).is_dir() else shutil.copyfile
        copy(sources / name, tmp_path / name)
    compiler = tmp_path / "node_modules" / "typescript" / "bin" / "tsc"
    done = process.run([node.find("node") or "node", compiler, "-p", "."], timeout_s=120, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout
