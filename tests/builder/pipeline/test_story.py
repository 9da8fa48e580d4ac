"""The main job through the command line: results, determinism, caching, and every fault of the issue's list."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from builder.bundle import OWNER_FILE, Bundle, list_tree
from builder.cli import main
from builder.errors import ConversionError
from builder.project.config import VariantSection
from builder.project.project import Project
from builder.steps.source import SourceStep
from builder.steps.variant import VariantStep, lower_variant
from tests.builder.processes import find_processes, find_workers, make_own_servers, wait_until
from tests.builder.projects import edit, make_project

LIMIT_S = 600.0


@pytest.fixture(scope="module")
def cache(shared_cache: Path) -> Path:
    return shared_cache


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def environment(cache: Path) -> dict[str, str]:
    return {**os.environ, "EDGEBUNDLE_CACHE": str(cache)}


def builder(cache: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "builder", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=environment(cache),
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in list_tree(folder) if p.name != OWNER_FILE}


@pytest.fixture(scope="module")
def converted(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """The small project, its bundle, and what the command said."""
    folder = tmp_path_factory.mktemp("converted")
    make_project(folder / "project")
    done = builder(cache, "convert", folder / "project", "-o", folder / "bundle", "--json")
    assert done.returncode == 0, done.stderr
    (folder / "out.json").write_text(done.stdout)
    return folder / "project", folder / "bundle", done.stdout


def test_convert_writes_a_bundle_whose_manifest_was_read_from_the_files(converted: tuple[Path, Path, str]) -> None:
    """Every layer's realised scheme equals the request, quality and coverage are there, and --json is the manifest."""
    _, folder, stdout = converted
    bundle = Bundle.open(folder)
    assert json.loads(stdout) == json.loads((folder / "manifest.json").read_text())
    fp32, mixed = bundle.manifest.variants
    assert {layer.realised for layer in fp32.layers} == {"fp32"}
    assert {layer.layer: layer.realised for layer in mixed.layers} == {
        "head": "fp16",
        "dw": "static_wi8_ai8",
        "pw": "static_wi8_ai8",
        "tail": "fp16",
    }
    assert fp32.quality.psnr_db_worst >= 100
    assert 25 <= mixed.quality.psnr_db_worst < fp32.quality.psnr_db_worst
    assert fp32.bytes == (folder / fp32.file).stat().st_size


def test_the_manifest_names_no_place_and_no_time(converted: tuple[Path, Path, str]) -> None:
    """No path of this machine, no host name and no date is in any file of the bundle."""
    _, folder, _ = converted
    needles = [str(Path.cwd()), str(folder.parent), os.uname().nodename, time.strftime("%Y-%m-%d")]
    for name, content in contents(folder).items():
        for needle in needles:
            assert needle.encode() not in content, (name, needle)


def test_a_clean_build_elsewhere_gives_the_same_bytes(converted: tuple[Path, Path, str], tmp_path: Path) -> None:
    """Another directory and an empty cache make no difference to a single byte."""
    project, folder, _ = converted
    shutil.copytree(project, tmp_path / "elsewhere \U0001f600 it's")
    done = builder(tmp_path / "cache", "convert", tmp_path / "elsewhere \U0001f600 it's", "-o", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "again") == contents(folder)


def test_only_what_changed_is_lowered_again(cache: Path, converted: tuple[Path, Path, str], tmp_path: Path) -> None:
    """After a change of one plan the source and the other variant are reported as unchanged."""
    project = tmp_path / "project"
    shutil.copytree(converted[0], project)
    edit(project / "plan.toml", '"head|tail"\nscheme = "fp16"', '"head"\nscheme = "fp32"')
    done = builder(cache, "convert", project, "-o", tmp_path / "bundle")
    assert done.returncode == 0, done.stderr
    assert "the source model: unchanged" in done.stderr
    assert "'tflite-xnnpack-fp32': unchanged" in done.stderr
    assert "'tflite-xnnpack-plan': unchanged" not in done.stderr
    assert "'tflite-xnnpack-plan'" in done.stderr


