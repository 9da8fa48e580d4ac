"""Loading checkpoints, factories and .pt2 files: what is wrong is named, and pickled code never runs."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from builder.errors import MissingToolError, SourceError, VerificationError
from builder.project.config import load_config
from builder.sources import load_model
from builder.workers.jobs.source import run_source
from builder.workers.messages import SourceJob
from tests.builder.projects import edit, make_project


class Exploit:
    """A pickle that would create a file when loaded by an ordinary unpickler."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.target,))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def load(project: Path) -> object:
    return load_model(load_config(project), project)


def change_state(project: Path, change: object) -> None:
    state = load_file(project / "small.safetensors")
    change(state)  # type: ignore[operator]
    save_file(state, project / "small.safetensors")


def test_layers_are_named_by_the_module_with_their_work(project: Path) -> None:
    """The layer table has every convolution in order with op, parameters and multiply-accumulates."""
    model = load_model(load_config(project), project)
    rows = [(layer.name, layer.op, layer.params, layer.macs) for layer in model.layers.layers]
    assert rows == [
        ("head", "conv2d", 8 * 27 + 8, 32 * 32 * 8 * 27),
        ("dw", "depthwise_conv2d", 8 * 9 + 8, 32 * 32 * 8 * 9),
        ("pw", "conv2d", 8 * 8 + 8, 32 * 32 * 8 * 8),
        ("tail", "conv2d", 3 * 72 + 3, 32 * 32 * 3 * 72),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("pw.bias"), "has no 'pw.bias'"),
        (
            lambda s: s.update({"pw.bias2": torch.zeros(1)}),
            "has 'pw.bias2', which the model does not know; did you mean 'pw.bias'?",
        ),
        (lambda s: s.update({"pw.bias": torch.zeros(9)}), "'pw.bias' of shape [9] where the model has [8]"),
        (
            lambda s: s.update({"pw.bias": s["pw.bias"].int()}),
            "'pw.bias' as torch.int32 where the model has torch.float32",
        ),
        (lambda s: s["pw.weight"].fill_(float("nan")), "NaN or infinite values in 'pw.weight'"),
    ],
)
def test_a_checkpoint_that_does_not_fit_names_the_key(project: Path, change: object, message: str) -> None:
    """Missing, unexpected, misshapen, mistyped and NaN tensors are named."""
    change_state(project, change)
    with pytest.raises(SourceError) as caught:
        load(project)
    assert message in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x00" * 7, b"{}", b"\xff" * 4096, b"PK\x03\x04 not really"])
@pytest.mark.parametrize("name", ["small.safetensors", "small.pt", "small.pth"])
def test_an_empty_or_damaged_checkpoint_is_one_sentence(project: Path, name: str, content: bytes) -> None:
    """Garbage under every suffix is a SourceError that names the file."""
    (project / "small.safetensors").unlink()
    (project / name).write_bytes(content)
    edit(project / "builder.toml", "small.safetensors", name)
    with pytest.raises(SourceError, match=name):
        load(project)


def test_a_pickle_that_carries_code_is_refused_and_not_run(project: Path, tmp_path: Path) -> None:
    """A malicious .pt is refused and its code leaves no trace."""
    trace = tmp_path / "ran"
    torch.save({"head.weight": Exploit(trace)}, project / "small.pt")
    edit(project / "builder.toml", "small.safetensors", "small.pt")
    with pytest.raises(SourceError, match="its code is not run"):
        load(project)
    assert not trace.exists()


