"""What networks do to their own weights and modes: half precision, lazy layers, autocast, TorchScript inside, assertions on values."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from builder.errors import SourceError
from builder.graph.refusals import refuse_what_no_file_holds
from builder.project.project import open_project
from builder.sources import load_checked
from builder.sources.checkpoint import load
from builder.sources.state_dict import read_state_dict
from tests.builder.projects import edit, make_project

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's, of its own older ways

CREATE = "def create():\n    return Net()\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


@pytest.mark.parametrize(("cast", "name"), [("half", "float16"), ("bfloat16", "bfloat16"), ("double", "float64")])
def test_a_network_of_another_precision_is_float32(project: Path, cast: str, name: str) -> None:
    """Its weights are those of the checkpoint, rounded as the network has them, and it is said."""
    edit(project / "model.py", CREATE, f"def create():\n    return Net().{cast}()\n")
    loaded = load(project, open_project(project).config)
    assert any(name in sentence for sentence in loaded.told)
    weights = read_state_dict(project / "small.safetensors")
    kept = loaded.program.state_dict["head.weight"]
    assert kept.dtype == torch.float32
    assert torch.equal(kept, weights["head.weight"].to(getattr(torch, name)).float())


def test_a_network_that_casts_its_input_keeps_its_way(project: Path) -> None:
    """Half inside, floats outside: nothing is changed before it has run."""
    edit(project / "model.py", CREATE, "def create():\n    return Net().half()\n")
    edit(project / "model.py", "x = torch.relu(self.head(x))", "x = torch.relu(self.head(x.half()))")
    edit(project / "model.py", "return torch.sigmoid(self.tail(x))", "return torch.sigmoid(self.tail(x)).float()")
    model, _ = load_checked(open_project(project).config, project, ())
    assert not any("float32 in the network" in sentence for sentence in model.told)
    assert all(value.dtype == torch.float32 for value in model.program.state_dict.values())


def test_lazy_layers_take_their_sizes_from_the_inputs(project: Path) -> None:
    """A network that was never run has no shapes to load weights into."""
    edit(project / "model.py", "torch.nn.Conv2d(3, 8, 3, padding=1)", "torch.nn.LazyConv2d(8, 3, padding=1)")
    loaded = load(project, open_project(project).config)
    weights = read_state_dict(project / "small.safetensors")
    assert torch.equal(loaded.program.state_dict["head.weight"], weights["head.weight"])


@pytest.mark.parametrize(
    "block", ['torch.autocast("cpu", enabled=False)', 'torch.amp.autocast("cuda")', "torch.set_grad_enabled(True)"]
)
def test_blocks_that_set_a_mode_are_what_they_compute(project: Path, block: str) -> None:
    """Left in the graph, no backend has them."""
    edit(
        project / "model.py",
        "        return torch.sigmoid(self.tail(x))",
        f"        with {block}:\n            x = self.tail(x)\n        return torch.sigmoid(x)",
    )
    model, _ = load_checked(open_project(project).config, project, ())
    refuse_what_no_file_holds(model.program)
    assert "tail" in model.layers.names()


def test_torchscript_inside_a_network_is_named_with_what_works(project: Path) -> None:
    """And what works is tried here: the whole network, traced."""
    edit(
        project / "model.py",
        CREATE,
        "def create():\n    net = Net()\n    net.pw = torch.jit.script(net.pw)\n    return net\n",
    )
    config = open_project(project).config
    with pytest.raises(SourceError, match=r"'pw', which is TorchScript; .*torch\.jit\.trace to a \.ts file"):
        load(project, config)
    from builder.sources.checkpoint import load_module

    torch.jit.trace(load_module(project, config), torch.rand(1, 3, 32, 32)).save(str(project / "net.ts"))
    edit(project / "builder.toml", 'source = "model:create"\ncheckpoint = "small.safetensors"', 'source = "net.ts"')
    model, agreement = load_checked(open_project(project).config, project, ())
    assert agreement is not None
    assert "head" in model.layers.names()


def test_an_assertion_on_values_is_the_line_to_take_out(project: Path) -> None:
    """Its line is named, and the words fit it."""
    edit(
        project / "model.py",
        "x = torch.relu(self.head(x))",
        "assert x.max() <= 10\n        x = torch.relu(self.head(x))",
    )
    with pytest.raises(SourceError, match=r"model\.py line \d+\); .* take this assert out"):
        load(project, open_project(project).config)