def test_a_changed_plan_of_a_tflite_variant_needs_neither_torch_nor_a_converter(
    cache: Path, converted: tuple[Path, Path, str], tmp_path: Path
) -> None:
    """With the fp32 file kept it is quantized, read back, run and judged where neither can be imported; the bytes are those of a clean build."""
    project, missing = tmp_path / "project", tmp_path / "missing"
    shutil.copytree(converted[0], project)
    edit(project / "plan.toml", '"head|tail"\nscheme = "fp16"', '"head"\nscheme = "dynamic_wi8_afp32"')
    missing.mkdir()
    for name in ("torch", "litert_torch", "litert_converter", "jax"):
        (missing / f"{name}.py").write_text("raise ImportError('not here')\n")
    words = [sys.executable, "-m", "builder", "convert", str(project), "-o"]
    path = os.pathsep.join(filter(None, (str(missing), os.environ.get("PYTHONPATH"))))
    surroundings = make_own_servers(cache, PYTHONPATH=path)
    done = subprocess.run(
        [*words, str(tmp_path / "kept")], capture_output=True, text=True, timeout=LIMIT_S, env=surroundings, check=False
    )
    assert done.returncode == 0, done.stderr
    clean = builder(tmp_path / "cache", "convert", project, "-o", tmp_path / "clean")
    assert clean.returncode == 0, clean.stderr
    assert contents(tmp_path / "kept") == contents(tmp_path / "clean")


