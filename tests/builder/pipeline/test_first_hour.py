"""The first hour: init, check, run, and the page that convert leaves, on a network nobody described yet."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import builder
from builder.bundle import Bundle, TensorSpec
from builder.cli import main
from builder.errors import OutputError
from builder.pipeline.gallery import Made, Sample, make_cells, render_page
from builder.pipeline.init import read_inputs
from builder.pipeline.pictures import place_page
from builder.project.config import load_config
from tests.builder.projects import edit, make_project, write_pictures


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))


def test_init_writes_what_it_finds_and_measures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A checkpoint, a factory beside it that gives 0..255, photographs: the file can be read, and check takes it."""
    folder = make_project(tmp_path / "project")
    (folder / "builder.toml").unlink()
    edit(
        folder / "model.py",
        "return torch.sigmoid(self.tail(x))",
        "return (torch.sigmoid(self.tail(x)) * 0.02 + y * 0.9) * 255",
    )
    edit(folder / "model.py", "x = torch.relu(self.head(x))", "y = x\n        x = torch.relu(self.head(x))")
    assert main(["init", str(folder / "small.safetensors"), "-q"]) == 0
    config = load_config(folder)
    assert (config.model.source, config.model.checkpoint) == ("model:create", "small.safetensors")
    assert (config.data.calibration, config.data.evaluation) == ("calibration/*", "evaluation/*")
    assert config.output[0].kind == "image"
    assert config.output[0].range == (0.0, 255.0)
    assert [variant.scheme for variant in config.variant if variant.backend == "coreml"] == ["fp16"]
    capsys.readouterr()
    assert main(["init", str(folder / "small.safetensors")]) == 2
    assert "exists; choose another -o" in capsys.readouterr().err
    assert main(["check", str(folder), "--json", "-q"]) == 0
    assert {row["what"] for row in json.loads(capsys.readouterr().out)} >= {"data", "the network"}


def test_check_tells_all_faults_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An application id, a plan and a picture in both sets, although the first alone would end a conversion."""
    folder = make_project(tmp_path / "project")
    text = (folder / "builder.toml").read_text()
    packages = '\n[package.android]\napplication_id = "style"\n[package.ios]\nbundle_identifier = "a_b"\n'
    (folder / "builder.toml").write_text(text + packages)
    edit(folder / "plan.toml", "head|tail", "haed")
    shutil.copy(folder / "evaluation" / "0.png", folder / "calibration" / "9.bmp")
    from PIL import Image

    Image.open(folder / "evaluation" / "0.png").save(folder / "calibration" / "9.bmp")
    assert main(["check", str(folder), "--json", "-q"]) == 2
    captured = capsys.readouterr()
    faults = {row["what"]: row["fault"] for row in json.loads(captured.out) if row["fault"]}
    assert "held out" in faults["data"]
    assert sum("held out" in fault for fault in faults.values()) == 1
    assert "is not an Android application id" in faults["[package.android]"]
    assert "bundle identifier" in faults["[package.ios]"]
    assert captured.err.startswith("builder: ")


@pytest.mark.parametrize("command", ["convert", "plan", "inspect", "check"])
@pytest.mark.parametrize("name", ["net.onnx", "net.keras", "w.safetensors", "w.pth", "m.pt2"])
def test_a_model_where_a_builder_toml_is_meant_is_told_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, name: str
) -> None:
    """Never a decoding error."""
    (tmp_path / name).write_bytes(b"\xff\xfe\x00PK")
    if (command, name) == ("inspect", "m.pt2"):
        return  # its layers are read from itself
    words = [command, str(tmp_path / name), *(["-o", str(tmp_path / "out")] if command == "convert" else [])]
    assert main(words) == 2
    assert f"builder init {tmp_path / name}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("nowhere.onnx", "does not exist"),
        ("thing.xyz", "is of no kind that is known"),
        ("broken.onnx", "is damaged or not an ONNX file"),
        ("broken.keras", "is damaged or not a .keras file"),
        ("alone.safetensors", "nothing beside"),
        ("nowhere:create", "does not exist"),
    ],
)
def test_init_of_what_it_cannot_read_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str, message: str
) -> None:
    """And nothing is written."""
    monkeypatch.chdir(tmp_path)
    for name in ("thing.xyz", "broken.onnx", "broken.keras", "alone.safetensors"):
        (tmp_path / name).write_bytes(b"\xff\xfenothing")
    assert main(["init", word, "-q"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "builder.toml").exists()


def test_the_range_of_an_onnx_file_is_measured(tmp_path: Path) -> None:
    """A network that takes 0..255 in NCHW of open sizes and gives 0..1."""
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [
            helper.make_node("Div", ["in put", "wide"], ["unit"]),
            helper.make_node("Sub", ["unit", "half"], ["centred"]),
            helper.make_node("Mul", ["centred", "gain"], ["steep"]),
            helper.make_node("Sigmoid", ["steep"], ["out"]),
        ],
        "net",
        [helper.make_tensor_value_info("in put", TensorProto.FLOAT, ["n", 3, 64, 64])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 3, 64, 64])],
        [
            helper.make_tensor(name, TensorProto.FLOAT, [1], [value])
            for name, value in (("wide", 255), ("half", 0.5), ("gain", 8))
        ],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "net.onnx"
    )
    write_pictures(tmp_path / "pictures", 3, seed=4, size=64)
    assert main(["init", str(tmp_path / "net.onnx"), "-q"]) == 0
    config = load_config(tmp_path)
    assert config.input[0].range == (0.0, 255.0)
    assert config.input[0].shape == (1, 3, 64, 64)
    assert config.output[0].range == (0.0, 1.0)
    assert config.data.evaluation == "pictures/*"


def test_the_page_shows_every_variant_and_its_difference_enlarged() -> None:
    """The largest power of two at which nearly all of the difference stays below white, the same for all variants."""
    spec = TensorSpec(name="out", kind="image", shape=(1, 3, 8, 8), color_order="RGB", range=(0.0, 1.0))
    want = np.random.default_rng(0).uniform(0.2, 0.8, (1, 3, 8, 8)).astype(np.float32)
    made = tuple(
        Made(name=name, about="", outputs={"out": want + np.float32(levels / 255)})
        for name, levels in (("int8", 9), ("fp16", 1))
    )
    sample = Sample(name="a<b", picture=None, reference=Made(name="source", about="", outputs={"out": want}), made=made)
    found = make_cells(sample, [spec])
    assert [(cell.name, cell.times) for cell in found] == [("source", 1), ("int8", 16), ("fp16", 16)]
    assert found[1].difference is not None
    assert 9 * 16 in np.unique(found[1].difference)
    text = render_page("net", "about", [sample], [spec])
    assert text.count("data:image/png") == 5
    assert "a&lt;b" in text
    assert "<b>int8</b>" in text


def test_the_page_of_a_bundle_lies_beside_it_wherever_that_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An -o of a single dot has a name too; somebody else's page is never overwritten."""
    (tmp_path / "bundle").mkdir()
    monkeypatch.chdir(tmp_path / "bundle")
    assert place_page(Path(".")) == tmp_path / "bundle.html"
    (tmp_path / "bundle.html").write_text("my own page")
    with pytest.raises(OutputError, match="is no page of pictures"):
        place_page(Path("."))


