"""What jobs read and leave in directories: stages, the exported source, references."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from builder.bundle import list_tree
from builder.errors import VerificationError
from builder.graph.model import Model
from builder.precision.quantizers import know_operators
from builder.workers.messages import PROGRAM, RESULT, STAGE, SourceResult

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors

# Characters: shorter places, such as /app or /usr, name no machine and stand among the bytes of any large file by chance.
SHORTEST_PLACE = 10


def stage(folder: Path, text: str) -> None:
    """Tell the supervisor what is being done."""
    temporary = folder / f".{STAGE}"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(folder / STAGE)


def read_source(folder: Path) -> SourceResult:
    """The source job's result without its program."""
    return SourceResult.model_validate_json((folder / RESULT).read_text(encoding="utf-8"))


def load_source(folder: Path, rewritten: Path | None = None) -> tuple[Model, SourceResult]:
    """The source job's result as a model, or what was made of its program. Both were written by ourselves, into our own cache."""
    import torch

    source = read_source(folder)
    know_operators()
    program = torch.export.load(rewritten or folder / PROGRAM)
    return Model(program=program, inputs=source.inputs, outputs=source.outputs, layers=source.layers), source


def remove(path: Path) -> None:
    """A file or a directory, if it is there."""
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def read_reference(source: Path, number: int) -> Tensors:
    """What the source model gives for an evaluation sample."""
    return read_arrays(source / "reference" / f"{number:04d}.npz")


def read_arrays(path: Path) -> Tensors:
    """All arrays of an .npz by name."""
    import numpy as np

    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def refuse_paths_of_this_machine(artifact: Path) -> None:
    """An artifact is shipped to strangers: it may not name the directories it was made in. Raises VerificationError."""
    places = {str(Path.cwd()), str(Path(__file__).resolve().parents[2]), sys.prefix}
    needles = [place for place in places if len(place) >= SHORTEST_PLACE]
    for path in list_tree(artifact):
        content = path.read_bytes()
        for needle in needles:
            if needle.encode() in content:
                raise VerificationError(
                    f"{artifact.name} contains a path of this machine ({needle}); this is a bug of the converter's version in use."
                )
