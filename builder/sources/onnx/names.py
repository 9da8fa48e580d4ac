"""Names of layers and stored tensors, as torch modules can have them, from what exporters leave in an ONNX file.

Priority: an initializer `X.weight` or `X.bias`; the module path that the dynamo exporter writes into a node's metadata (of a
batch norm, where it folded one into a convolution); the node's path (`/block/conv/Conv` of the TorchScript exporter,
`StatefulPartitionedCall/net/conv/BiasAdd` of tf2onnx).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

NAME_SCOPES = "pkg.torch.onnx.name_scopes"
_CALLS = re.compile(r"(Stateful)?PartitionedCall(_\d+)?")


def name_layer(op: str, node: str, scopes: str | None, weights: Sequence[str]) -> str:
    """The dotted name of a node's layer; `weights` are the initializers it takes, `scopes` the dynamo exporter's metadata."""
    for weight in weights:
        owner, _, role = weight.rpartition(".")
        if owner and role in ("weight", "bias"):
            return owner
    if scopes is not None and (path := _innermost(scopes)):
        return path
    parts = [part for part in node.split("/") if part and not _CALLS.fullmatch(part)]
    if len(parts) < 2:
        return parts[0] if parts else op.lower()
    kept: list[str] = []
    for part in parts[:-1]:  # the last part is the operation
        if kept and part.startswith(f"{kept[-1]}."):  # a ModuleList's name is repeated by its members
            kept.pop()
        kept.append(part)
    return ".".join(kept)


def _innermost(scopes: str) -> str:
    """The path of the module that a node stands in: the last but one of the list, the last is the node's own."""
    try:
        names = ast.literal_eval(scopes)
    except (ValueError, SyntaxError):
        return ""
    if not isinstance(names, list) or len(names) < 2:
        return ""
    return str(names[-2])


def make_dotted(name: str) -> str:
    """A name as torch can store a tensor under: `/a/b:0` is `a.b`, parts are never empty."""
    parts = [re.sub(r"[^0-9A-Za-z_]", "_", part) for part in re.split(r"[/.]+", re.sub(r":\d+$", "", name)) if part]
    return ".".join(parts) or "constant"


def make_plain(name: str) -> str:
    """The name of an input or output as builder.toml can have it: `input.1` is `input_1`, `image:0` is `image`."""
    word = re.sub(r"\W", "_", re.sub(r":\d+$", "", name))
    return f"_{word}" if word[:1].isdigit() else word