def test_run_writes_pictures_of_every_variant_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One real conversion: convert leaves a page beside the bundle, run makes pictures of a photograph of another size."""
    folder = make_project(tmp_path / "project")
    text = (folder / "builder.toml").read_text()
    (folder / "builder.toml").write_text(text[: text.rindex("[[variant]]")])
    bundle = tmp_path / "bundle"
    assert main(["convert", str(folder), "-o", str(bundle), "-q"]) == 0
    assert "<title>Pictures of small" in (tmp_path / "bundle.html").read_text()
    write_pictures(tmp_path / "mine", 1, seed=9, size=50)
    capsys.readouterr()
    words = ["run", str(bundle), str(tmp_path / "mine" / "0.png"), "-q", "--json"]
    assert main([*words, "--source", str(folder), "-o", str(tmp_path / "pictures")]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert result["reference"] == "the source model"
    assert [shot["variant"] for shot in result["shots"]] == ["the source model", "tflite-xnnpack-fp32"]
    assert result["shots"][1]["psnr_db"] > 100
    assert {path.name for path in (tmp_path / "pictures").iterdir() if not path.name.startswith(".")} == {
        "0.the-source-model.png", "0.tflite-xnnpack-fp32.png", "0.tflite-xnnpack-fp32.difference.png", "page.html",
    }  # fmt: skip
    opened_bundle = Bundle.open(bundle)
    html = opened_bundle._repr_html_()
    assert html.count("data:image/png;base64,") == 3
    assert "tflite-xnnpack-fp32" in html
    assert (
        builder.verify(opened_bundle).checks[0].worst_psnr_db
        == opened_bundle.manifest.variants[0].quality.psnr_db_worst
    )
    assert builder.inspect(opened_bundle).kind == "bundle"
    assert main(["run", str(bundle), str(tmp_path / "nowhere.png"), "-o", str(tmp_path / "x")]) == 2
    (tmp_path / "other.html").write_text("my own page")
    assert main(["convert", str(folder), "-o", str(tmp_path / "other"), "-q"]) == 2
    assert (tmp_path / "other.html").read_text() == "my own page"


def test_the_inputs_of_a_keras_file_are_those_of_its_input_layers(tmp_path: Path) -> None:
    """Fixed sizes, several inputs, their names and kinds. The file is as Keras 3.12 writes a functional model: `build_config` has no shape."""

    def layer(name: str, shape: list[int | None], dtype: str) -> dict[str, Any]:
        config = {"batch_shape": shape, "dtype": dtype, "sparse": False, "ragged": False, "name": name}
        return {"module": "keras.layers", "class_name": "InputLayer", "config": config, "name": name}

    layers = [layer("photo", [None, 64, 80, 3], "float32"), layer("style", [None], "int32")]
    whole = {"class_name": "Functional", "config": {"layers": layers}, "build_config": {"input_shape": None}}
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(whole))
    found = read_inputs(tmp_path / "net.keras")
    assert found is not None
    assert [(spec.name, spec.kind, spec.shape, spec.dtype) for spec in found] == [
        ("photo", "image", (1, 3, 64, 80), "float32"),
        ("style", "tensor", (1,), "int32"),
    ]
