"""`delegate = "gpu"` through the command line: executed where a driver is there, unproven with the reason where none computes as phones do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builder.bundle import Bundle
from tests.builder.projects import edit, make_project
from tests.software_gpu import give_mesa, mesa

LIMIT_S = 600.0


def builder(cache: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "builder", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "EDGEBUNDLE_CACHE": str(cache)},
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """One variant, for the GPU."""
    folder = make_project(tmp_path / "project")
    config = folder / "builder.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(
        text[: text.index("[[variant]]")] + '[[variant]]\nbackend = "tflite"\ndelegate = "gpu"\nscheme = "fp16"\n'
    )
    return folder


def test_a_gpu_variant_is_proven_with_mesa_and_unproven_without(project: Path, tmp_path: Path) -> None:
    """Without it the command warns and ends with 0; `require_proven` makes it 5, before anything is converted."""
    mesa()
    cache = tmp_path / "cache"
    done = builder(cache, "convert", project, "-o", tmp_path / "coarse")
    assert done.returncode == 0, done.stderr
    assert "unproven: 'tflite-gpu-fp16': SwiftShader" in " ".join(done.stderr.split())
    (variant,) = Bundle.open(tmp_path / "coarse").manifest.variants
    assert variant.unproven is not None
    assert "fp32 alone" in variant.unproven
    assert "GPU in fp32, SwiftShader" in variant.quality.runtime

    edit(project / "builder.toml", 'scheme = "fp16"', 'scheme = "fp16"\nrequire_proven = true')
    done = builder(cache, "convert", project, "-o", tmp_path / "refused")
    assert done.returncode == 5, done.stderr
    assert "'tflite-gpu-fp16' has require_proven = true but stays unproven here: SwiftShader" in done.stderr
    assert "'builder doctor' says what can be added" in done.stderr
    assert not (tmp_path / "refused").exists()

    give_mesa(cache)
    done = builder(cache, "convert", project, "-o", tmp_path / "proven")
    assert done.returncode == 0, done.stderr
    assert "unproven" not in done.stderr
    (variant,) = Bundle.open(tmp_path / "proven").manifest.variants
    assert variant.unproven is None
    assert "GPU in fp16, Mesa 25" in variant.quality.runtime
    assert (variant.coverage.source, variant.coverage.mac_share) == ("runtime", 1.0)
    done = builder(cache, "verify", tmp_path / "proven", "--json")
    assert done.returncode == 0, done.stderr
    assert {check["runtime"] for check in json.loads(done.stdout)["checks"]} == {variant.quality.runtime}


def test_doctor_lists_the_drivers(tmp_path: Path) -> None:
    """Mesa with the command that adds it where it is missing; none of them is required."""
    found = json.loads(builder(tmp_path / "empty", "doctor", "--json").stdout)
    drivers = {row["name"]: row for row in found["needs"] if row["part"] == "tflite gpu"}
    assert set(drivers) == {"Mesa (fp16)", "SwiftShader (fp32)"}
    assert drivers["Mesa (fp16)"]["cure"].endswith("mesa.sh prepare")
    assert not drivers["Mesa (fp16)"]["required"]
    assert "Apache-2.0" in drivers["SwiftShader (fp32)"]["version"]
