"""Whether an .mlpackage is one that Core ML will load, as far as it can be told without Core ML: files, program, ops, borders.

Run on what was just written, and again before a file is packed into an app, where nobody can look into it any more:

    python -m builder.backends.coreml.check MANIFEST REPORT    all Core ML files of a bundle; REPORT is written for the first bad one
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builder.backends.coreml.package import DATA
from builder.backends.coreml.program import SYSTEMS, load_program, load_spec, read_colours
from builder.bundle import Binding, TensorSpec, parse_manifest
from builder.errors import EdgebundleError, VerificationError

_DTYPES = {"float32": 65568, "float16": 65552, "int32": 131104}  # FeatureTypes.proto, ArrayFeatureType.ArrayDataType


def check_package(
    path: Path, inputs: Sequence[Binding], outputs: Sequence[Binding], specs: Sequence[TensorSpec] = ()
) -> None:
    """`specs` are those of inputs and outputs, for the order of colours. Raises VerificationError, InputError."""
    _check_files(path)
    spec = load_spec(path)
    _check_system(path, spec)
    load_program(path)  # rebuilt from weights and program, with the ops of that system only
    stored = read_colours(path)
    by_name = {entry.name: entry for entry in specs}
    for what, declared, bindings in (
        ("inputs", spec.description.input, inputs),
        ("outputs", spec.description.output, outputs),
    ):
        names = [entry.name for entry in declared]
        if sorted(names) != sorted(binding.name for binding in bindings):
            raise _wrong(path, f"has the {what} {', '.join(names)}, not {', '.join(b.name for b in bindings)}")
        types = {entry.name: entry.type for entry in declared}
        for binding in bindings:
            _check_border(path, binding, types[binding.name], stored.get(binding.name), by_name.get(binding.name))


def _check_files(path: Path) -> None:
    """Manifest.json and the tree agree: every entry is there, nothing else is, and nothing is a link."""
    try:
        manifest = json.loads((path / "Manifest.json").read_text(encoding="utf-8"))
        entries = {Path("Data") / str(entry["path"]) for entry in manifest["itemInfoEntries"].values()}
        root = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _wrong(path, f"has no good Manifest.json ({type(error).__name__}: {error})") from error
    if str(Path("Data") / root) != f"{DATA}/model.mlmodel":
        raise _wrong(path, f"names {root} as its model")
    for file in sorted(path.rglob("*")):
        inside = file.relative_to(path)
        if file.is_symlink() or not (file.is_file() or file.is_dir()):
            raise _wrong(path, f"holds {inside}, which is no plain file")
        known = inside == Path("Manifest.json") or any(inside == entry or entry in inside.parents for entry in entries)
        if file.is_file() and not known:
            raise _wrong(path, f"holds {inside}, which its Manifest.json does not name")
    for entry in sorted(entries):
        if not (path / entry).exists():
            raise _wrong(path, f"lacks {entry}, which its Manifest.json names")


def _check_system(path: Path, spec: Any) -> None:
    """The program is written in the ops of the system that the file states."""
    version = int(spec.specificationVersion)
    if version not in SYSTEMS:
        raise _wrong(path, f"has specification version {version}, which no known iOS states")
    wanted = f"CoreML{version - 1}"  # coremltools/__init__.py, _OPSET
    for name, function in spec.mlProgram.functions.items():
        if function.opset != wanted:
            raise _wrong(path, f"is for {SYSTEMS[version]}, but its function {name!r} has the ops of {function.opset}")


def _check_border(path: Path, binding: Binding, kind: Any, stored: str | None, spec: TensorSpec | None) -> None:
    form = kind.WhichOneof("Type")
    if binding.layout == "image":
        if form != "imageType":
            raise _wrong(path, f"has {binding.name!r} as {form}, not as a picture")
        size, wanted = (kind.imageType.height, kind.imageType.width), binding.shape[-2:]
        if size != wanted:
            raise _wrong(
                path, f"has the picture {binding.name!r} of {size[1]} x {size[0]}, not {wanted[1]} x {wanted[0]}"
            )
        if spec is not None and stored != (spec.color_order or "RGB"):
            raise _wrong(path, f"has the colours of {binding.name!r} in the order {stored}, not {spec.color_order}")
        return
    if form != "multiArrayType":
        raise _wrong(path, f"has {binding.name!r} as {form}, not as a tensor")
    if kind.multiArrayType.dataType != _DTYPES.get(binding.dtype):
        raise _wrong(path, f"has {binding.name!r} in another type than {binding.dtype}")
    shape = tuple(int(size) for size in kind.multiArrayType.shape)
    if shape and shape != binding.shape:  # converters state an output's shape or leave it to the program
        raise _wrong(path, f"has {binding.name!r} of shape {shape}, not {binding.shape}")


def _wrong(path: Path, what: str) -> VerificationError:
    return VerificationError(f"{path.name} {what}; convert it again.")


def main(manifest_path: Path, report: Path) -> None:
    warnings.simplefilter("ignore")  # coremltools' own, about the age of what it imports
    manifest = parse_manifest(manifest_path.read_text(encoding="utf-8"), where=str(manifest_path))
    for variant in manifest.variants:
        if variant.backend != "coreml":
            continue
        try:
            check_package(
                manifest_path.parent / variant.file,
                variant.inputs,
                variant.outputs,
                (*manifest.inputs, *manifest.outputs),
            )
        except EdgebundleError as error:
            report.write_text(json.dumps({"message": f"variant {variant.id!r}: {error}"}), encoding="utf-8")
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
