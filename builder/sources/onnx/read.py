"""Reading an ONNX file that may come from anybody: what is wrong with it is named before anything of it is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from builder.errors import SourceError, UnsupportedOperation
from builder.sources.onnx.qoperator import has_integer_operators, in_quantizers

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

# From here on operators broadcast as torch's do; ONNX Runtime promises no older ones.
OLDEST_OPSET = 7
# Older files are brought up to it first.
OLDEST_IMPORTED = 11
# The first version of the format whose constants need not be inputs.
_CONSTANTS_APART = 4
# Protobuf's own limit of one message.
LARGEST_BYTES = (1 << 31) - 1
_DOMAINS = ("", "ai.onnx")
_CONTROL_FLOW = ("If", "Loop", "Scan", "SequenceMap")


def read(path: Path) -> ModelProto:
    """The model with its external data, well formed, its nodes in an order of execution, its functions inlined.

    Raises SourceError, or UnsupportedOperation for operators of other domains and for training mode.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if not path.is_file():
        raise SourceError(f"the model {path} does not exist; correct 'source' in builder.toml.")
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise SourceError(
            f"the model {path} has {size / 1e9:.1f} GB, more than the 2 GB of a protobuf; save it with external data."
        )
    if size == 0:
        raise SourceError(f"the model {path} is empty; export it again.")
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, RuntimeError, ValueError) as error:  # RuntimeError: protobuf's for broken nesting
        raise SourceError(
            f"the model {path} is no ONNX file or is cut off ({_line(error)}); export it again."
        ) from error
    if not model.HasField("graph") or not model.graph.node:
        raise SourceError(f"the model {path} is cut off: it holds no graph; export it again.")
    _check_texts(model, path)
    _check_opset(model, path)
    _load_external_data(model, path)
    if model.functions:
        model = _inline(model, path)
    if has_integer_operators(model):
        model = in_quantizers(model)
    _check_nodes(model, path)
    sort_nodes(model.graph, path)
    _complete(model)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise SourceError(f"the model {path} is not a valid ONNX model ({_line(error)}); export it again.") from error
    return model if read_opset(model) >= OLDEST_IMPORTED else _renew(model, path)


def _renew(model: ModelProto, path: Path) -> ModelProto:
    """An old file by the operators of OLDEST_IMPORTED; what runs the file as its reference takes it as it is. Raises SourceError."""
    from onnx import version_converter

    try:
        renewed: ModelProto = version_converter.convert_version(model, OLDEST_IMPORTED)
    except (RuntimeError, ValueError) as error:
        raise SourceError(
            f"the model {path} is of opset {read_opset(model)}, and onnx's version converter cannot bring it to {OLDEST_IMPORTED} "
            f"({_line(error)}); export it with opset 17 or 18."
        ) from error
    _keep_resizing(renewed.graph)
    return renewed


def _complete(model: ModelProto) -> None:
    """What every runtime takes and the checker does not: outputs of no stated shape, and constants of old files that are no inputs."""
    for value in model.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()  # it is found by running the file
    inputs = {value.name for value in model.graph.input}
    if any(tensor.name not in inputs for tensor in model.graph.initializer):
        model.ir_version = max(model.ir_version, _CONSTANTS_APART)


def _keep_resizing(graph: GraphProto) -> None:
    """Resize and Upsample before opset 11 read from the edge of pixels; the converter leaves the newer default, their middle."""
    from onnx import helper

    for node in graph.node:
        if node.op_type == "Resize" and "coordinate_transformation_mode" not in {a.name for a in node.attribute}:
            node.attribute.append(helper.make_attribute("coordinate_transformation_mode", "asymmetric"))
            node.attribute.append(helper.make_attribute("nearest_mode", "floor"))


def _check_texts(message: Message, path: Path) -> None:
    """Protobuf hands over names that are no UTF-8 as bytes, which nothing after this expects."""
    for field, value in message.ListFields():
        values = value if field.is_repeated else (value,)
        if field.type == field.TYPE_STRING and any(isinstance(text, bytes) for text in values):
            raise SourceError(f"the model {path} is damaged: a {field.name} in it is no text; export it again.")
        if field.type == field.TYPE_MESSAGE:
            for inner in values:
                _check_texts(inner, path)


def read_opset(model: ModelProto) -> int:
    return next((int(entry.version) for entry in model.opset_import if entry.domain in _DOMAINS), 1)


