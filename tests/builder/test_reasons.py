"""Errors that carry a tool's words end with the tool's reason, and offer a cure that is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from builder.errors import ConfigError, OutputError, SourceError, find_reason, without_noise
from builder.graph.refusals import refuse_open_sizes, refuse_what_no_file_holds
from builder.pipeline import story
from builder.precision.layers import list_layers
from builder.precision.plan import Rule, select
from builder.project.config import Config, load_config
from builder.sources import checkpoint
from builder.sources.state_dict import read_state_dict
from builder.steps.listener import Silent
from builder.storage.output import check_output
from tests.builder.projects import edit, make_project


class Strange:
    """What calls something of Python when it is read; no restricted unpickler does that."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("ran",)


def test_what_torch_says_of_a_pickle_is_its_reason(tmp_path: Path) -> None:
    """Not 'In PyTorch 2.6 we changed ...', and no escape codes."""
    torch.save({"a": Strange()}, tmp_path / "x.pt")
    with pytest.raises(SourceError) as caught:
        read_state_dict(tmp_path / "x.pt")
    assert "print" in str(caught.value)
    assert "PyTorch 2.6" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


class Branches(nn.Module):
    """Control flow on data, which torch.export explains at length."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else x + 1


def test_a_torch_export_error_is_its_first_line() -> None:
    """What follows are advertisements and how to learn more."""
    with pytest.raises(Exception, match="guard on data-dependent") as caught:
        torch.export.export(Branches(), (torch.ones(1, 3),))
    assert find_reason(caught.value).startswith(
        "GuardOnDataDependentSymNode: Could not guard on data-dependent expression"
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_an_operator_that_executorch_refuses_is_named() -> None:
    """The line that says which one also has an address, as advertisements do."""
    from executorch.exir import to_edge

    class Sorts(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.median(1).values

    with pytest.raises(Exception, match="There are a few things to try") as caught:
        to_edge(torch.export.export(Sorts(), (torch.ones(1, 3),)))
    assert find_reason(caught.value) == "Operator torch._ops.aten.median.dim is not in Core ATen opset"


def test_the_last_lines_of_a_log_are_those_that_say_something() -> None:
    """An advertisement after the reason is left out, wherever it stands."""
    log = "step 1\nRuntimeError: no kernel for aten::foo\n\nInstall tlparse by running `cargo install tlparse`\n\x1b[1mPlease report this\x1b[0m\n"
    assert without_noise(log, 2) == ["step 1", "RuntimeError: no kernel for aten::foo"]
    assert find_reason(log) == "RuntimeError: no kernel for aten::foo"
    assert find_reason("") == "it gave no reason"


def write_config(folder: Path, forward: str, shape: str = "[1, 3, 32, 32]") -> Config:
    make_project(folder)
    edit(folder / "model.py", "x = torch.relu(self.head(x))", forward)
    edit(folder / "builder.toml", "shape = [1, 3, 32, 32]", f"shape = {shape}")
    return load_config(folder)


@pytest.mark.parametrize(
    ("forward", "shape", "cure"),
    [
        ("x = torch.relu(self.head(x.cuda()))", "[1, 3, 32, 32]", "take .cuda() and device = 'cuda' out"),
        ("x = torch.relu(self.half().head(x))", "[1, 3, 32, 32]", "return network.float()"),
        (
            "import torch.nn.functional as F; x = F.max_pool2d(self.head(x), 3, 1, 2)",
            "[1, 3, 32, 32]",
            "correct 'shape'",
        ),
        ("x = torch.relu(self.head(x))", "[1, 3, 1048576, 1048576]", "make 'shape' smaller"),
        ("x = torch.relu(self.head(x.reshape(1, 6, 16, 32)))", "[1, 3, 32, 32]", "correct 'shape' of the inputs"),
    ],
)
def test_a_network_that_does_not_run_is_told_the_cure_that_helps(
    tmp_path: Path, forward: str, shape: str, cure: str
) -> None:
    """Its shape is to blame only where it is."""
    config = write_config(tmp_path / "p", forward, shape)
    with pytest.raises(SourceError) as caught:
        checkpoint.load(tmp_path / "p", config)
    assert str(caught.value).endswith(f"{cure}.") or cure in str(caught.value)


def test_batch_norm_without_running_statistics_is_told_as_what_it_is() -> None:
    """model.eval() changes nothing of it; the instance norm that the message offers is the same for one picture."""
    norm = nn.BatchNorm2d(4, track_running_stats=False)
    nn.init.uniform_(norm.weight)
    nn.init.uniform_(norm.bias)
    sample = torch.rand(1, 4, 8, 8)
    program = torch.export.export(nn.Sequential(norm).eval(), (sample,))
    with pytest.raises(SourceError, match=r"track_running_stats=False.*InstanceNorm2d with affine=True"):
        refuse_what_no_file_holds(program)
    instead = nn.InstanceNorm2d(4, affine=True)
    instead.load_state_dict(norm.state_dict())
    assert torch.allclose(instead(sample), norm(sample), atol=1e-6)


def test_a_rule_that_matches_a_part_of_a_name_is_told_so() -> None:
    """match = 'dw' selects no 'blocks.0.dw'; what the message offers does."""

    class Blocks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList([nn.ModuleDict({"dw": nn.Conv2d(3, 3, 1)})])

        def forward(self, x: Tensor) -> Any:
            return self.blocks[0]["dw"](x)  # type: ignore[index]

    table = list_layers(torch.export.export(Blocks(), (torch.ones(1, 3, 4, 4),)))
    with pytest.raises(ConfigError, match=r"whole names, such as 'blocks\.0\.dw': write match = '\.\*dw\.\*'"):
        select(Rule(match="dw", scheme="fp16"), table, where="plan.toml rule 1")
    assert select(Rule(match=".*dw.*", scheme="fp16"), table, where="plan.toml rule 1") == ["blocks.0.dw"]


def test_an_output_that_cannot_be_written_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below a file, and on a file system without writing; a folder that is yet to be made is none of these."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "file").write_text("")
    make_project(tmp_path / "p")
    for out in (tmp_path / "file" / "bundle", Path("/proc/self/bundle")):
        with pytest.raises(OutputError, match="cannot be written"):
            story.convert(tmp_path / "p", out=out, listener=Silent())
    assert not (tmp_path / "cache" / "source").exists()
    check_output(tmp_path / "new" / "deep" / "bundle", "a bundle")
    assert not (tmp_path / "new").exists()


def test_a_result_of_open_size_is_named_before_any_rewrite_reads_it() -> None:
    """Its line is told, and what to do instead."""

    class Counted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * torch.nonzero(x > 0.5).shape[0]

    program = torch.export.export(Counted(), (torch.rand(1, 3, 4, 4),))
    with pytest.raises(
        SourceError, match=r"decides the graph \(nonzero\) \(test_reasons.py line \d+\); keep all elements"
    ):
        refuse_open_sizes(program)
