"""`builder check`: everything that takes seconds, before any converter starts; all faults at once, each with its cure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.errors import EdgebundleError, Interrupted
from builder.project.config import VariantSection
from builder.project.project import Project, open_project
from builder.project.sizes import expand, of_size
from builder.steps.listener import Listener
from builder.steps.source import SourceStep, export_source, hold_out, require_importer
from builder.steps.variant import plan_variant, require_packages
from builder.targets import TARGETS

Look = Callable[..., AbstractContextManager[None]]
"""Notes down what is looked at in its block, and the error that it raises."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One thing that was looked at. `fault` is one sentence with its cure, None where all is well; `note` says what was found."""

    what: str
    note: str = ""
    fault: str | None = None
    exit_code: int = 0


def check_config(config: Path, listener: Listener) -> tuple[Checked, ...]:
    """Files, data, packages, the network itself with its ranges, every plan on its backend, names of packages.

    Raises the error of a builder.toml that cannot be read, and Interrupted; everything else is part of the result.
    """
    project = open_project(config)
    points: list[Checked] = []

    @contextmanager
    def look(what: str, note: str = "") -> Iterator[None]:
        try:
            yield
            points.append(Checked(what=what, note=note))
        except Interrupted:
            raise
        except EdgebundleError as error:
            # a fault of the data stops the network too, and is one fault
            if not any(row.fault == str(error) for row in points):
                points.append(Checked(what=what, fault=str(error), exit_code=error.exit_code))

    data = project.data
    with look("data", f"{len(data.calibration)} calibration and {len(data.evaluation)} evaluation files"):
        hold_out(project, listener)
    for section in project.config.variant:
        with look(f"packages of variant {section.name!r}"):
            require_packages(project, (section,))
    _names(project, look)
    source: SourceStep | None = None
    with look("the network"):
        require_importer(project)
        source = export_source(project, listener)
    if source is not None:
        table = source.result.layers
        points[-1] = Checked(
            what="the network", note=f"{len(table.layers)} layers, {table.macs:,} multiply-accumulates"
        )
        for section in expand(project.config.variant):
            _plan(project, source, section, listener, look)
    return tuple(points)


def _plan(project: Project, source: SourceStep, section: VariantSection, listener: Listener, looked: Look) -> None:
    if section.search is not None:
        return  # its plan is yet to be found
    with looked(f"plan of variant {section.name!r}"):
        made = source if section.size is None else export_source(of_size(project, section.size), listener)
        plan_variant(project, made, section)


def _names(project: Project, looked: Look) -> None:
    for name, target in TARGETS.items():
        section = project.config.package.of(name)
        if section is not None:
            with looked(f"[package.{name}]"):
                target.check_section(section, project.folder)
