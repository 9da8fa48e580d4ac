"""Time by layer: on this computer and on the emulated processor, by both runtimes' own profilers, with the names of the manifest."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from builder.bundle import LayerPrecision, Variant
from harness.analysis.layer_times import Damage, by_layer
from harness.cli import main
from harness.devices.runner.operators import read_operators
from harness.errors import DeviceError
from harness.records.profile import Operator, read_profiles
from tests.emulated_phone import EmulatedPhone
from tests.harness.devices.conftest import phone  # noqa: F401
from tests.small_models import make_small_models

CONV, DEPTHWISE = "Convolution (NHWC, F32) IGEMM", "Convolution (NHWC, F32) DWConv"


def variant(*ops: str) -> Variant:
    layers = [LayerPrecision(layer=f"l{n}", op=op, requested="fp32", realised="fp32") for n, op in enumerate(ops)]
    return make_small_models().variant("tflite").model_copy(update={"layers": tuple(layers)})


def operators(*kernels: str) -> list[Operator]:
    return [Operator(kernel=kernel, ns=(3000, 1000, 2000)) for kernel in kernels]


@pytest.mark.parametrize("device", ["host", "arm64"])
def test_every_layer_has_its_time(
    small_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], device: str
) -> None:
    """Both runtimes tell their operators; those with weights carry the manifest's names, in order, and the shares make a whole."""
    kept = tmp_path / "profile.json"
    assert main(["profile", str(small_bundle), "-d", device, "--inferences", "30", "-o", str(kept), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [entry["variant"] for entry in document["profiles"]] == ["tflite-fp32", "executorch-fp32"]
    assert [entry["variant"] for entry in document["skipped"]] == ["coreml-fp32"]
    for found in read_profiles(kept):
        assert found.unnamed is None
        assert [row.layer for row in found.operators if row.layer is not None] == ["0", "2", "4"]
        assert all(row.ns > 0 and row.low_ns <= row.ns <= row.high_ns for row in found.operators if row.layer)
        assert any(row.low_ns < row.high_ns for row in found.operators)  # each inference has times of its own
        assert sum(row.share for row in found.operators) == pytest.approx(1.0)
        assert (found.inferences, found.threads) == (30, 1)
        assert (found.simulated is None) == (device == "host")
        if device == "arm64":
            assert "not a latency" in str(found.simulated)


def test_a_phone_in_shell_mode_is_profiled(
    phone: EmulatedPhone,  # noqa: F811
    small_bundle: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Over adb, and nothing is left on it."""
    words = [
        "profile",
        str(small_bundle),
        "-d",
        f"android:{phone.address}",
        "--variant",
        "tflite-fp32",
        "--inferences",
        "2",
    ]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "tflite-fp32 on android:" in out
    assert "Convolution" in out
    assert phone.files == []


def test_the_report_shows_it_beside_the_variant(
    measured_store: str, small_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the damage of each layer that a search found; a profile of another file is refused."""
    (tmp_path / "plan.json").write_text(
        json.dumps(
            {
                "variant": "x",
                "damage": [{"layers": ["2", "4"], "low": "static_wi8_ai8", "psnr_db": 41.25, "noise": 1.0}],
            }
        ),
        encoding="utf-8",
    )
    kept, page = tmp_path / "profile.json", tmp_path / "report.html"
    words = ["profile", str(small_bundle), "-d", "host", "--inferences", "1", "--variant", "tflite-fp32"]
    assert main([*words, "--damage", str(tmp_path / "plan.json"), "-o", str(kept)]) == 0
    assert "41.2 dB in static_wi8_ai8" in capsys.readouterr().out
    assert main(["report", measured_store, "--profile", str(kept), "-o", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("Time by layer on host") == 1
    assert "<code>4</code>" in text
    assert "41.2 dB in static_wi8_ai8" in text
    assert main(["report", measured_store, "--profile", str(kept), "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out.partition("wrote")[0])["profiles"]) == 1
    strange = json.loads(kept.read_text(encoding="utf-8"))
    strange["profiles"][0]["variant_sha256"] = "f" * 64
    kept.write_text(json.dumps(strange), encoding="utf-8")
    assert main(["report", measured_store, "--profile", str(kept), "-o", str(page)]) == 2
    assert "holds no run of the file 'tflite-fp32' that was profiled" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"profiles": [{}]}', "\x00"])
def test_what_is_no_profile_is_said(
    measured_store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Any other file is one sentence, for both options that read one."""
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    assert main(["report", measured_store, "--profile", str(tmp_path / "x.json")]) == 2
    assert "is no profile; give what 'harness profile -o' wrote" in capsys.readouterr().err
    assert main(["profile", str(tmp_path), "-d", "host", "--damage", str(tmp_path / "x.json")]) == 2
    assert "holds no damage of layers" in capsys.readouterr().err


def test_operators_of_a_trace() -> None:
    """In order, each with the nanoseconds of every inference."""
    texts = [f"Add (ND) #1\t66000\nnative_call_add.out\t{ns}\nnoise\n" for ns in (5, 7)]
    assert read_operators(texts, where="x") == (
        Operator(kernel="Add (ND) #1", ns=(66000, 66000)),
        Operator(kernel="native_call_add.out", ns=(5, 7)),
    )


@pytest.mark.parametrize("texts", [[], [""], ["noise\n" * 50], ["a\t1\n", "b\t1\n"], ["a\t1\n", ""]])
def test_a_profiler_that_tells_nothing(texts: list[str]) -> None:
    """One sentence, and no layer with the time of another."""
    with pytest.raises(DeviceError, match=r"told no operator|told other operators"):
        read_operators(texts, where="x")


def test_names_are_given_only_where_they_must_be_right() -> None:
    """As many operators with weights as layers, each of its layer's kind: else there are no names, and the reason."""
    rows, why = by_layer(
        operators(CONV, "Add (ND)", DEPTHWISE),
        variant("conv2d", "depthwise_conv2d"),
        {"l1": Damage(psnr_db=40, scheme="x")},
    )
    assert why is None
    assert [(row.layer, row.op, row.ns, row.damage_db) for row in rows] == [
        ("l0", "conv2d", 2000, None),
        (None, "add", 2000, None),
        ("l1", "depthwise_conv2d", 2000, 40),
    ]
    rows, why = by_layer(operators(CONV), variant("conv2d", "conv2d"), {})
    assert why == "the runtime executed 1 operators with weights, the manifest has 2 layers"
    rows, why = by_layer(operators(DEPTHWISE, CONV), variant("conv2d", "depthwise_conv2d"), {})
    assert "order is another one" in str(why)
    assert {row.layer for row in rows} == {None}


def test_a_pipe_is_not_waited_for(measured_store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is a missing file a traceback."""
    os.mkfifo(tmp_path / "pipe.json")
    for name, words in (("pipe.json", "is no file"), ("none.json", "cannot be read (No such file or directory)")):
        assert main(["report", measured_store, "--profile", str(tmp_path / name)]) == 2
        assert words in capsys.readouterr().err
        assert main(["profile", str(tmp_path), "-d", "host", "--damage", str(tmp_path / name)]) == 2
        assert words in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--inferences", "0"], ["--inferences", "1001"], ["--threads", "0"], ["-d", "hots"]])
def test_bad_words(small_bundle: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, exit 2."""
    assert main(["profile", str(small_bundle), "-d", "host", *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
