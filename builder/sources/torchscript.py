"""TorchScript archives (`.pt`, `.ts`) as an exported program, by torch itself or by ONNX; gated by the archive itself.

torch.jit.load interprets TorchScript's own code, never Python or pickles of other kinds: an archive without TorchScript
code is refused before it is opened.
"""

from __future__ import annotations

import tempfile
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from builder.bundle import SourceAgreement, TensorSpec
from builder.errors import SourceError, UnsupportedOperation, find_reason
from builder.project.config import Config
from builder.sources.loaded import Loaded

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule

    from builder.graph.tensors import Tensors

# A version of ONNX' operators that torch's exporter for TorchScript writes and our importer has in full.
ONNX_OPSET = 17


def load(path: Path, config: Config) -> Loaded:
    """Raises SourceError, and UnsupportedOperation where torch cannot convert the archive."""
    import torch

    from builder.quality.parity import Original, draw_sample, make_torch_run
    from builder.quality.parity import gate as gate_outputs
    from builder.sources.exported import check_outputs

    require_torchscript(path)
    try:
        script: Any = cast(Any, torch.jit).load(path, map_location="cpu").eval()
    except (RuntimeError, ValueError, OSError) as error:
        raise SourceError(
            f"the TorchScript model {path} cannot be loaded by torch {torch.__version__} ({find_reason(error)}); save it again with this version."
        ) from error
    specs = tuple(
        TensorSpec(name=t.name, kind=t.kind, shape=t.shape, dtype=t.dtype, range=t.range) for t in config.input
    )
    sample = draw_sample(specs, 0)
    arguments = tuple(torch.from_numpy(sample[spec.name]) for spec in specs)
    try:
        with torch.no_grad():
            outputs = script(*arguments)
    except RuntimeError as error:
        raise SourceError(
            f"the TorchScript model {path} rejects inputs of the shapes in builder.toml: {find_reason(error)}; correct 'shape' of the inputs."
        ) from error
    names = [output.name for output in config.output]
    if not isinstance(outputs, torch.Tensor):
        script = _in_order(script, names, arguments)
        with torch.no_grad():
            outputs = script(*arguments)
    check_outputs(outputs, config)
    program = _convert(script, arguments) or _by_onnx(script, arguments, path, config)

    def gate(program: ExportedProgram, samples: Iterable[Tensors], outputs: tuple[TensorSpec, ...]) -> SourceAgreement:
        original = Original(run=make_torch_run(script, specs, outputs), runtime=f"TorchScript {torch.__version__}")
        return gate_outputs(
            original, make_torch_run(program.module(), specs, outputs), samples, outputs, where=path.name
        )

    return Loaded(program=program, gate=gate)


def _in_order(script: Any, names: list[str], arguments: tuple[Any, ...]) -> Any:
    """The network giving tensors in the order of builder.toml, traced around the archive's own."""
    import torch

    from builder.sources.binding import in_order

    class Bound(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = script

        def forward(self, *inputs: Any) -> Any:
            return in_order(self.network(*inputs), names)

    with torch.no_grad():
        return cast(Any, torch.jit).trace(Bound().eval(), arguments, check_trace=False)


def _convert(script: Any, arguments: tuple[Any, ...]) -> ExportedProgram | None:
    """By torch's own converter; None where it fails or leaves sizes open, as it does where sizes were computed."""
    import torch
    from torch._export.converter import TS2EPConverter

    try:
        # Twice: what the converter gives has open sizes.
        module = TS2EPConverter(script, arguments, {}).convert().module()
        name_convolutions(module)
        program = torch.export.export(module, arguments)
    except Exception:  # the converter raises what its many parts raise, and there is another way
        return None
    values = [node.meta.get("val") for node in program.graph.nodes]
    open_sizes = any(not isinstance(size, int) for value in values for size in getattr(value, "shape", ()))
    computed = any(isinstance(value, torch.SymInt) for value in values)
    return None if open_sizes or computed else program


def _by_onnx(script: Any, arguments: tuple[Any, ...], path: Path, config: Config) -> ExportedProgram:
    """By torch's ONNX exporter, which computes sizes, and our importer. Raises UnsupportedOperation."""
    import torch

    from builder.sources import onnx

    inputs, outputs = ([tensor.name for tensor in tensors] for tensors in (config.input, config.output))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{path.stem}.onnx"
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    script,
                    arguments,
                    str(file),
                    input_names=inputs,
                    output_names=outputs,
                    opset_version=ONNX_OPSET,
                    dynamo=False,
                )
            return onnx.load(file, config).program
        except Exception as error:  # the exporter raises what its many parts raise
            raise UnsupportedOperation(
                f"torch cannot convert the TorchScript model {path}, neither directly nor by ONNX ({find_reason(error)}); bring the Python "
                "network as 'module:callable' with a checkpoint."
            ) from error


def name_convolutions(module: GraphModule) -> None:
    """TorchScript has one operator for all convolutions; what all others of us know are those of torch.nn.functional."""
    import torch

    aten = torch.ops.aten
    for node in list(module.graph.nodes):
        if node.op != "call_function" or node.target is not aten.convolution.default:
            continue
        x, weight, bias, stride, padding, dilation, transposed, extra, groups = node.args
        if len(stride) != 2:
            continue
        node.target = aten.conv_transpose2d.input if transposed else aten.conv2d.default
        node.args = (
            (x, weight, bias, stride, padding, extra, groups, dilation)
            if transposed
            else (x, weight, bias, stride, padding, dilation, groups)
        )
    module.recompile()


def require_torchscript(path: Path) -> None:
    """Raises SourceError for a missing or damaged file, and for a checkpoint, which holds no TorchScript code."""
    if not path.is_file():
        raise SourceError(f"the model {path} does not exist; correct 'source' in builder.toml.")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(
            f"the model {path} is no TorchScript archive ({error}); write it with torch.jit.save, or name a checkpoint as 'checkpoint' beside "
            "'source = \"module:callable\"'."
        ) from error
    if not any(name.split("/")[1:2] == ["code"] and name.endswith(".py") for name in names):
        raise SourceError(
            f"{path} holds weights but no TorchScript code, and pickled code is never run; name it as 'checkpoint' beside 'source = \"module:callable\"'."
        )