def _check_opset(model: ModelProto, path: Path) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    opset = read_opset(model)
    if not OLDEST_OPSET <= opset <= newest:
        raise SourceError(
            f"the model {path} is of opset {opset}, supported are {OLDEST_OPSET} to {newest}; export it with opset 17 or 18."
        )


def _load_external_data(model: ModelProto, path: Path) -> None:
    """Every place is judged before the first is opened: inside the model's own folder, links followed, and long enough."""
    import onnx

    folder = path.resolve().parent
    external = [t for t in _tensors(model.graph) if t.data_location == onnx.TensorProto.EXTERNAL]
    external += [
        t
        for f in model.functions
        for n in f.node
        for t in _walk_node_tensors(n)
        if t.data_location == onnx.TensorProto.EXTERNAL
    ]
    for tensor in external:
        keys = {entry.key: entry.value for entry in tensor.external_data}
        place = keys.get("location", "")
        inside = PurePosixPath(place.replace("\\", "/"))
        if not place or inside.is_absolute() or PureWindowsPath(place).drive or ".." in inside.parts:
            raise SourceError(
                f"the model {path} keeps {tensor.name!r} in {place!r}, outside its own folder, which is never opened; "
                "save it with external data beside the model."
            )
        file = (folder / place).resolve()
        if not file.is_relative_to(folder):
            raise SourceError(
                f"the model {path} keeps {tensor.name!r} in {place!r}, a link to outside its own folder, which is never opened; "
                "save it with external data beside the model."
            )
        if not file.is_file():
            raise SourceError(
                f"the external data {place!r} of the model {path} is missing; copy it beside the model, as it was exported."
            )
        try:
            offset, length = int(keys.get("offset", 0)), int(keys.get("length", 0))
        except ValueError as error:
            raise SourceError(
                f"the model {path} states no place of {tensor.name!r} in {place!r}; export it again."
            ) from error
        if offset < 0 or length < 0 or offset + length > file.stat().st_size:
            raise SourceError(
                f"the external data {place!r} of the model {path} is cut off: {tensor.name!r} lies beyond its end; copy it again."
            )
    try:
        onnx.load_external_data_for_model(model, str(folder))
    except (onnx.checker.ValidationError, OSError, ValueError, RuntimeError) as error:
        raise SourceError(
            f"the external data of the model {path} cannot be read ({_line(error)}); copy it again."
        ) from error


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    for node in graph.node:
        yield from _walk_node_tensors(node)


def _walk_node_tensors(node: NodeProto) -> Iterator[TensorProto]:
    for attribute in node.attribute:
        yield from _walk_attribute_tensors(attribute)


def _walk_attribute_tensors(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    if attribute.HasField("g"):
        yield from _tensors(attribute.g)
    for graph in attribute.graphs:
        yield from _tensors(graph)


def _inline(model: ModelProto, path: Path) -> ModelProto:
    """The model's own functions in place of their calls. Raises SourceError."""
    from onnx import inliner

    try:
        return inliner.inline_local_functions(model)
    except (RuntimeError, ValueError) as error:
        raise SourceError(
            f"the functions of the model {path} cannot be inlined ({_line(error)}); export it without."
        ) from error


def _check_nodes(model: ModelProto, path: Path) -> None:
    opset = read_opset(model)
    for number, node in enumerate(model.graph.node):
        name = node.name or f"{node.op_type}_{number}"
        if not node.op_type:
            raise SourceError(f"node {name!r} of the model {path} has no operator; export it again.")
        if node.domain not in _DOMAINS:
            raise UnsupportedOperation(
                f"node {name!r} is the custom operator {node.domain}::{node.op_type}, which no runtime but its own knows; "
                "export the model without custom operators (for com.microsoft: without ONNX Runtime's own optimization)."
            )
        _refuse_training(model, node, name, opset)


def _refuse_training(model: ModelProto, node: NodeProto, name: str, opset: int) -> None:
    outputs = [output for output in node.output if output]
    if node.op_type == "BatchNormalization":
        flag = any(a.name == "training_mode" and a.i for a in node.attribute)
        if flag or (opset < 14 and len(outputs) > 1):
            raise UnsupportedOperation(
                f"node {name!r} is a BatchNormalization in training mode; call model.eval() before exporting."
            )
    if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2] and _true(model, node.input[2]):
        raise UnsupportedOperation(f"node {name!r} is a Dropout in training mode; call model.eval() before exporting.")


