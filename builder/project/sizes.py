"""One model at several picture sizes: a variant with `sizes` stands for one variant each, made from a source of that size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from builder.project.config import VariantSection
from builder.project.project import Project


def expand(sections: Sequence[VariantSection]) -> tuple[VariantSection, ...]:
    """Every section with `sizes` replaced by one of each size, named after it, smallest first."""
    expansion: list[VariantSection] = []
    for section in sections:
        if section.sizes is None:
            expansion.append(section)
            continue
        for size in sorted(section.sizes):
            update = {"sizes": None, "size": size, "id": f"{section.name}-{size}"}
            expansion.append(section.model_copy(update=update))
    return tuple(expansion)


def of_size(project: Project, size: int | None) -> Project:
    """The project with square picture inputs of this side; itself for None."""
    if size is None:
        return project
    inputs = tuple(
        entry.model_copy(update={"shape": (*entry.shape[:2], size, size)}) if entry.kind == "image" else entry
        for entry in project.config.input
    )
    return replace(project, config=project.config.model_copy(update={"input": inputs}))
