"""`.pt2`: a whole exported program. Its archive may carry pickles; what would run code is refused before torch sees it."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import SourceError, find_reason
from builder.precision.program import in_list
from builder.precision.quantizers import know_operators
from builder.project.config import Config
from builder.sources.quantized import unify_quantizers

if TYPE_CHECKING:
    from torch.export import ExportedProgram


def load(path: Path, config: Config) -> ExportedProgram:
    """Load and check against builder.toml. Raises SourceError."""
    import torch

    if not path.is_file():
        raise SourceError(f"the model {path} does not exist; correct 'source' in builder.toml.")
    refuse_code(path)
    know_operators()
    try:
        program = torch.export.load(path)
    except Exception as error:  # a damaged archive fails in many ways inside torch's reader
        raise SourceError(
            f"the model {path} cannot be loaded ({find_reason(error)}); write it again with torch.export.save."
        ) from error
    _check_inputs(program, path, config)
    for key, tensor in program.state_dict.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise SourceError(f"the model {path} has NaN or infinite values in {key!r}; take an earlier checkpoint.")
    if len(list_output_shapes(program)) != len(config.output):
        raise SourceError(
            f"the model {path} has {len(list_output_shapes(program))} outputs but builder.toml names {len(config.output)}; write one [[output]] for each."
        )
    return unify_quantizers(program)


def refuse_code(path: Path) -> None:
    """Every pickle in the archive must load with `weights_only`; custom objects and compiled code are refused.

    torch.export.load reads some entries with the full unpickler; a stream that the restricted one accepts holds tensors only.
    """
    import torch

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            pickled = [name for name in names if name.endswith((".pt", ".pkl"))]
            for config_name in (
                name for name in names if name.endswith(("weights_config.json", "constants_config.json"))
            ):
                folder = config_name.rsplit("/", 1)[0]
                for item in json.loads(archive.read(config_name)).get("config", {}).values():
                    if item.get("use_pickle"):
                        pickled.append(f"{folder}/{item['path_name']}")
            for name in names:
                if "custom_obj" in name or "aotinductor" in name or name.endswith(".so"):
                    raise SourceError(
                        f"the model {path} carries compiled code or custom objects ({name}), which are never run; export it without them."
                    )
            for name in pickled:
                torch.load(io.BytesIO(archive.read(name)), weights_only=True)
    except SourceError:
        raise
    except pickle.UnpicklingError as error:
        raise SourceError(
            f"the model {path} carries pickled code, which is never run ({find_reason(error)}); write it again with torch.export.save."
        ) from error
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, ValueError, KeyError, AttributeError) as error:
        raise SourceError(
            f"the model {path} is damaged or not a .pt2 archive ({error}); write it again with torch.export.save."
        ) from error


def _check_inputs(program: ExportedProgram, path: Path, config: Config) -> None:
    shapes = list_input_shapes(program)
    if len(shapes) != len(config.input):
        raise SourceError(
            f"the model {path} has {len(shapes)} inputs but builder.toml names {len(config.input)}; write one [[input]] for each."
        )
    for shape, tensor in zip(shapes, config.input, strict=True):
        if shape != tensor.shape:
            raise SourceError(
                f"the model {path} takes {list(shape)} for input {tensor.name!r} but builder.toml says {list(tensor.shape)}; correct 'shape'."
            )


def list_input_shapes(program: ExportedProgram) -> tuple[tuple[int, ...], ...]:
    names = set(program.graph_signature.user_inputs)
    return tuple(
        tuple(int(s) for s in node.meta["val"].shape)
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in names
    )


def list_output_shapes(program: ExportedProgram) -> tuple[tuple[int, ...], ...]:
    """Shapes of the outputs in order. Raises SourceError for an output that is not a tensor."""
    shapes = []
    nodes = {node.name: node for node in program.graph.nodes}
    for name in program.graph_signature.user_outputs:
        node = nodes.get(str(name))
        if node is None or not hasattr(node.meta.get("val"), "shape"):
            raise SourceError(f"the model returns {name!r}, which is not a tensor; return tensors only.")
        shapes.append(tuple(int(s) for s in node.meta["val"].shape))
    return tuple(shapes)


def check_outputs(outputs: object, config: Config) -> None:
    """The eager model must return as many tensors as builder.toml names, finite ones. Raises SourceError."""
    import torch

    values: list[Any] = in_list(outputs)
    for value in values:
        if not isinstance(value, torch.Tensor):
            raise SourceError(
                f"the model returns {type(value).__name__}, not tensors; return a tensor or a tuple of tensors."
            )
    if len(values) != len(config.output):
        raise SourceError(
            f"the model has {len(values)} outputs but builder.toml names {len(config.output)}; write one [[output]] for each."
        )
    for value, tensor in zip(values, config.output, strict=True):
        if tensor.kind == "image" and (value.ndim != 4 or value.shape[1] != 3):
            raise SourceError(
                f"output {tensor.name!r} has shape {list(value.shape)}, which is no picture [1, 3, height, width]; set its 'kind' to \"tensor\"."
            )
