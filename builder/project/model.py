"""[model] of builder.toml: where the network and its weights come from."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from builder.project.file_name import FileName
from builder.project.source_kinds import CHECKPOINTS, OWN_WEIGHTS, WHOLE_MODELS, find_source_kind
from builder.toml_file import Section


class ModelSection(Section):
    """`source` is `module:callable` beside the file with `checkpoint` a state dict, or "factory"; or a whole model."""

    name: FileName
    """The name of your network. Files and packages carry it."""
    version: str = "1"
    """Your own version of the network, as text."""
    source: str
    """Where the network comes from: `module:callable` beside this file, or a `.pt2`, `.onnx`, `.keras`, `.h5`, `.ts` file or a SavedModel directory."""
    checkpoint: str | None = None
    """The weights for a `module:callable`: a `.safetensors`, `.pt`, `.pth`, `.pth.tar`, `.ckpt` or `.bin` state dict, whose pickled code never runs. `"factory"` where the callable loads them itself."""
    arguments: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """What the `callable` of the source is called with, by name."""
    custom_objects: str | None = None
    """`module:name` of a dict with the classes and functions of your own that a Keras file has, by name."""
    strict: bool = True
    """Refuse a checkpoint with tensors that the network does not know; `false` leaves them out and names them."""
    licence: str = Field(min_length=1)
    """The licence of the weights, for example `Apache-2.0`. It travels with every bundle and package."""

    @model_validator(mode="after")
    def _keras_objects(self) -> Self:
        if self.custom_objects is not None and find_source_kind(self.source) != "keras":
            raise ValueError(f"'custom_objects' are of Keras files, and {self.source!r} is none: remove them")
        if self.custom_objects is not None and ":" not in self.custom_objects:
            raise ValueError(f"'custom_objects' must be 'module:name' of a dict, not {self.custom_objects!r}")
        return self

    @model_validator(mode="after")
    def _one_kind_of_source(self) -> Self:
        if ":" not in self.source:
            suffix = Path(self.source.rstrip("/")).suffix
            if suffix and suffix not in WHOLE_MODELS:
                raise ValueError(
                    f"'source' must be 'module:callable', a {', '.join(WHOLE_MODELS)} file or the directory of a SavedModel, not {self.source!r}"
                )
            if self.checkpoint is not None:
                raise ValueError(f"{self.source!r} carries its weights: remove 'checkpoint'")
            if self.arguments:
                raise ValueError(f"{self.source!r} is a file, which takes no 'arguments': remove them")
        elif self.checkpoint is None:
            raise ValueError(
                "'checkpoint' is missing: name the file with the weights, as .safetensors or .pth, "
                f'or write checkpoint = "{OWN_WEIGHTS}" where {self.source!r} loads them itself'
            )
        elif self.checkpoint != OWN_WEIGHTS and Path(self.checkpoint).suffix not in CHECKPOINTS:
            raise ValueError(
                f"'checkpoint' must be a {', '.join(CHECKPOINTS)} file or \"{OWN_WEIGHTS}\", not {self.checkpoint!r}"
            )
        return self

    @property
    def weights(self) -> str | None:
        """The file or directory with the weights, None where the factory loads them itself."""
        return None if self.checkpoint == OWN_WEIGHTS else self.checkpoint or self.source
