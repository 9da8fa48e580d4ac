"""The smaller network as an ordinary project: builder.toml, the program, its weights, and what the old project's paths meant."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builder.backends import BACKENDS
from builder.compression.learned_plan import PLAN
from builder.precision.presets import PREFIX
from builder.project.project import Project

MODEL, WEIGHTS = "model.pt2", "weights.safetensors"
HEAD = "# Written by 'builder compress'. compress.json says what was done, compress.html shows it.\n"


def write_project(project: Project, program: Path, folder: Path, final: Path, *, integers: bool) -> None:
    """Fill `folder`, which will be at `final`, from a stage's file and the weights beside it. `integers`: the network was trained for them, and its variants are as trained."""
    shutil.copyfile(program, folder / MODEL)
    shutil.copyfile(program.with_name(WEIGHTS), folder / WEIGHTS)
    if integers:
        shutil.copyfile(program.with_name(PLAN), folder / PLAN)
    for output in project.config.output:
        if output.labels is not None:
            _copy(project.folder / output.labels, folder, output.labels)
    (folder / "builder.toml").write_text(
        HEAD + format_toml(_config(project, folder, final, integers)), encoding="utf-8"
    )


def _config(project: Project, folder: Path, final: Path, integers: bool) -> dict[str, Any]:
    config = project.config
    values = config.model_dump(mode="json", exclude_none=True, exclude_defaults=True, exclude={"compress"})
    values["model"] = {**values["model"], "source": MODEL}
    values["model"].pop("checkpoint", None)
    values["model"].pop("strict", None)
    for key in ("calibration", "evaluation"):
        if key in values["data"]:
            values["data"][key] = Path(os.path.relpath(project.folder, final), values["data"][key]).as_posix()
    values.pop("package", None)  # paths of keys and apps are the old project's
    if integers:
        values["variant"] = [
            {"backend": backend, "delegate": BACKENDS[backend].SPEC.delegate_names[0]}
            for backend in dict.fromkeys(variant.backend for variant in config.variant)
        ]
    else:
        for variant in config.variant:
            if variant.plan is not None and not variant.plan.startswith(PREFIX):
                _copy(project.folder / variant.plan, folder, variant.plan)
    return values


def _copy(source: Path, folder: Path, name: str) -> None:
    target = folder / name
    if target.resolve().is_relative_to(folder.resolve()):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def format_toml(values: Mapping[str, Any]) -> str:
    """Tables and lists of tables as sections, everything else as values of one line."""
    lines: list[str] = []
    for name, value in values.items():
        tables = value if isinstance(value, list) else [value]
        for table in tables:
            if not isinstance(table, dict):
                raise ValueError(f"{name} is no table")
            lines += ["", f"[[{name}]]" if isinstance(value, list) else f"[{name}]"]
            lines += [f"{key} = {_value(one)}" for key, one in table.items()]
    return "\n".join([*lines, ""]).lstrip("\n")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)
