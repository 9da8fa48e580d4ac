"""The vectors of docs/formats/vectors: Python gives what they say, and one command writes them again, byte for byte.

tests/android/test_sdk_on_jvm.py and tests/ios/test_swift_core.py hold Kotlin and Swift to the same files.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from builder.bundle import Phone, TensorSpec
from builder.bundle.tensors import read_picture
from harness.devices.android.state import make_device_info
from harness.records.phone import describe_phone, is_same_phone
from harness.records.run import Conditions, Reading, TextReading
from harness.session.measurement import make_samples
from scripts.vectors.files import FOLDER, make_texts, unpack

ROOT = Path(__file__).resolve().parent.parent
KOTLIN = ROOT / "mobile/android/sdk/src/hostTest/kotlin/org/edgebundle/sdk/core"
SWIFT = ROOT / "mobile/ios/edgebundle/Tests/EdgebundleCoreTests"
# Swift is given frames as BGRA by the system, never as planes.
# Fields of Conditions that are read on a phone, with the units in which probes read them.
UNITS = {
    "temperature_c": "degC",
    "thermal_status": "status",
    "battery_percent": "%",
    "battery_v": "V",
    "battery_a": "A",
    "thermal_headroom": "headroom",
    "background_load": "%",
    "load_average": "programs",
}
KOTLIN_ONLY = {"yuv.json"}
WEB_ONLY = {"browsers.json"}  # phones' apps know no browser


def cases(name: str) -> list[dict[str, Any]]:
    return list(json.loads((FOLDER / name).read_text(encoding="utf-8"))["cases"])


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    return make_texts()


def test_the_command_writes_the_same_bytes(written: dict[str, str]) -> None:
    """After a change of a rule `python -m scripts.vectors` was run."""
    assert {p.name for p in FOLDER.glob("*.json")} == set(written)
    for name, text in written.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, name


def test_every_file_is_read_by_kotlin_and_by_swift(written: dict[str, str]) -> None:
    """A file that one language does not read holds it to nothing."""
    kotlin = "".join(p.read_text(encoding="utf-8") for p in KOTLIN.glob("*.kt"))
    swift = "".join(p.read_text(encoding="utf-8") for p in SWIFT.glob("*.swift"))
    assert {name for name in written if f'"{name}"' not in kotlin} == WEB_ONLY
    assert {name for name in written if f'"{name}"' not in swift} == KOTLIN_ONLY | WEB_ONLY


def test_a_transparent_picture_file_is_read_as_the_vectors_say(tmp_path: Path) -> None:
    """Calibration, evaluation and golden pictures are composed on white, as both SDKs compose pictures."""
    (case,) = cases("transparency.json")
    rgba, opaque = (
        unpack(case["straight"], "u1").reshape(32, 32, 4),
        unpack(case["opaque"], "u1").reshape(32, 32, 3),
    )
    Image.fromarray(rgba, "RGBA").save(tmp_path / "picture.png")
    spec = TensorSpec(name="image", kind="image", shape=(1, 3, 32, 32), range=(0.0, 1.0))
    assert np.array_equal(read_picture(tmp_path / "picture.png", spec), opaque)


def test_camera_frames_are_bt601() -> None:
    """The reference's colours are within two levels of libjpeg's, which converts by the same standard."""
    (case, *_) = [c for c in cases("yuv.json") if c["rotation"] == 0]
    height, width = case["frame"]
    planes = [unpack(case[p]["bytes"], "u1").reshape(-1, case[p]["row_stride"]) for p in "yuv"]
    stretched = [planes[0], *(plane.repeat(2, 0).repeat(2, 1)[:height, :width] for plane in planes[1:])]
    reference = np.asarray(
        Image.merge("YCbCr", [Image.fromarray(np.ascontiguousarray(p), "L") for p in stretched]).convert("RGB"), int
    )
    smooth = np.asarray(Image.open(io.BytesIO(_png(planes[0]))), int)
    ours = unpack(case["result"], "u1").reshape(height, width, 3).astype(int)
    # The mean of four lumas differs from the pixel's own: shift the reference by that, and leave out what was clipped.
    mean = (smooth + np.roll(smooth, -1, 0) + np.roll(smooth, -1, 1) + np.roll(smooth, (-1, -1), (0, 1)) + 2) // 4
    wanted = reference + (mean - smooth)[..., None]
    inside = ((reference > 0) & (reference < 255) & (ours > 0) & (ours < 255))[:-1, :-1]
    assert inside.sum() > 50
    assert np.abs(ours - wanted)[:-1, :-1][inside].max() <= 2


def _png(plane: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plane), "L").save(stream, "PNG")
    return stream.getvalue()


def test_the_harness_knows_phones_by_the_same_names() -> None:
    """What a phone's properties give over adb is what its app calls itself by."""
    names = ("ro.soc.manufacturer", "ro.soc.model", "ro.product.board", "ro.hardware", "ro.product.manufacturer")
    every = cases("phones.json")
    for case in every:
        if case["told"][4] is None:  # an iPhone
            continue
        known = dict(zip((*names, "ro.product.model"), (text or "" for text in case["told"]), strict=True))
        phone = describe_phone(make_device_info("android", "serial", known))
        assert phone.model_dump() == case["phone"]
        for at, other in enumerate(every):
            if other is not case:
                assert is_same_phone(phone, Phone(**other["phone"])) == (at in case["same"])
    assert len(every) >= 40


def test_the_harness_names_its_probes_as_the_vectors_do() -> None:
    """Each sample that a session makes of a state has a listed name, with its unit."""
    listed = {case["probe"]: case["unit"] for case in cases("probes.json")}
    reading = {name: Reading(value=1.0, unit=unit) for name, unit in UNITS.items()}
    state = Conditions(**reading, charging=TextReading(value="no"), clocks_mhz=(Reading(value=2000.0, unit="MHz"),))
    samples = make_samples(state, 0.0)
    assert len(samples) == len(reading) + 1  # the clocks too
    assert [(s.probe, s.unit) for s in samples if listed.get(s.probe) != s.unit] == []


def test_the_vectors_are_explained() -> None:
    """Each file begins with a sentence for whoever reads it in another language."""
    for path in FOLDER.glob("*.json"):
        about = json.loads(path.read_text(encoding="utf-8"))["about"]
        assert re.match(r"[A-Z].*\.$", about), path.name
