"""The Swift core, built and run by a real Swift 6 toolchain, against the Python contracts."""

from __future__ import annotations

import json
import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image, ImageOps

from builder.bundle import hash_tree
from builder.bundle.tensors import read_picture
from harness.records.run import read_jsonl
from scripts.vectors.files import FOLDER
from tests.ios.bundles import IMAGE, make_coreml_bundle
from tests.ios.damages import write_damages
from tests.ios.swift import Swift, build_folder, find_ios_sources


def write_hashed(root: Path) -> None:
    """Trees with names that sort differently by bytes and by language, and their hashes as Python makes them."""
    folder = root / "hashed"
    for name in (
        "tree/b.bin",
        "tree/B.bin",
        "tree/a/ä.bin",
        "tree/a/模型 1.bin",
        "tree/.hidden",
        "tree/a.b/c",
        "file with spaces",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 50)
    (folder / "empty").touch()
    known = {name: hash_tree(folder / name) for name in ("tree", "file with spaces", "empty")}
    (root / "hashes.json").write_text(json.dumps(known), encoding="utf-8")


def write_pictures(bundle: Path, out: Path) -> None:
    """The pixels of the bundle's PNG files under the hash of the file: Linux has no decoder for Swift."""
    out.mkdir(exist_ok=True)
    for path in bundle.rglob("*.png"):
        with Image.open(path) as image:
            size = IMAGE.model_copy(update={"shape": (1, 3, image.height, image.width)})
        pixels = np.ascontiguousarray(read_picture(path, size))
        header = struct.pack("<II", pixels.shape[1], pixels.shape[0])
        (out / f"{hash_tree(path)}.rgb").write_bytes(header + pixels.tobytes())


def write_orientations(out: Path) -> None:
    """A picture of numbered pixels as a camera stores it in each of the eight ways, and how it stands upright by its EXIF."""
    width, height = 5, 3
    numbers = np.arange(width * height, dtype=np.uint8).reshape(height, width)
    turned = []
    for orientation in range(1, 9):
        image = Image.fromarray(numbers, "L")
        image.getexif()[0x0112] = orientation
        upright = np.asarray(ImageOps.exif_transpose(image))
        turned.append(
            {
                "orientation": orientation,
                "width": upright.shape[1],
                "height": upright.shape[0],
                "pixels": upright.flatten().tolist(),
            }
        )
    vector = {"width": width, "height": height, "pixels": numbers.flatten().tolist(), "turned": turned}
    out.write_text(json.dumps(vector), encoding="utf-8")


@pytest.fixture(scope="module")
def tested() -> tuple[str, Path]:
    """Output of `swift test`, and the folder with what the tests read and wrote."""
    work = build_folder("edgebundle")
    with FileLock(work / "lock", timeout=900):
        data = work / "data"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        shutil.copytree(FOLDER, data / "vectors")
        write_hashed(data)
        bundle = make_coreml_bundle()
        shutil.copytree(bundle.root, data / "bundle")
        shutil.copytree(bundle.root, data / "damaged")
        (data / "damaged" / bundle.manifest.variants[0].file / "Manifest.json").write_text("{}")
        write_damages(bundle.root, data / "damages")
        for root in ("bundle", "damages/golden-of-another-size"):
            write_pictures(data / root, data / "pictures")
        write_orientations(data / "orientations.json")
        (data / "out").mkdir()
        swift = Swift(find_ios_sources() / "edgebundle", work)
        command = f"EDGEBUNDLE_TESTDATA={swift.work_path}/data swift test --scratch-path {swift.work_path}/build 2>&1"
        done = swift.run("sh", "-c", command, check=False)
        return done.stdout, data


def test_swift_tests_pass(tested: tuple[str, Path]) -> None:
    """All XCTest tests of the core pass: manifest, codec bit for bit, tiles, statistics, choice, golden check, records, arguments."""
    output, _ = tested
    counts = [int(count) for count in re.findall(r"Executed (\d+) tests, with 0 failures", output)]
    assert max(counts, default=0) >= 58, output[-4000:]


def test_no_warning(tested: tuple[str, Path]) -> None:
    """The core compiles without a warning in the Swift 6 language mode."""
    output, _ = tested
    assert not re.search(r"\.swift:\d+:\d+: warning", output), output


def test_swift_records_are_run_records(tested: tuple[str, Path]) -> None:
    """The records that Swift writes are read by the harness: compile time, devices by op, samples, reasons, golden."""
    _, data = tested
    good, hidden = read_jsonl(data / "out" / "records.jsonl")
    assert good.mode == "app"
    assert good.compile_ns is not None
    assert good.compile_ns.value == 12
    assert [(entry.op, entry.device) for entry in good.op_devices] == [("conv", "neural engine")]
    assert good.latency_ns == (3, 4, 2**63 - 1)
    assert good.samples[0].probe == "low_power_mode"
    assert good.golden is not None
    assert good.golden.max_abs_error == pytest.approx(3.4028234663852886e38)
    assert good.conditions_start.temperature_c.reason == "an iPhone tells none"
    assert hidden.golden is None
    assert hidden.golden_reason == "the bundle carries no golden"


def test_core_is_pure_swift() -> None:
    """No file of the core imports anything but Foundation, so that it can be tested without a Mac."""
    sources = sorted((find_ios_sources() / "edgebundle" / "Sources" / "EdgebundleCore").glob("*.swift"))
    assert len(sources) > 15
    for source in sources:
        imports = set(re.findall(r"^import (\w+)", source.read_text(encoding="utf-8"), re.MULTILINE))
        assert imports <= {"Foundation"}, source.name
