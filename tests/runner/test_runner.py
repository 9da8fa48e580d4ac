"""The C++ runner by itself, under QEMU: one JSON line whatever happens, and an exit status that agrees with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from builder import process
from harness.devices.arm64.qemu import counting_qemu, read_counts
from harness.devices.runner.binaries import LOADER, RUNNER, build_runner_bundle
from tests.small_models import Backend, SmallModels, make_small_models, measure_largest_error

RUN_S = 60.0


@pytest.fixture(scope="module")
def models() -> SmallModels:
    return make_small_models()


def run(backend: Backend, *arguments: str | Path) -> tuple[int, dict[str, object], str]:
    """Exit status, the JSON line that is all of stdout, and stderr."""
    folder = build_runner_bundle(backend).folder
    start = [*counting_qemu().words(count=True), folder / LOADER, "--library-path", folder, folder / RUNNER]
    done = process.run([*start, *arguments], timeout_s=RUN_S, check=False)
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stdout
    return done.returncode, json.loads(lines[0]), done.stderr


@pytest.mark.parametrize("backend", get_args(Backend))
def test_result_line(models: SmallModels, backend: Backend, tmp_path: Path) -> None:
    """The line tells times, memory, shapes and what executed; the outputs are PyTorch's."""
    (tmp_path / "in").write_bytes(models.input.tobytes())
    options: list[str | Path] = [
        "--input",
        tmp_path / "in",
        "--output",
        tmp_path / "out",
        "--threads",
        "2",
        "--warmup",
        "1",
        "--runs",
        "2",
    ]
    status, line, stderr = run(backend, "--model", models.file(backend), *options)
    assert status == 0
    tensor = {"dtype": "float32", "shape": [1, 3, 64, 64], "bytes": 49152}
    assert (line["inputs"], line["outputs"]) == ([tensor], [tensor])
    assert (line["machine"], line["threads"], line["warmup"]) == ("aarch64", 2, 1)
    samples = line["latency_ns"]
    assert isinstance(samples, list)
    assert len(samples) == 2
    assert all(
        isinstance(value, int) and value > 0 for value in (*samples, line["first_ns"], line["load_ns"], line["init_ns"])
    )
    assert (line["fully_delegated"], line["delegates"]) in ((True, ["xnnpack"]), (None, ["XnnpackBackend"]))
    given = np.fromfile(tmp_path / "out.0.bin", np.float32).reshape(models.output.shape)
    assert measure_largest_error(given, models.output) <= 1e-5
    assert read_counts(stderr) == []


def test_marks_surround_every_run(models: SmallModels) -> None:
    """With --mark the plug-in counts each timed run, and nothing else."""
    status, _, stderr = run("tflite", "--model", models.tflite, "--runs", "3", "--warmup", "2", "--mark")
    assert status == 0
    counted = read_counts(stderr)
    assert len(counted) == 3
    assert max(counted) - min(counted) <= 1e-4 * min(counted)


def test_which_delegates_took_part(models: SmallModels) -> None:
    """XNNPACK is named when it executes a part of the model, and not when it executes nothing."""
    _, mixed, _ = run("tflite", "--model", models.mixed_tflite, "--runs", "1")
    _, undelegated, _ = run("tflite", "--model", models.undelegated_tflite, "--runs", "1")
    assert (mixed["fully_delegated"], mixed["delegates"]) == (False, ["xnnpack"])
    assert (undelegated["fully_delegated"], undelegated["delegates"]) == (False, [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--model is required"),
        (("--model",), "--model wants a value"),
        (("--frobnicate",), "unknown option '--frobnicate'"),
        (("--model", "m", "--runs", "0"), "--runs takes a number from 1 to 1000000, not '0'"),
        (("--model", "m", "--threads", "2x"), "--threads takes a number from 1 to 64, not '2x'"),
        (("--model", "m", "--warmup", "99999999999999999999"), "--warmup takes a number"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], said: str) -> None:
    """Wrong options are an error line and status 2."""
    status, line, _ = run("tflite", *arguments)
    assert status == 2
    assert said in str(line["error"])


@pytest.mark.parametrize("backend", get_args(Backend))
def test_wrong_inputs(models: SmallModels, backend: Backend, tmp_path: Path) -> None:
    """A missing model, and inputs that are missing, too short, too long or too many, are an error line and status 1."""
    (tmp_path / 'sh"ort').write_bytes(b"1234")
    (tmp_path / "long").write_bytes(models.input.tobytes() + b"1")
    model = ("--model", models.file(backend))
    cases: list[tuple[tuple[str | Path, ...], str]] = [
        (("--model", tmp_path / "nö"), "cannot open"),
        ((*model, "--input", tmp_path / "none"), "cannot open"),
        ((*model, "--input", tmp_path / 'sh"ort'), "is not the 49152 bytes"),
        ((*model, "--input", tmp_path / "long"), "is not the 49152 bytes"),
        ((*model, "--input", tmp_path / "long", "--input", tmp_path / "long"), "has 1 inputs but 2 were given"),
        ((*model, "--runs", "1", "--output", tmp_path / "no" / "such"), "cannot write"),
    ]
    for arguments, said in cases:
        status, line, _ = run(backend, *arguments)
        assert status == 1
        assert said in str(line["error"])
