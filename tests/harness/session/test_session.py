"""The session: every variant of a real bundle on a real device, with checks, verdicts and nothing dropped."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

import harness
from harness.analysis.verdict import choose_exit_code
from harness.errors import UsageError
from harness.records.run import Run
from harness.records.store import open_store, read_runs
from harness.session.outcome import Step
from harness.session.session import open_bundle_or_package, run_session
from tests.harness.small_bundle import write_manifest


def test_a_run_has_everything_that_makes_it_mean_something(measured_runs: list[Run], small_bundle: Path) -> None:
    """Both variants were measured, their goldens passed, and device, runtime, conditions and samples are recorded."""
    assert [run.variant for run in measured_runs] == ["tflite-fp32", "executorch-fp32"]
    for run in measured_runs:
        assert run.golden is not None
        assert run.golden.passed
        assert run.golden.psnr_db >= 45
        assert run.delegate_executed.value == run.delegate_requested == "xnnpack"
        assert 30 <= len(run.latency_ns) <= 45
        assert run.warm_up is not None
        assert run.warm_up + len(run.latency_ns) == 5 + 45
        assert choose_exit_code(run.verdict) in (0, 7)  # this computer may be busy, but the output is right
        assert run.simulated is None
        assert run.processor_use is not None  # what others used meanwhile is told on a computer too
        assert (run.processor_use.own_s.value or 0) > 0
    with open_bundle_or_package(small_bundle) as bundle:
        assert {run.bundle_sha256 for run in measured_runs} == {bundle.sha256}


def test_the_store_has_pictures_and_manifest(measured_store: str, measured_runs: list[Run]) -> None:
    """A report can be made without the bundle: the input, source, expected and output pictures and the manifest are kept."""
    store = open_store(measured_store)
    assert {picture.role for picture in store.pictures(measured_runs[0].id)} == {
        "input",
        "source",
        "expected",
        "output",
    }
    manifest = store.manifest(measured_runs[0].bundle_sha256)
    assert manifest is not None
    assert manifest.model.name == "small"
    store.close()


def test_variants_that_cannot_run_are_listed(small_bundle: Path) -> None:
    """The Core ML variant is in the result with its reason, and a zip of the bundle is as good as the directory."""
    archive = small_bundle.parent / "bundle.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        for path in sorted(small_bundle.rglob("*")):
            if path.is_file():
                stream.write(path, path.relative_to(small_bundle))
    result = harness.measure(archive, devices=["host"])
    assert [(entry.variant, entry.failed) for entry in result.skipped] == [("coreml-fp32", False)]
    assert "macOS" in result.skipped[0].reason
    assert len(result.runs) == 2


def changed(small_bundle: Path, target: Path, **changes: object) -> Path:
    shutil.copytree(small_bundle, target)
    write_manifest(target, **changes)  # type: ignore[arg-type]
    return target


def test_a_golden_that_is_not_reached_makes_the_run_invalid(small_bundle: Path, tmp_path: Path) -> None:
    """A bundle that asks for more than the device gives yields `invalid` with both figures, and the output is kept."""
    bundle = changed(small_bundle, tmp_path / "strict", min_psnr_db=250.0)
    result = harness.measure(bundle, store=str(tmp_path / "runs.sqlite"))
    for run in result.runs:
        assert run.verdict.words.startswith("invalid: golden 0 reached ")
        assert "250.0 dB" in run.verdict.words
    assert read_runs(str(tmp_path / "runs.sqlite")) == list(result.runs)


def test_a_variant_that_breaks_does_not_stop_the_others(small_bundle: Path, tmp_path: Path) -> None:
    """An artifact that its runtime refuses is a failed entry with the reason; the next variant is measured."""
    bundle = tmp_path / "broken"
    shutil.copytree(small_bundle, bundle)
    (bundle / "variants" / "small.tflite").write_bytes(b"not a model" * 100)
    write_manifest(bundle)
    steps: list[Step] = []
    from harness.protocol import PROTOCOLS

    with open_bundle_or_package(bundle) as opened:
        result = run_session(opened, ["host"], PROTOCOLS["quick"], None, steps.append)
    assert [run.variant for run in result.runs] == ["executorch-fp32"]
    failed = [entry for entry in result.skipped if entry.failed]
    assert [(entry.variant, entry.exit_code) for entry in failed] == [("tflite-fp32", 6)]
    assert [step.variant for step in steps] == ["tflite-fp32", "executorch-fp32", "coreml-fp32"]


def test_a_golden_that_does_not_fit_is_one_sentence(small_bundle: Path, tmp_path: Path) -> None:
    """A golden file of another size than its tensor is bad input, not a traceback."""
    bundle = tmp_path / "short"
    shutil.copytree(small_bundle, bundle)
    (bundle / "golden" / "0-image.f32").write_bytes(b"\0" * 400)
    write_manifest(bundle)
    with pytest.raises(UsageError, match="golden 0 does not fit its manifest"):
        harness.measure(bundle)


def test_what_is_no_bundle_is_one_sentence(tmp_path: Path) -> None:
    """A missing path, an empty directory and a file of something else are UsageErrors."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no archive", encoding="utf-8")
    for name, words in (
        ("none", "does not exist"),
        ("empty", "is not a bundle"),
        ("text.zip", "not a readable archive"),
    ):
        with pytest.raises(UsageError, match=words):
            harness.measure(tmp_path / name)


def test_a_replayed_record_is_labelled_and_not_called_ok(
    measured_runs: list[Run], small_bundle: Path, tmp_path: Path
) -> None:
    """Replay gives back the recorded latencies once; its label is on the run, and the unchecked output costs it the `ok`."""
    steady = tuple(8_000_000 + 1000 * (number % 7) for number in range(30))
    recorded = [run.model_copy(update={"latency_ns": steady}) for run in measured_runs]
    file = tmp_path / "recorded.jsonl"
    file.write_text("".join(run.to_json() + "\n" for run in recorded), encoding="utf-8")
    result = harness.measure(small_bundle, devices=[f"replay:{file}"])
    assert [run.latency_ns for run in result.runs] == [steady] * len(recorded)
    for run in result.runs:
        assert run.simulated == "replayed from recorded.jsonl"
        assert run.device.kind == "replay"
        assert run.verdict.code == "unchecked"
    assert [entry.variant for entry in result.skipped] == ["coreml-fp32"]


def test_replay_needs_a_file_of_records(tmp_path: Path) -> None:
    """No file, and a file without records, are bad usage."""
    (tmp_path / "empty.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="needs a JSON Lines file"):
        harness.open_device("replay")
    with pytest.raises(UsageError, match="holds no records"):
        harness.open_device(f"replay:{tmp_path / 'empty.jsonl'}")
