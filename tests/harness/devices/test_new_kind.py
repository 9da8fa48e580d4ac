"""A new kind of device is one folder and one line: this file is such a folder's module, and every command works with it."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import pytest

from builder.bundle import Variant
from harness.cli import main
from harness.devices import DEVICES
from harness.devices.base import Device, Found, Measured, Request
from harness.errors import DeviceAbsent
from harness.records.run import Conditions, DeviceInfo, GoldenResult, Reading, TextReading
from tests.harness.runs import conditions, device

KIND = "toaster"
LOCAL = False
SOURCES = Path(__file__).parents[3] / "harness"
NS = Reading(value=1e6, unit="ns")


def find() -> list[Found]:
    return [Found(kind=KIND, id="kitchen", description="a toaster with a display", state="ready")]


def open_device(device_id: str | None) -> Device:
    if device_id not in (None, "kitchen"):
        raise DeviceAbsent(f"there is no toaster {device_id!r}; write -d {KIND}:kitchen.")
    return Toaster()


class Toaster:
    metric: Literal["latency", "instructions"] = "latency"
    simulated: str | None = None

    @property
    def info(self) -> DeviceInfo:
        return device(KIND, "kitchen")

    def find_unsupported(self, variant: Variant) -> str | None:
        return "it has no Core ML" if variant.backend == "coreml" else None

    def conditions(self) -> Conditions:
        return conditions()

    def measure(self, request: Request) -> Measured:
        return Measured(
            mode="python",
            runtime="Crumbs",
            runtime_version="1",
            delegate_executed=TextReading(value=request.variant.delegate),
            load_ns=NS,
            first_ns=NS,
            latency_ns=tuple(5_000_000 + 1000 * (turn % 7) for turn in range(request.runs)),
            instructions=Reading(unit="instructions", reason="it counts none"),
            peak_memory_bytes=Reading(unit="B", reason="it tells no memory"),
            outputs={},
            golden=GoldenResult(id="0", passed=True, psnr_db=60.0, max_abs_error=0.004, min_psnr_db=45.0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def test_every_command_takes_a_new_kind(
    unopened_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its one line in DEVICES it is listed, measured, shown, checked, compared and reported; nothing else is told of it."""
    for kind in set(DEVICES) - {"replay"}:  # those of this computer are looked for by programs
        monkeypatch.delitem(DEVICES, kind)
    monkeypatch.setitem(DEVICES, KIND, __name__)
    store, page = str(tmp_path / "runs.sqlite"), tmp_path / "report.html"
    assert main(["devices", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["devices"]
    assert [line["id"] for line in listed if line["kind"] == KIND] == ["kitchen"]
    assert main(["run", str(unopened_bundle), "-d", f"{KIND}:kitchen", "-d", KIND, "-o", store, "-q"]) == 0
    assert main(["show", store]) == 0
    assert "toaster:kitchen" in capsys.readouterr().out
    assert main(["check", store]) == 0
    assert main(["compare", store]) == 0
    assert "toaster:kitchen" in capsys.readouterr().out
    assert main(["report", store, "-o", str(page), "-q"]) == 0
    assert "toaster:kitchen" in page.read_text(encoding="utf-8")
    for form in ("markdown", "junit", "json"):
        assert main(["report", store, "--format", form]) == 0
        assert KIND in capsys.readouterr().out


def test_a_new_kind_is_refused_by_its_own_words(
    unopened_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong ID is the kind's own sentence, and a kind that is nearly written has it as the near name."""
    monkeypatch.setitem(DEVICES, KIND, __name__)
    assert main(["run", str(unopened_bundle), "-d", "toster", "-o", str(tmp_path / "runs.sqlite")]) == 2
    assert "did you mean 'toaster'?" in capsys.readouterr().err


def test_no_kind_is_asked_for_outside_its_folder() -> None:
    """Nothing in the harness asks which kind a device is: what differs is said by the kind itself, or by its records."""
    asked = [
        f"{path.relative_to(SOURCES)}:{constant.lineno} {constant.value}"
        for path in SOURCES.rglob("*.py")
        if path.relative_to(SOURCES).parts[0] != "devices"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare | ast.Dict | ast.Subscript | ast.Set)
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get")
        or (isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple | ast.List))
        for constant in ast.walk(node)
        if isinstance(constant, ast.Constant) and constant.value in DEVICES
    ]
    assert asked == []