def test_verify_runs_every_variant_and_finds_a_changed_artifact(
    cache: Path, converted: tuple[Path, Path, str], tmp_path: Path
) -> None:
    """An intact bundle passes; a flipped byte is named and exits 2; a wrong golden exits 5."""
    done = builder(cache, "verify", converted[1], "--json")
    assert done.returncode == 0, done.stderr
    checks = json.loads(done.stdout)["checks"]
    assert [check["variant"] for check in checks] == ["tflite-xnnpack-fp32", "tflite-xnnpack-plan"]
    assert all(check["psnr_db"] >= check["min_psnr_db"] for check in checks)

    broken = tmp_path / "broken"
    shutil.copytree(converted[1], broken)
    artifact = broken / "variants" / "tflite-xnnpack-fp32.tflite"
    content = bytearray(artifact.read_bytes())
    content[len(content) // 2] ^= 1
    artifact.write_bytes(content)
    done = builder(cache, "verify", broken)
    assert done.returncode == 2
    assert "tflite-xnnpack-fp32.tflite" in done.stderr


def test_inspect_and_plan_show_the_layers(cache: Path, converted: tuple[Path, Path, str]) -> None:
    """The layer table of the config, the artifact's own layers and the bundle's variants, as JSON."""
    project, folder, _ = converted
    layers = json.loads(builder(cache, "inspect", project, "--json").stdout)["layers"]
    assert [layer["name"] for layer in layers] == ["head", "dw", "pw", "tail"]
    artifact = json.loads(
        builder(cache, "inspect", folder / "variants" / "tflite-xnnpack-plan.tflite", "--json").stdout
    )
    assert artifact["coverage"]["source"] == "runtime"
    assert [(other["delegate"], other["source"]) for other in artifact["predicted"]] == [("gpu", "predicted")]
    assert [layer["scheme"] for layer in artifact["stored"]] == ["fp16", "static_wi8_ai8", "static_wi8_ai8", "fp16"]
    manifest = json.loads(builder(cache, "inspect", folder, "--json").stdout)["manifest"]
    assert len(manifest["variants"]) == 2
    assert all(variant["predicted"] for variant in manifest["variants"])
    planned = json.loads(builder(cache, "plan", project, "--json").stdout)["variants"]
    assert [layer["rule"] for layer in planned[1]["layers"]] == [2, 1, 1, 2]


def test_one_failed_variant_does_not_throw_the_others_away(
    cache: Path,
    converted: tuple[Path, Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The others are kept, which the message says; --keep-going writes their bundle, with the reason in its manifest, and exits 4."""
    real = lower_variant

    def lowered(project: Project, source: SourceStep, section: VariantSection, *rest: Any, **named: Any) -> VariantStep:
        if section.name == "tflite-xnnpack-plan":
            wait_until(lambda: done.is_set(), "the other one is made")
            raise ConversionError("the converter knows no such thing.")
        made = real(project, source, section, *rest, **named)
        done.set()
        return made

    done = Event()
    monkeypatch.setattr("builder.pipeline.story.lower_variant", lowered)
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(cache))
    words = ["convert", str(converted[0]), "-o", str(tmp_path / "bundle"), "-q"]
    assert main(words) == 4
    assert "'tflite-xnnpack-fp32': made and kept; --keep-going writes the bundle" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()
    assert main([*words, "--keep-going"]) == 4
    assert "1 of 2 variants could not be made; the bundle is without them" in capsys.readouterr().err
    manifest = Bundle.open(tmp_path / "bundle").manifest
    assert [variant.id for variant in manifest.variants] == ["tflite-xnnpack-fp32"]
    assert [(failure.id, failure.reason) for failure in manifest.failures] == [
        ("tflite-xnnpack-plan", "the converter knows no such thing.")
    ]


def plant_nan_weight(project: Path) -> None:
    state = load_file(project / "small.safetensors")
    state["pw.weight"][0, 0] = float("nan")
    save_file(state, project / "small.safetensors")


def plant_foreign_output(project: Path) -> None:
    (project.parent / "bundle").mkdir()
    (project.parent / "bundle" / "thesis.tex").write_text("years of work")


FAULTS = {
    "unknown key": (lambda p: edit(p / "builder.toml", "licence", "license"), 2, "did you mean 'licence'"),
    "missing checkpoint": (lambda p: (p / "small.safetensors").unlink(), 2, "small.safetensors does not exist"),
    "empty checkpoint": (lambda p: (p / "small.safetensors").write_bytes(b""), 2, "is empty"),
    "corrupt checkpoint": (lambda p: (p / "small.safetensors").write_bytes(b"\xff" * 999), 2, "damaged"),
    "NaN weight": (plant_nan_weight, 2, "'pw.weight'"),
    "NaN output": (lambda p: edit(p / "model.py", "self.tail(x)", "self.tail(x).tanh().sub(2).sqrt()"), 5, "first by the operator 'sqrt' (model.py line "),
    "not an image": (lambda p: (p / "evaluation" / "2.png").write_text("hello"), 2, "2.png"),
    "no calibration": (lambda p: shutil.rmtree(p / "calibration"), 2, "no calibration files"),
    "same image in both": (lambda p: shutil.copy(p / "evaluation/0.png", p / "calibration/9.png"), 2, "held out"),
    "foreign output": (plant_foreign_output, 2, "thesis.tex"),
    "rule without layers": (lambda p: edit(p / "plan.toml", "head|tail", "haed"), 2, "did you mean 'head'"),
    "impossible scheme": (lambda p: edit(p / "plan.toml", '".*"\nscheme = "static_wi8_ai8"', '".*"\nscheme = "weight_only_wi4_afp32"'), 2, "'dw'"),
    "too little time": (lambda p: (p / "builder.toml").write_text((p / "builder.toml").read_text() + "\n[limits]\ntime_s = 0.2\n"), 4, "time_s in [limits]"),
    "too little memory": (lambda p: (p / "builder.toml").write_text((p / "builder.toml").read_text() + "\n[limits]\nmemory_gb = 0.05\n"), 4, "memory_gb in [limits]"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_sentence_an_exit_code_and_no_output(tmp_path: Path, project: Path, fault: str) -> None:
    """Bad input ends in one clear sentence without a traceback and leaves nothing under the final name."""
    spoil, code, message = FAULTS[fault]
    spoil(project)  # type: ignore[no-untyped-call]
    before = contents(tmp_path / "bundle") if (tmp_path / "bundle").exists() else None
    done = builder(tmp_path / "cache", "convert", project, "-o", tmp_path / "bundle", "-q")
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert (contents(tmp_path / "bundle") if (tmp_path / "bundle").exists() else None) == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".bundle")] == []


def test_a_worker_that_is_killed_again_and_again_is_exit_4_with_the_stage(tmp_path: Path, project: Path) -> None:
    """A converter that dies (here by the kernel's out-of-memory signal) is told by signal and stage; nothing is written."""
    own, temporary = tmp_path / "cache", tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "builder", "convert", str(project), "-o", str(tmp_path / "bundle")],
        env=make_own_servers(own, TMPDIR=str(temporary)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    killed: set[int] = set()

    def has_tried_twice() -> bool:
        for worker in set(find_workers(own)) - killed:
            killed.add(worker)
            os.kill(worker, signal.SIGKILL)
        return len(killed) == 2

    wait_until(has_tried_twice, "two workers ran")
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 4
    assert "was ended by SIGKILL at '" in stderr
    assert not (tmp_path / "bundle").exists()
    assert list(temporary.iterdir()) == []


def test_a_full_disk_under_the_cache_is_one_sentence(tmp_path: Path, project: Path) -> None:
    """On a file system without space the build says so, exits 2 and leaves nothing; needs root for a small tmpfs."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(small)], check=True, timeout=60)
    try:
        done = builder(small / "cache", "convert", project, "-o", tmp_path / "bundle")
    finally:
        subprocess.run(["umount", str(small)], check=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "no space is left" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_a_build_that_is_stopped_leaves_nothing_and_the_next_one_works(
    tmp_path: Path, project: Path, cache: Path, number: signal.Signals, code: int
) -> None:
    """Ctrl-C, a polite end and kill -9 while converters run: no output, no worker left behind, and the next run is whole."""
    own = tmp_path / "cache"
    process = subprocess.Popen(
        [sys.executable, "-m", "builder", "convert", str(project), "-o", str(tmp_path / "bundle")],
        env=make_own_servers(own), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    wait_until(lambda: find_workers(own), "a worker runs")
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in stderr
    wait_until(lambda: not find_processes(own), "servers and workers are gone", 30)
    assert not (tmp_path / "bundle").exists()
    done = builder(cache, "convert", project, "-o", tmp_path / "bundle")
    assert done.returncode == 0, done.stderr
    Bundle.open(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("convrt",), 2, "'convrt' is not a command; did you mean 'convert'"),
        (("convert", "nowhere", "-o", "x"), 2, "does not exist"),
        (("verify", "nowhere"), 2, "does not exist"),
        (("inspect", "nowhere.tflite"), 2, "does not exist"),
        (("package", "--target", "androd", "-o", "x"), 2, "'androd' is not a target; did you mean 'android'"),
        ((), 2, "usage"),
    ],
)
def test_wrong_usage_is_exit_2(tmp_path: Path, words: tuple[str, ...], code: int, message: str) -> None:
    """A wrong word on the command line says what is known."""
    done = subprocess.run(
        [sys.executable, "-m", "builder", *words], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
    )
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_help_loads_no_converter_and_is_quick() -> None:
    """It names backends and targets, and asks them; neither a converter nor pydantic is imported for that."""
    code = """
import sys
from builder.cli import main
try:
    main(["convert", "--help"])
except SystemExit:
    pass
heavy = {"torch", "coremltools", "executorch", "litert_torch", "ai_edge_litert", "tensorflow", "numpy", "pydantic"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