def _true(model: ModelProto, value: str) -> bool:
    """Whether a stored flag is set; one that is computed counts as set."""
    from onnx import numpy_helper

    for tensor in model.graph.initializer:
        if tensor.name == value:
            return bool(numpy_helper.to_array(tensor).any())
    for node in model.graph.node:
        if value in node.output and node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            return bool(numpy_helper.to_array(node.attribute[0].t).any())
    return True


def refuse_control_flow(graph: GraphProto) -> None:
    """Raises UnsupportedOperation for a branch or loop that is left once constants are folded."""
    for number, node in enumerate(graph.node):
        if node.op_type in _CONTROL_FLOW:
            raise UnsupportedOperation(
                f"node {node.name or f'{node.op_type}_{number}'!r} ({node.op_type}) is control flow on data, which no mobile backend "
                "runs; export the model with fixed shapes and without branches or loops."
            )


def sort_nodes(graph: GraphProto, path: Path) -> None:
    """Bring the nodes into an order of execution. Raises SourceError for cycles, and for values without or with two sources."""
    known = {value.name for value in graph.input} | {t.name for t in graph.initializer} | {""}
    known |= {sparse.values.name for sparse in graph.sparse_initializer}
    _refuse_names(graph, path)
    made = _givers(graph, known, path)
    ordered = _in_order(graph, known, made, path)
    for value in graph.output:
        if value.name not in known:
            raise SourceError(f"the output {value.name!r} of the model {path} is given by no node; export it again.")
    copies = [type(node)() for node in ordered]
    for copy, node in zip(copies, ordered, strict=True):
        copy.CopyFrom(node)
    del graph.node[:]
    graph.node.extend(copies)


def _refuse_names(graph: GraphProto, path: Path) -> None:
    """Raises SourceError for an input or output without a name, and for two of one name."""
    if "" in [value.name for value in (*graph.input, *graph.output)]:
        raise SourceError(f"an input or output of the model {path} has no name; export it again.")
    for names, what in (
        ([v.name for v in graph.input], "inputs"),
        ([t.name for t in graph.initializer], "initializers"),
    ):
        if twice := next((n for n in names if names.count(n) > 1), None):
            raise SourceError(f"two {what} of the model {path} are named {twice!r}; export it again.")


def _givers(graph: GraphProto, known: set[str], path: Path) -> dict[str, int]:
    """The number of the node that gives each value. Raises SourceError where two do."""
    made: dict[str, int] = {}
    for number, node in enumerate(graph.node):
        for output in node.output:
            if output and (output in made or output in known):
                raise SourceError(f"two nodes of the model {path} give {output!r}; export it again.")
            made[output] = number
    return made


def _in_order(graph: GraphProto, known: set[str], made: dict[str, int], path: Path) -> list[NodeProto]:
    """The nodes in an order of execution; `known` has what they give in the end. Raises SourceError for cycles."""
    waiting = list(graph.node)
    ordered: list[NodeProto] = []
    while waiting:
        ready, later = [], []
        for node in waiting:
            if all(name in known for name in (*node.input, *_find_captured(node))):
                ready.append(node)
                known.update(node.output)
            else:
                later.append(node)
        if not ready:
            _refuse_unordered(later, made, known, path)
        ordered += ready
        waiting = later
    return ordered


def _find_captured(node: NodeProto) -> set[str]:
    """Values of the outer graph that the branches of a node use."""
    names: set[str] = set()
    for attribute in node.attribute:
        for graph in (*attribute.graphs, *((attribute.g,) if attribute.HasField("g") else ())):
            own = {v.name for v in graph.input} | {t.name for t in graph.initializer} | {""}
            own |= {output for inner in graph.node for output in inner.output}
            for inner in graph.node:
                names |= ({*inner.input} | _find_captured(inner)) - own
    return names


def _refuse_unordered(left: list[NodeProto], made: dict[str, int], known: set[str], path: Path) -> None:
    for node in left:
        for name in node.input:
            if name not in known and name not in made:
                raise SourceError(
                    f"node {node.name or node.op_type!r} of the model {path} takes {name!r}, which nothing gives; export it again."
                )
    names = ", ".join(repr(node.name or node.op_type) for node in left[:3])
    raise SourceError(f"the graph of the model {path} is cyclic, at {names}; export it again.")


def _line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
