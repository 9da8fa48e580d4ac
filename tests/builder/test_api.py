"""The builder from Python: every command is a function, documented, and takes bundles, paths and texts alike."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import builder
from builder.bundle import Bundle
from builder.commands import COMMANDS
from builder.errors import EdgebundleError
from builder.pipeline.verify import Check, Verification
from tests.builder.projects import edit, make_project

DOC = (Path(__file__).resolve().parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
FUNCTIONS = [name for name in builder.__all__ if inspect.isfunction(getattr(builder, name))]


def test_every_command_is_a_function_and_the_page_names_them_all() -> None:
    """But for `cache`, which is about this machine's disk, and `studio`, which is for a person at a browser."""
    assert set(FUNCTIONS) == set(COMMANDS) - {"cache", "studio"}
    assert set(re.findall(r"`builder\.(\w+)\(", DOC)) >= set(FUNCTIONS)
    for name in re.findall(r"builder\.(\w+)\(", DOC):
        assert hasattr(builder, name), name
    for name in FUNCTIONS:
        function = getattr(builder, name)
        assert function.__doc__
        for parameter in re.findall(rf"`builder\.{name}\(([^)]*)\)`", DOC)[0].split(", "):
            assert not parameter or parameter.removesuffix("=...") in inspect.signature(function).parameters


def test_types_are_shipped() -> None:
    """A type checker that imports the installed package reads its annotations."""
    assert (Path(builder.__file__).parent / "py.typed").is_file()


def test_progress_is_told_warnings_are_warnings_and_errors_are_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the command line prints to stderr is heard in Python too; a directory stands for its builder.toml."""
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    folder = make_project(tmp_path / "project")
    edit(
        folder / "model.py",
        "return torch.sigmoid(self.tail(x))",
        "return y * 1.02 + torch.sigmoid(self.tail(x)) * 1e-3",
    )
    edit(folder / "model.py", "x = torch.relu(self.head(x))", "y = x\n        x = torch.relu(self.head(x))")
    heard: list[tuple[str, str]] = []
    with pytest.warns(builder.BuilderWarning, match=r"leaves the declared range \[0, 1\]"):
        planned = builder.plan(str(folder), progress=lambda step, text: heard.append((step, text)))
    assert [variant.id for variant in planned] == ["tflite-xnnpack-fp32", "tflite-xnnpack-plan"]
    assert ("the source model", "done") in heard
    assert ("the source model", "load") in heard
    with pytest.raises(EdgebundleError) as caught:
        builder.convert(folder / "nowhere", out=tmp_path / "out")
    assert caught.value.exit_code == 2


def test_results_show_themselves_in_notebooks(tmp_path: Path) -> None:
    """Names are escaped, and nothing is loaded from elsewhere."""
    check = Check(
        variant="a<b", golden="0", runtime="none", psnr_db=60, min_psnr_db=40, source_psnr_db=58, worst_psnr_db=70
    )
    text = Verification(model="m", bundle_sha256="", checks=(check,))._repr_html_()
    assert "a&lt;b" in text
    assert "<td>70.0</td>" in text
    assert hasattr(Bundle, "_repr_html_")