def test_a_plain_state_dict_in_pt_and_one_wrapped_by_a_framework_load(project: Path) -> None:
    """Both torch.save(state_dict) and {'state_dict': ...} are read with weights_only."""
    state = load_file(project / "small.safetensors")
    edit(project / "builder.toml", "small.safetensors", "small.pt")
    for saved in (state, {"state_dict": state, "epoch": 3}):
        torch.save(saved, project / "small.pt")
        load(project)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    return Net()", "    raise ValueError('no such width')", "ValueError: no such width (model.py line 20)"),
        ("    return Net()", "    return 3", "returned int, not a torch.nn.Module"),
        ("def create():", "def make():", "has no callable 'create'"),
        (
            "x = torch.relu(self.head(x))",
            "x = torch.relu(self.head(x[:, :2]))",
            "rejects inputs of the shapes in builder.toml (image [1, 3, 32, 32])",
        ),
        ("return torch.sigmoid(self.tail(x))", "return {'y': x}", "returns no output 'out', its outputs are y"),
        (
            "return torch.sigmoid(self.tail(x))",
            "return torch.sigmoid(self.head(x[:, :3]))",
            "no picture [1, 3, height, width]",
        ),
    ],
)
def test_a_factory_or_forward_that_fails_names_the_users_line(project: Path, old: str, new: str, message: str) -> None:
    """What the user's own code does wrong is told with its file and line."""
    edit(project / "model.py", old, new)
    with pytest.raises(SourceError) as caught:
        load(project)
    assert message in str(caught.value)


def exported(project: Path) -> Path:
    model = load_model(load_config(project), project)
    torch.export.save(model.program, project / "small.pt2")
    edit(project / "builder.toml", 'source = "model:create"\ncheckpoint = "small.safetensors"', 'source = "small.pt2"')
    return project / "small.pt2"


def test_a_pt2_gives_the_same_layers_as_its_checkpoint(project: Path) -> None:
    """The exported program keeps the layer names."""
    before = load_model(load_config(project), project).layers
    exported(project)
    assert load_model(load_config(project), project).layers == before


def test_a_pt2_whose_input_shape_differs_is_refused(project: Path) -> None:
    """builder.toml and the program must agree on shapes."""
    exported(project)
    edit(project / "builder.toml", "shape = [1, 3, 32, 32]", "shape = [1, 3, 64, 64]")
    with pytest.raises(SourceError, match=r"takes \[1, 3, 32, 32\].*says \[1, 3, 64, 64\]"):
        load(project)


