"""A builder.toml with everything it names, resolved and hashed: what decides the result of every step."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from builder.bundle import hash_file
from builder.errors import ConfigError, SourceError
from builder.precision.plan import PlanFile, load_plan, make_uniform_plan
from builder.precision.presets import PREFIX, plan_path
from builder.precision.scheme import AS_TRAINED
from builder.project.config import Config, VariantSection, load_config
from builder.project.data import DataSets, find_data
from builder.project.fresh import Fresh
from builder.project.integers import keeps_integers
from builder.project.model_files import hash_model
from builder.project.source_kinds import IMPORT_PACKAGES, find_source_kind
from builder.storage.cache import hash_code, make_content_key, read_versions

NOT_OWN = ("__pycache__", "node_modules", "site-packages", "dist-packages")


@dataclass(frozen=True, kw_only=True)
class Project:
    """`folder` is where builder.toml lies and what its paths are relative to; `found` are searched plans by variant name.

    `fresh`: results that earlier runs have kept are not to be believed.
    """

    config: Config
    folder: Path
    data: DataSets
    checkpoint_sha256: str
    code: str
    found: Mapping[str, PlanFile] = field(default_factory=dict)
    fresh: Fresh = field(default_factory=Fresh)

    def plan(self, variant: VariantSection) -> tuple[PlanFile, str]:
        """The plan of a variant and how errors name it."""
        if variant.search is not None:
            if variant.name not in self.found:
                raise ConfigError(
                    f"the plan of variant {variant.name!r} is searched; run 'builder search' to see it, or 'builder convert'."
                )
            return self.found[variant.name], f"the searched plan of variant {variant.name!r}"
        if variant.plan is None:
            return make_uniform_plan(variant.scheme or AS_TRAINED), f"variant {variant.name!r}"
        path = plan_path(variant.plan, self.folder)
        return load_plan(path), variant.plan if variant.plan.startswith(PREFIX) else str(path)

    def make_source_key(self) -> str:
        """Of all that is known before the network is loaded; what its factory uses beside it comes to it then (`used`)."""
        factory = find_source_kind(self.config.model.source) == "factory"
        sources = {
            p.relative_to(self.folder).as_posix(): hash_file(p) for p in find_own_modules(self.folder) if factory
        }
        labels = [
            hash_file(self.folder / o.labels)
            for o in self.config.output
            if o.labels and (self.folder / o.labels).is_file()
        ]
        return make_content_key(
            {
                "model": self.config.model.model_dump(mode="json", exclude={"name", "version", "licence"}),
                "tensors": [t.model_dump(mode="json") for t in (*self.config.input, *self.config.output)],
                "integers": find_source_kind(self.config.model.source) == "onnx"
                and keeps_integers(self.config, self.folder),
                "checkpoint": self.checkpoint_sha256,
                "sources": sources,
                "labels": labels,
                "evaluation": [file.sha256 for file in self.data.evaluation],
                "frozen_by": [file.sha256 for file in self.data.calibration]
                if self.config.legalize.freeze_norms
                else None,
                "versions": read_versions(
                    ("torch", "numpy", "pillow", *IMPORT_PACKAGES.get(find_source_kind(self.config.model.source), ()))
                ),
                "code": self.code,
            }
        )


def find_own_modules(folder: Path) -> list[Path]:
    """The Python files of a project, sorted: those of environments, caches and hidden directories inside it are not its own."""
    files_of_project: list[Path] = []
    for root, folders, files in os.walk(folder):
        place = Path(root)
        folders[:] = [
            n for n in folders if not n.startswith(".") and n not in NOT_OWN and not (place / n / "pyvenv.cfg").exists()
        ]
        files_of_project += [place / name for name in files if name.endswith(".py")]
    return sorted(files_of_project)


def open_project(path: Path, *, fresh: bool = False, trained: bool = True) -> Project:
    """Read builder.toml and find all that it names. Raises ConfigError, DataError, SourceError; imports nothing heavy.

    Where it is not `trained` yet, its checkpoint need not exist.
    """
    config = load_config(path)
    folder = (path if path.is_dir() else path.parent).resolve()
    weights = folder / config.model.weights if config.model.weights is not None else None
    if trained and weights is not None and not weights.exists():
        key = "checkpoint" if config.model.checkpoint else "source"
        raise SourceError(f"{weights} does not exist; correct '{key}' in builder.toml.")
    return Project(
        config=config,
        folder=folder,
        data=find_data(config, folder),
        checkpoint_sha256=hash_model(weights) if trained and weights is not None else "",
        code=hash_code(Path(__file__).resolve().parents[1]),
        fresh=Fresh(wanted=fresh),
    )
