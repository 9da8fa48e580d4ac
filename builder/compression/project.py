"""The smaller network as an ordinary project: builder.toml, the program, its weights, and what the old project's paths meant."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from builder.backends import BACKENDS
from builder.compression.learned_plan import PLAN
from builder.project.project import Project
from builder.project.relocation import copy_labels, copy_plans, format_toml, relocate

MODEL, WEIGHTS = "model.pt2", "weights.safetensors"
HEAD = "# Written by 'builder compress'. compress.json says what was done, compress.html shows it.\n"


def write_project(project: Project, program: Path, folder: Path, final: Path, *, integers: bool) -> None:
    """Fill `folder`, which will be at `final`, from a stage's file and the weights beside it. `integers`: the network was trained for them, and its variants are as trained."""
    shutil.copyfile(program, folder / MODEL)
    shutil.copyfile(program.with_name(WEIGHTS), folder / WEIGHTS)
    if integers:
        shutil.copyfile(program.with_name(PLAN), folder / PLAN)
    else:
        copy_plans(project, folder)
    copy_labels(project, folder)
    (folder / "builder.toml").write_text(HEAD + format_toml(_config(project, final, integers)), encoding="utf-8")


def _config(project: Project, final: Path, integers: bool) -> dict[str, Any]:
    values = relocate(project, final, without={"compress", "train"})
    values["model"] = {**values["model"], "source": MODEL}
    for key in ("checkpoint", "arguments", "strict"):
        values["model"].pop(key, None)
    if integers:
        values["variant"] = [
            {"backend": backend, "delegate": BACKENDS[backend].SPEC.delegate_names[0]}
            for backend in dict.fromkeys(variant.backend for variant in project.config.variant)
        ]
    return values
