"""What is wrong with a Core ML file is found before it is packed: each damage by its own sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from builder.backends import coreml
from builder.backends.base import Lowered
from builder.backends.coreml.check import check_package
from builder.backends.coreml.options import CoreMLOptions
from builder.backends.coreml.package import MODEL, WEIGHTS
from builder.backends.coreml.program import load_spec
from builder.errors import EdgebundleError, VerificationError
from builder.graph.model import Model
from tests.builder.models import Mixed, make_picture_model, plan_of, seeded

pytestmark = pytest.mark.filterwarnings("ignore")


class Written:
    """One good file with pictures at its borders, that tests copy and damage."""

    def __init__(self, path: Path) -> None:
        torch.set_num_threads(1)
        self.path = path
        self.model: Model = make_picture_model(seeded(Mixed))
        plan = plan_of(dict.fromkeys(self.model.layers.names(), "fp16"))
        self.lowered: Lowered = coreml.lower(self.model, plan, "all", dict, path, CoreMLOptions(io="images"))

    def check(self, path: Path) -> None:
        check_package(path, self.lowered.inputs, self.lowered.outputs, (*self.model.inputs, *self.model.outputs))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("good") / "a.mlpackage")


def change_spec(path: Path, change: Callable[[Any], None]) -> None:
    spec = load_spec(path)
    change(spec)
    (path / MODEL).write_bytes(spec.SerializeToString(deterministic=True))


def change_manifest(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((path / "Manifest.json").read_text(encoding="utf-8"))
    change(manifest)
    (path / "Manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def without_weights_entry(manifest: dict[str, Any]) -> None:
    entries = manifest["itemInfoEntries"]
    del entries[next(key for key, entry in entries.items() if entry["name"] == "weights")]


def make_ops_older(spec: Any) -> None:
    """The program's blocks as of the system before the one that the file states."""
    function = spec.mlProgram.functions["main"]
    function.block_specializations["CoreML5"].CopyFrom(function.block_specializations[function.opset])
    function.opset = "CoreML5"


def as_ios15(spec: Any) -> None:
    """States iOS 15 for a program with an op of iOS 16."""
    spec.specificationVersion = 6
    make_ops_older(spec)
    op = next(
        o for o in spec.mlProgram.functions["main"].block_specializations["CoreML5"].operations if o.type == "relu"
    )
    op.type = "pixel_unshuffle"


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no manifest": (lambda p: (p / "Manifest.json").unlink(), "no good Manifest.json"),
    "manifest is text": (lambda p: (p / "Manifest.json").write_text("{"), "no good Manifest.json"),
    "manifest is a list": (lambda p: (p / "Manifest.json").write_text("[]"), "no good Manifest.json"),
    "other root": (lambda p: change_manifest(p, lambda m: m.update(rootModelIdentifier="x")), "no good Manifest.json"),
    "weights not named": (lambda p: change_manifest(p, without_weights_entry), r"weight\.bin, which its Manifest.json does not name"),
    "file not named": (lambda p: (p / "Data" / "notes.txt").write_text("x"), r"notes\.txt, which its Manifest.json does not name"),
    "no weights": (lambda p: shutil.rmtree(p / WEIGHTS), "lacks Data/com.apple.CoreML/weights"),
    "a link": (lambda p: (p / WEIGHTS / "more.bin").symlink_to("/etc/hosts"), "no plain file"),
    "weights cut": (lambda p: (p / WEIGHTS / "weight.bin").write_bytes(b"x" * 80), "damaged"),
    "model cut": (lambda p: (p / MODEL).write_bytes((p / MODEL).read_bytes()[:-9]), "not a readable .mlpackage"),
    "unknown system": (lambda p: change_spec(p, lambda s: setattr(s, "specificationVersion", 99)), "specification version 99"),
    "ops of another system": (lambda p: change_spec(p, make_ops_older), "is for iOS 16, but its function 'main' has the ops of CoreML5"),
    "op of a newer system": (lambda p: change_spec(p, as_ios15), "made for iOS 15 but its op 'pixel_unshuffle' needs iOS16"),
    "other colours": (
        lambda p: change_spec(p, lambda s: setattr(s.description.input[0].type.imageType, "colorSpace", 30)),
        "colours of 'image' in the order BGR, not RGB",
    ),
    "other size": (
        lambda p: change_spec(p, lambda s: setattr(s.description.output[0].type.imageType, "width", 31)),
        "the picture 'stylized' of 31 x 32, not 32 x 32",
    ),
    "other name": (
        lambda p: change_spec(p, lambda s: setattr(s.description.input[0], "name", "photo")),
        "has the inputs photo, not image",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES)
def test_every_damage_has_its_sentence(
    damage: Callable[[Path], object], said: str, written: Written, tmp_path: Path
) -> None:
    """Files, program, ops and borders are each looked at."""
    path = tmp_path / "a.mlpackage"
    shutil.copytree(written.path, path)
    damage(path)
    with pytest.raises(EdgebundleError, match=said):
        written.check(path)


def test_good_files_pass(written: Written) -> None:
    """What lowering writes is good, and is not good for other bindings."""
    written.check(written.path)
    tensors = tuple(binding.model_copy(update={"layout": "NCHW"}) for binding in written.lowered.inputs)
    with pytest.raises(VerificationError, match="'image' as imageType, not as a tensor"):
        check_package(written.path, tensors, written.lowered.outputs)


def test_tensors_at_the_border(written: Written, tmp_path: Path) -> None:
    """Types and shapes of tensors are compared, and a tensor is no picture."""
    path = tmp_path / "a.mlpackage"
    plan = plan_of(dict.fromkeys(written.model.layers.names(), "fp32"))
    made = coreml.lower(written.model, plan, "all", dict, path)
    check_package(path, made.inputs, made.outputs)
    for change, said in (
        ({"dtype": "int32"}, "another type than int32"),
        ({"shape": (1, 3, 16, 16)}, "of shape .*, not .*16, 16"),
        ({"layout": "image"}, "as multiArrayType, not as a picture"),
    ):
        inputs = tuple(binding.model_copy(update=change) for binding in made.inputs)
        with pytest.raises(VerificationError, match=said):
            check_package(path, inputs, made.outputs)