def test_a_pt2_with_pickled_code_is_refused_and_not_run(project: Path, tmp_path: Path) -> None:
    """Code hidden in any pickle of the archive, sample inputs included, never runs."""
    path = exported(project)
    trace = tmp_path / "ran"
    changed = project / "evil.pt2"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(changed, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            if info.filename.endswith(".pt"):
                data = pickle.dumps(Exploit(trace), protocol=2)
            target.writestr(info, data)
    edit(project / "builder.toml", "small.pt2", "evil.pt2")
    with pytest.raises(SourceError, match="never run"):
        load(project)
    assert not trace.exists()


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_a_truncated_pt2_is_one_sentence(project: Path, keep: float) -> None:
    """A file cut anywhere is reported as damaged."""
    path = exported(project)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(SourceError, match=r"small\.pt2"):
        load(project)


NAMED = """
import typing
import torch

class Styled(typing.NamedTuple):
    mask: torch.Tensor
    out: torch.Tensor

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Conv2d(3, 3, 1)
        self.mix = torch.nn.Linear(4, 3)

    def forward(self, content, *, style, strength=1.0):
        out = torch.sigmoid(self.head(content) * self.mix(style)[:, :, None, None] * strength)
        return RETURN

def create():
    return Net()
"""


@pytest.mark.parametrize("returned", ["{'mask': out[:, :1], 'out': out, 'unused': out}", "Styled(out[:, :1], out)"])
def test_inputs_are_keywords_of_forward_and_outputs_are_named(project: Path, returned: str) -> None:
    """Inputs in another order than forward's, keyword-only ones, and outputs of a dict or a named tuple, all by name."""
    (project / "model.py").write_text(NAMED.replace("RETURN", returned), encoding="utf-8")
    state = {
        "head.weight": torch.rand(3, 3, 1, 1),
        "head.bias": torch.rand(3),
        "mix.weight": torch.rand(3, 4),
        "mix.bias": torch.rand(3),
    }
    save_file(state, project / "small.safetensors")
    text = (project / "builder.toml").read_text(encoding="utf-8")
    text = text.replace(
        '[[input]]\nname = "image"',
        '[[input]]\nname = "style"\nkind = "tensor"\nshape = [1, 4]\n\n[[input]]\nname = "content"',
    )
    text = text.replace("[data]", '[[output]]\nname = "mask"\nkind = "tensor"\n\n[data]')
    (project / "builder.toml").write_text(text, encoding="utf-8")
    model = load_model(load_config(project), project)
    assert [spec.name for spec in model.inputs] == ["style", "content"]
    assert [spec.shape for spec in model.outputs] == [(1, 3, 32, 32), (1, 1, 32, 32)]
    assert model.layers.names() == ["mix", "head"] or model.layers.names() == ["head", "mix"]
    out, mask = model.program.module()(torch.rand(1, 4), torch.rand(1, 3, 32, 32))
    assert torch.equal(out[:, :1], mask)
    edit(project / "builder.toml", 'name = "style"', 'name = "stile"')
    with pytest.raises(
        SourceError, match=r"forward has no parameter 'stile', its parameters are content, style, strength"
    ):
        load(project)


def test_a_filter_that_no_state_dict_has_is_a_weight_like_all_others(project: Path) -> None:
    """A buffer with persistent=False, as blurs are written: it is in the layer table and in the saved program's weights."""
    edit(project / "model.py", "self.tail = ", 'self.register_buffer("blur", torch.ones(8, 1, 3, 3) / 9, persistent=False)\n        self.tail = ')  # fmt: skip
    edit(project / "model.py", "return torch.sigmoid(self.tail(x))", "return torch.sigmoid(self.tail(torch.nn.functional.conv2d(x, self.blur, groups=8)))")  # fmt: skip
    model = load_model(load_config(project), project)
    assert "blur" in {layer.weight for layer in model.layers.layers}
    assert all(model.weight(layer).any() for layer in model.layers.layers)


def test_a_checkpoint_of_another_network_is_told_as_that(project: Path) -> None:
    """No name fits: a near name would be no cure."""
    save_file({"encoder.0.w": torch.rand(3), "encoder.1.w": torch.rand(3)}, project / "small.safetensors")
    with pytest.raises(
        SourceError, match=r"none of the \d+ names of the model is in the checkpoint .* it is another network's"
    ):
        load(project)


def test_a_wrong_range_that_ends_in_nan_is_named_as_the_cause(project: Path, tmp_path: Path) -> None:
    """Powers of what should lie in 0..1: the range is said, not the operator alone, and not that nothing can be right."""
    edit(
        project / "model.py",
        "x = torch.relu(self.head(x))",
        "x = (1 - x).pow(0.5)\n        x = torch.relu(self.head(x))",
    )
    edit(project / "builder.toml", "range = [0.0, 1.0]\n\n[[output]]", "range = [0, 255]\n\n[[output]]")
    job = SourceJob(config=load_config(project), folder=project, evaluation=(project / "evaluation/0.png",), goldens=1)
    (tmp_path / "work").mkdir()
    with pytest.raises(
        VerificationError, match=r"but none for the same picture in 0..1: .* range = \[0.0, 1.0\] would be such"
    ):
        run_source(job, tmp_path / "work")


def test_a_package_that_the_factory_needs_is_missing(project: Path) -> None:
    """Exit 3, with the name and the line; a cure that can be done."""
    edit(project / "model.py", "import torch\n", "import torch\nimport a_package_of_theirs.blocks\n")
    with pytest.raises(
        MissingToolError,
        match=r"needs 'a_package_of_theirs' \(model.py line \d\), which is neither installed nor beside it",
    ):
        load(project)
