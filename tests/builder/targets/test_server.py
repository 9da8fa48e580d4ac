"""The server's folder: the application, the bundle, and the part of the builder that reads one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from builder.bundle import Bundle
from builder.errors import ConfigError
from builder.targets import server
from builder.targets.base import PackageResult
from tests.bundles import make_unopened_bundle


def package(bundle: Bundle, out: Path, **changes: object) -> PackageResult:
    out.mkdir()
    request = server.make_request(bundle, None, None)
    return server.package(type(request)(**{**vars(request), "out": out, **changes}))


def test_the_folder_needs_nothing_of_the_builder_beside_it(tmp_path: Path) -> None:
    """Every module of `builder` that a file of it imports is packed with it."""
    folder = package(make_unopened_bundle(tmp_path / "small"), tmp_path / "out").files[0]
    assert folder.name == "small-server"
    assert (folder / "Dockerfile").is_file()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("builder"):
                place = folder.joinpath(*str(node.module).split("."))
                assert place.with_suffix(".py").is_file() or (place / "__init__.py").is_file(), (path, node.module)


def test_it_says_which_variant_is_served_and_which_are_of_no_use(tmp_path: Path) -> None:
    """The first for processors is served; one of another backend is not even packed."""
    result = package(make_unopened_bundle(tmp_path / "small"), tmp_path / "out")
    assert [finding.message for finding in result.findings] == [
        "serves tflite-first, and has no use for executorch-fp32."
    ]
    packed = Bundle.open(result.files[0] / "bundle").manifest
    assert {variant.backend for variant in packed.variants} == {"tflite"}


def test_two_packages_of_a_bundle_are_equal(tmp_path: Path) -> None:
    """Byte for byte; and the key of a kept one changes with the sources alone."""
    bundle = make_unopened_bundle(tmp_path / "small")
    first, second = (package(bundle, tmp_path / name).files[0] for name in ("one", "two"))
    files = {path.relative_to(first): path.read_bytes() for path in first.rglob("*") if path.is_file()}
    assert files == {path.relative_to(second): path.read_bytes() for path in second.rglob("*") if path.is_file()}
    assert server.hash_sources() == server.hash_sources()


def test_what_no_server_can_be_made_of_is_refused(tmp_path: Path) -> None:
    """A format that is none, and a bundle whose variants need a GPU."""
    bundle = make_unopened_bundle(tmp_path / "small")
    with pytest.raises(ConfigError, match=r"unknown server format 'foldr'; did you mean 'folder'\?"):
        package(bundle, tmp_path / "one", formats=("foldr",))
    variants = tuple(variant.model_copy(update={"delegate": "gpu"}) for variant in bundle.manifest.variants)
    other = Bundle(bundle.root, bundle.manifest.model_copy(update={"variants": variants}))
    with pytest.raises(
        ConfigError, match=r'no TFLite variant for processors.*backend = "tflite" and delegate = "xnnpack"'
    ):
        package(other, tmp_path / "two")
