"""`builder export`: files for other runtimes, compared with the source model and naming no machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from builder.errors import ConfigError
from builder.exports import FORMATS, ExportRequest
from builder.pipeline import story as pipeline
from builder.project.config import LegalizeSection, load_config
from builder.sources import load_model
from builder.steps.listener import Silent
from tests.builder.projects import edit, make_project

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("exports") / "project")


def make_request(project: Path, *, dynamic: bool = False) -> ExportRequest:
    config = load_config(project)
    evaluation = tuple(sorted((project / "evaluation").iterdir()))
    return ExportRequest(
        name="small",
        model=load_model(config, project),
        config=config,
        folder=project,
        evaluation=evaluation,
        dynamic=dynamic,
    )


def test_onnx_and_torchscript_agree_and_equal_models_give_equal_files(project: Path, tmp_path: Path) -> None:
    """Both run in their runtimes with the names of builder.toml; ONNX made again has the same bytes; none names this machine."""
    first, again = tmp_path / "first", tmp_path / "again"
    for folder in (first, again):
        folder.mkdir()
        request = make_request(project)
        agreements = [
            FORMATS[kind](request, folder) for kind in ("onnx", *(("torchscript",) if folder == first else ()))
        ]
        assert all(agreement.psnr_db_worst >= 100 and agreement.samples == 4 for agreement in agreements)
    assert sorted(path.name for path in first.iterdir()) == ["small.onnx", "small.ts"]
    assert (first / "small.onnx").read_bytes() == (again / "small.onnx").read_bytes()
    here = str(Path(torch.__file__).parent).encode()
    assert all(here not in path.read_bytes() for path in first.iterdir())
    assert [value.name for value in onnx.load(first / "small.onnx").graph.input] == ["image"]
    script = torch.jit.load(first / "small.ts")
    session = onnxruntime.InferenceSession(first / "small.onnx", providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).random((1, 3, 32, 32), np.float32)
    np.testing.assert_allclose(
        session.run(["out"], {"image": image})[0], script(torch.from_numpy(image)).detach().numpy(), atol=1e-5
    )


def test_open_sizes_run_at_other_sizes_and_give_tensorrt_its_range(project: Path, tmp_path: Path) -> None:
    """With --dynamic the file takes other heights and widths; trtexec's words have the range of them."""
    agreement = FORMATS["tensorrt"](make_request(project, dynamic=True), tmp_path)
    assert agreement.samples == 6
    assert agreement.psnr_db_worst >= 100
    session = onnxruntime.InferenceSession(tmp_path / "small.onnx", providers=["CPUExecutionProvider"])
    assert session.run(None, {"image": np.zeros((1, 3, 40, 24), np.float32)})[0].shape == (1, 3, 40, 24)
    command = (tmp_path / "small.trtexec.sh").read_text().splitlines()[-1]
    assert command == (
        "trtexec --onnx=small.onnx --saveEngine=small.plan --fp16 --minShapes=image:1x3x16x16 --optShapes=image:1x3x32x32 "
        "--maxShapes=image:1x3x64x64"
    )


@pytest.mark.parametrize(
    ("formats", "dynamic", "message"),
    [
        (["onx"], False, "unknown export format 'onx'; did you mean 'onnx'?"),
        (["torchscript"], True, "'torchscript' has fixed sizes"),
    ],
)
def test_what_cannot_be_exported_is_told(
    project: Path, tmp_path: Path, formats: list[str], dynamic: bool, message: str
) -> None:
    """Unknown formats and open sizes where there are none."""
    with pytest.raises(ConfigError) as caught:
        pipeline.export(project, formats=formats, dynamic=dynamic, out=tmp_path / "out", listener=Silent())
    assert message in str(caught.value)


def test_open_sizes_and_frozen_norms_exclude_each_other(project: Path, tmp_path: Path) -> None:
    """The open file would hold the norms that were trained, the others the frozen ones."""
    request = make_request(project, dynamic=True)
    frozen = request.config.model_copy(update={"legalize": LegalizeSection(freeze_norms=True)})
    with pytest.raises(ConfigError, match="remove 'freeze_norms' from"):
        FORMATS["onnx"](replace(request, config=frozen), tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_exported_file_is_a_source_again_and_goes_the_whole_way(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`builder export`, then a TFLite bundle of its ONNX file, whose manifest says how well the import agrees."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    pipeline.export(project, formats=["onnx"], out=tmp_path / "out", listener=Silent())
    (entry,) = json.loads((tmp_path / "out" / "exports.json").read_text())
    assert [file["file"] for file in entry["files"]] == ["small.onnx"]
    imported = make_project(tmp_path / "imported")
    (imported / "small.onnx").write_bytes((tmp_path / "out" / "small.onnx").read_bytes())
    edit(
        imported / "builder.toml", 'source = "model:create"\ncheckpoint = "small.safetensors"', 'source = "small.onnx"'
    )
    with pytest.raises(ConfigError, match="holds fixed sizes once it is imported"):
        FORMATS["onnx"](make_request(imported, dynamic=True), tmp_path)
    edit(imported / "builder.toml", '[[variant]]\nbackend = "tflite"\ndelegate = "xnnpack"\nscheme = "fp32"\n', "")
    bundle = pipeline.convert(imported, out=tmp_path / "bundle", listener=Silent())
    agreement = bundle.manifest.model.imported
    assert agreement is not None
    assert agreement.runtime.startswith("ONNX Runtime")
    assert agreement.samples == 4
    assert agreement.psnr_db_worst >= 100
    (variant,) = bundle.manifest.variants
    assert {layer.layer: layer.realised for layer in variant.layers} == {
        "head": "fp16", "dw": "static_wi8_ai8", "pw": "static_wi8_ai8", "tail": "fp16",
    }  # fmt: skip
