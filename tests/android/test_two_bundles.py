"""Two bundles in one app of somebody else's: by Maven, with the SDK once, opened and run on Robolectric.

The app is compiled against the library. It runs with the same sources compiled for the desktop's TensorFlow Lite, which is older.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from builder.bundle import Bundle
from builder.targets import TARGETS
from builder.targets.android.apkzip import Entry
from builder.targets.android.catalogue import Catalogue
from builder.targets.android.host import aapt2, compiler, maven, provide_prebuilt
from builder.targets.base import PackageOptions
from builder.targets.mobile import find_mobile_root
from tests.android.consumer_app import GROUP, merge_assets, resolving
from tests.android.jvm import compile_tests
from tests.android.robolectric import CompiledApp, compile_app, run_robolectric
from tests.android.several import make_several_outputs
from tests.builder.targets.conftest import make_request
from tests.bundles import make_bundle

PROJECT = find_mobile_root() / "android"
SOURCES = Path(__file__).parent / "two_bundles"
MANIFEST = '<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="org.example.two"><application/></manifest>'


def package(bundle: Bundle, name: str, version: str, out: Path) -> Path:
    """The Maven repository of the bundle under this name."""
    model = bundle.manifest.model.model_copy(update={"name": name})
    named = Bundle(bundle.root, bundle.manifest.model_copy(update={"model": model}))
    request = make_request(
        named,
        out,
        formats=("aar",),
        application_id=GROUP,
        version_name=version,
        options=PackageOptions(allow=("op-version",)),
    )
    return TARGETS["android"].package(request).files[0]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What JUnit said of the app with both."""
    work = tmp_path_factory.mktemp("two")
    version = f"1.0.{os.getpid()}"  # Maven keeps what it once resolved
    repositories = {
        "small": package(make_bundle(work / "first"), "small", version, work / "one"),
        "several": package(make_several_outputs(work / "second"), "several", version, work / "two"),
    }
    app = compile_app()
    with resolving(repositories, version, work / "app") as libraries:
        assert libraries.keys() == {"small", "several", "edgebundle-sdk-tflite"}
        assets = merge_assets(libraries)
        classes = maven.unpack_jar(libraries["edgebundle-sdk-tflite"], work)
        _link(work, app, classes)
        return _run(work, app, assets)


def _link(work: Path, app: CompiledApp, sdk: Path) -> None:
    """Manifest, classes of the app and of its tests."""
    host = provide_prebuilt(PROJECT)
    (work / "AndroidManifest.xml").write_text(MANIFEST, encoding="utf-8")
    aapt2.link(
        resources=None,
        manifest=work / "AndroidManifest.xml",
        framework=host.framework,
        out=work / "linked.apk",
        versions=Catalogue.read(PROJECT).versions,
    )
    compiler.kotlinc(
        compiler=app.found["kotlinc"],
        sources=[SOURCES],
        libraries=[sdk, *app.robolectric, *app.found["framework"], *app.found["stdlib"]],
        module="two",
        out=work / "classes",
    )


def _run(work: Path, app: CompiledApp, assets: list[Entry]) -> str:
    (work / "data").mkdir()
    sdk = compile_tests().native.parent / "sdk"
    done = run_robolectric(work, "org.example.two", [work / "classes", sdk], app.robolectric, assets, work / "data")
    return done.stdout + done.stderr


def test_two_bundles_link_open_and_run(output: str) -> None:
    """Each is opened by its name while the other is open, gives its own golden, and without a name the app is asked for one."""
    assert re.search(r"OK \(2 tests\)", output), output[-6000:]
