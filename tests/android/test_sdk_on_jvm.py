"""The Kotlin SDK, run on a desktop JVM with real inference, against the Python contracts."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from builder.targets.mobile import find_mobile_root
from harness.records.run import read_jsonl
from scripts.vectors.files import FOLDER
from tests.android.api import FILE, list_public_api, undocumented
from tests.android.jvm import compile_tests
from tests.bundles import make_bundle


@pytest.fixture(scope="module")
def test_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("kotlin")
    make_bundle(data / "bundle")
    shutil.copytree(FOLDER, data / "vectors")
    (data / "out").mkdir()
    done = compile_tests().run(data)
    (data / "out" / "junit.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return data


def test_kotlin_tests_pass(test_data: Path) -> None:
    """All JUnit tests of the SDK pass: manifest, codec bit for bit, real TensorFlow Lite inference, fallback, records."""
    output = (test_data / "out" / "junit.txt").read_text(encoding="utf-8")
    assert (found := re.search(r"OK \((\d+) tests\)", output)) is not None, output[-4000:]
    assert int(found[1]) >= 110


def test_app_records_are_run_records(test_data: Path) -> None:
    """The records that Kotlin writes are read by the harness, with values, reasons and a golden result."""
    passed, without, broken = read_jsonl(test_data / "out" / "runs.jsonl")
    assert passed.golden is not None
    assert passed.golden.passed
    assert passed.mode == "app"
    assert passed.device.model.value == 'Maker "Eins" 型'
    assert passed.conditions_start.thermal_status.reason == "Android before 10 does not tell"
    assert len(passed.latency_ns) == passed.protocol.runs == 4
    assert without.golden is None
    assert without.golden_reason == "the bundle carries no golden"
    assert broken.golden is not None
    assert broken.golden.psnr_db == -200


def test_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    """A copy that the system cuts at 65,536 of 200,000 bytes is refused in words, and nothing is left of it."""
    done = compile_tests().run_limited("org.edgebundle.sdk.core.FullDiskKt", tmp_path / "copies", 64)
    assert done.stdout.startswith("refused: "), done.stdout + done.stderr
    assert "left: []" in done.stdout


def test_the_public_api_is_the_one_that_was_agreed_on() -> None:
    """A change of what apps may call is seen in a file of its own: `python -m tests.android.api` writes it anew."""
    assert list_public_api() == FILE.read_text(encoding="utf-8")


def test_everything_public_says_what_it_is_for() -> None:
    """No public class or function of the sources is without its comment."""
    assert undocumented() == []


def test_core_is_pure_jvm() -> None:
    """No file of the SDK's core imports anything of Android's, so it can be tested without a phone."""
    core = find_mobile_root() / "android/sdk/src/main/kotlin/org/edgebundle/sdk/core"
    sources = sorted(core.glob("*.kt"))
    assert len(sources) > 10
    for source in sources:
        assert not re.search(r"^import (android|androidx)\.", source.read_text(encoding="utf-8"), re.MULTILINE), (
            source.name
        )
