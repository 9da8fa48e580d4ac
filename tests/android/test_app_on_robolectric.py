"""The Android app, started on Robolectric with real inference: what it shows, what it writes, how it refuses."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

import builder
from builder.bundle import Bundle, hash_file
from builder.targets.subset import write_subset
from harness.records.run import read_jsonl
from tests.android.robolectric import compile_app
from tests.android.several import classifier, make_several_outputs
from tests.bundles import make_bundle
from tests.server.test_server import running


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """As a package carries it, and beside it the whole picture that must come out, which packages hold sparsely."""
    folder = tmp_path_factory.mktemp("bundle")
    small = write_subset(make_bundle(folder / "small"), ("tflite",), folder / "tflite")
    shutil.copyfile(folder / "small/golden/0-stylized.png", small.root / "golden/0-stylized.png")
    return small


@pytest.fixture(scope="module")
def out(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("robolectric")
    (data / "out").mkdir()
    make_several_outputs(data / "several")
    classifier(data / "classifier")
    break_goldens(bundle.root, data / "broken")
    break_goldens(data / "classifier", data / "broken-classifier")
    server = builder.package(bundle.root.with_name("small"), target="server", out=data / "server").files[0]
    with running(server, data / "server.log") as served:
        (data / "server.txt").write_text(f"http://127.0.0.1:{served.port}")
        done = compile_app().run(bundle, data)
    (data / "out" / "junit.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return data / "out"


def break_goldens(bundle: Path, out: Path) -> None:
    """A copy whose goldens ask for more than equal pictures, so that no variant passes."""
    shutil.copytree(bundle, out)
    manifest = out / "manifest.json"
    manifest.write_text(re.sub(r'"min_psnr_db": [0-9.]+', '"min_psnr_db": 201.0', manifest.read_text()))


def test_app_tests_pass(out: Path) -> None:
    """The activity stylizes the golden picture, measures on request, answers bad requests, in English and Chinese."""
    output = (out / "junit.txt").read_text(encoding="utf-8")
    assert (found := re.search(r"OK \((\d+) tests\)", output)) is not None, output[-6000:]
    assert int(found[1]) >= 70


def test_benchmark_record_is_a_run_record(out: Path, bundle: Bundle) -> None:
    """The record that the app wrote is read by the harness and names the very bundle and artifact."""
    (run,) = read_jsonl(out / "lab.jsonl")
    assert run.bundle_sha256 == bundle.sha256
    assert run.variant_sha256 == hash_file(bundle.path("variants/second.tflite"))
    assert run.golden is not None
    assert run.golden.passed
    assert (run.threads, run.protocol.warmup, run.protocol.runs) == (2, 1, 5)
    assert run.device.kind == "android"
    assert run.delegate_executed.reason
    assert run.load_ns.value
    assert run.conditions_start.clocks_mhz
    assert "thermal_status" in {sample.probe for sample in run.samples}
    assert "memory" not in {sample.probe for sample in run.samples}  # unknown here, so it is not 0


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("screen-en.png", (822, 1782)),
        ("screen-zh.png", (822, 1782)),
        ("screen-whole.png", (822, 1782)),
        ("screen-benchmark.png", (822, 1782)),
        ("screen-night.png", (1782, 822)),
        ("screen-large-font.png", (320, 480)),
        ("screen-large-font-below.png", (320, 480)),
    ],
)
def test_screens_are_drawn(out: Path, name: str, size: tuple[int, int]) -> None:
    """The screens are of phone size and not empty."""
    with Image.open(out / name) as image:
        assert image.size == size
        colours = image.convert("RGB").getcolors(1 << 24)
    assert colours is not None
    assert len(colours) > 10
