"""A project written anew in another directory: its builder.toml with what its paths meant, and the files that travel with it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builder.precision.presets import PREFIX
from builder.project.config import VariantSection
from builder.project.project import Project


def relocate(project: Project, final: Path, *, without: set[str]) -> dict[str, Any]:
    """The values of builder.toml for a project at `final`: paths of data lead to the old one, sections `without` are left out."""
    values = project.config.model_dump(mode="json", exclude_none=True, exclude_defaults=True, exclude=without)
    for section, key in (("data", "calibration"), ("data", "evaluation"), ("compress", "data")):
        if key in values.get(section, {}):
            values[section][key] = Path(os.path.relpath(project.folder, final), values[section][key]).as_posix()
    values.pop("package", None)  # paths of keys and apps are the old project's
    return values


def copy_labels(project: Project, folder: Path) -> None:
    """The files of class names."""
    for output in project.config.output:
        if output.labels is not None:
            copy_beside(project.folder / output.labels, folder, output.labels)


def copy_plans(project: Project, folder: Path) -> None:
    """The plan files of the variants."""
    for variant in project.config.variant:
        plan = plan_of(variant)
        if plan is not None:
            copy_beside(project.folder / plan, folder, plan)


def plan_of(variant: VariantSection) -> str | None:
    """Its own plan file, None where it has none."""
    return variant.plan if variant.plan is not None and not variant.plan.startswith(PREFIX) else None


def copy_beside(source: Path, folder: Path, name: str) -> None:
    """A file under its relative name; one that lies outside the project is left there."""
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
