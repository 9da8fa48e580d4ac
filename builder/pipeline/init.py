"""`builder init`: a commented builder.toml from what a model's files and a few photographs tell.

What no file says is measured: the network runs on photographs, in a worker, under each usual range (`jobs/probe.py`).
"""

from __future__ import annotations

import ast
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.backends import BACKENDS
from builder.errors import ConfigError, EdgebundleError, InputError, OutputError, SourceError
from builder.pipeline.init_text import Found, text_of
from builder.project.config import Config, InputSection, load_config
from builder.project.source_kinds import WHOLE_MODELS
from builder.steps.listener import Listener
from builder.storage.cache import replace_text
from builder.workers.messages import ProbeJob, ProbeResult
from builder.workers.supervisor import run_job

CHECKPOINTS = (".safetensors", ".pt", ".pth")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
SIDES = (256, 224, 512, 64)  # that are tried where no file says the size
PROBED = 4  # photographs
DEEP = 3  # directories below the model in which photographs are looked for
LEAST = 2  # pictures that make a set
MOST_TRIED = 12  # factories
WHAT = "the network"


@dataclass(frozen=True, kw_only=True)
class Initialised:
    """The file that was written, its text, and what could not be known and is to be looked at."""

    config: Path
    text: str
    open_questions: tuple[str, ...]


def init(model: str, *, out: Path | None, listener: Listener) -> Initialised:
    """Write builder.toml for a model file, a checkpoint or `module:callable`, beside it or where `out` says.

    Raises InputError for what is none of these, OutputError where a file is there already, SourceError when nothing runs.
    """
    folder, sources = _sources(model)
    config = out or folder / "builder.toml"
    if config.exists():
        raise OutputError(f"{config} exists; choose another -o, or move it away.")
    if config.parent.resolve() != folder.resolve():
        raise OutputError(f"{config} must lie beside the model, in {folder}: its paths are relative to itself.")
    data = _data(folder)
    failures: list[str] = []
    for source, checkpoint, inputs in _attempts(folder, sources):
        trial = _trial(source, checkpoint, inputs)
        try:
            probed = _probe(trial, folder, data.pictures, listener)
        except EdgebundleError as error:
            failures.append(f"{source}: {error}")
            continue
        facts = Found(
            name=_name(model), source=source, checkpoint=checkpoint, inputs=inputs, probed=probed,
            calibration=data.calibration, evaluation=data.evaluation, sized=len(_sides(sources, folder)) == 1,
        )  # fmt: skip
        text, questions = text_of(facts)
        _require_readable(text, config)
        replace_text(config, text)
        config.chmod(0o644)
        return Initialised(config=config, text=text, open_questions=questions)
    if not failures:
        raise SourceError(
            f"nothing beside {model} builds a network for it: write a function that returns the torch.nn.Module into a .py file in {folder}."
        )
    raise SourceError(f"no network could be loaded from {model}; {failures[0]}")


@dataclass(frozen=True, kw_only=True)
class Source:
    """What may be written as `source` and `checkpoint`; `inputs` where the file says them."""

    source: str
    checkpoint: str | None = None
    inputs: tuple[InputSection, ...] | None = None


def _sources(model: str) -> tuple[Path, list[Source]]:
    """The directory, and everything that is worth a try, the likeliest first."""
    if re.fullmatch(r"[\w./]+:\w+", model) and not Path(model).exists():
        name, _, function = model.partition(":")
        path = Path(name.removesuffix(".py").replace(".", "/") + ".py")
        if not path.is_file():
            raise InputError(f"{path} does not exist; name a module in this directory, as in model:create.")
        weights = _checkpoints(path.parent)
        return path.parent, [Source(source=f"{path.stem}:{function}", checkpoint=weight) for weight in weights]
    path = Path(model)
    if not path.exists():
        raise InputError(f"{path} does not exist; name a model file, a checkpoint, or module:callable.")
    folder, suffix = path.parent, path.suffix
    sources: list[Source] = []
    if suffix in CHECKPOINTS:
        sources = [Source(source=factory, checkpoint=path.name) for factory in _factories(folder)]
    if suffix in WHOLE_MODELS:
        sources.append(Source(source=path.name, inputs=inputs_of(path)))
    if suffix == ".py":
        sources = [
            Source(source=factory, checkpoint=weight)
            for factory in _factories(folder)
            if factory.startswith(f"{path.stem}:")
            for weight in _checkpoints(folder)
        ]
        if not _checkpoints(folder):
            raise InputError(f"no checkpoint lies beside {path}; put its .safetensors, .pt or .pth there.")
    if not sources and suffix not in (*CHECKPOINTS, ".py"):
        known = ", ".join(dict.fromkeys((*WHOLE_MODELS, *CHECKPOINTS, ".py")))
        raise InputError(f"{path} is of no kind that is known ({known}).")
    return folder, sources[:MOST_TRIED]


def _checkpoints(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix in CHECKPOINTS)


def _factories(folder: Path) -> list[str]:
    """Callables of the .py files beside it that may build a network without arguments, read without running them."""
    ranked: list[tuple[int, str]] = []
    for path in sorted(folder.glob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError, OSError):
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not _needs_arguments(node) and not node.name.startswith("_"):
                likely = re.search(r"create|build|make|model|net|get", node.name) is not None
                ranked.append((0 if likely else 2, f"{path.stem}:{node.name}"))
            if isinstance(node, ast.ClassDef) and any("Module" in ast.unparse(base) for base in node.bases):
                made = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
                if made is None or not _needs_arguments(made, own=1):
                    ranked.append((1, f"{path.stem}:{node.name}"))
    return [name for rank, name in sorted(ranked, key=lambda item: item[0]) if rank < 2]


def _needs_arguments(node: ast.FunctionDef, own: int = 0) -> bool:
    plain = len(node.args.posonlyargs) + len(node.args.args) - own - len(node.args.defaults)
    return plain > 0 or any(default is None for default in node.args.kw_defaults)


def _attempts(folder: Path, sources: list[Source]) -> Iterator[tuple[str, str | None, tuple[InputSection, ...]]]:
    for source in sources:
        if source.inputs is not None:
            yield source.source, source.checkpoint, source.inputs
            continue
        for side in SIDES:
            yield source.source, source.checkpoint, (_picture("image", side, side),)


def _sides(sources: list[Source], folder: Path) -> tuple[int, ...]:
    return (0,) if sources and sources[0].inputs is not None else SIDES


def _picture(name: str, height: int, width: int) -> InputSection:
    return InputSection(name=name, kind="image", shape=(1, 3, height, width), range=(0.0, 1.0))


def inputs_of(path: Path) -> tuple[InputSection, ...] | None:
    """Inputs of a whole model, as its file has them; None where it does not say."""
    if path.suffix == ".onnx":
        return _onnx_inputs(path)
    if path.suffix == ".keras":
        return _keras_inputs(path)
    return None


def _onnx_inputs(path: Path) -> tuple[InputSection, ...]:
    import onnx

    try:
        graph = onnx.load(path, load_external_data=False).graph
    except Exception as error:  # protobuf's reader raises whatever it stumbles over
        raise SourceError(f"{path} is damaged or not an ONNX file; export it again.") from error
    stored = {tensor.name for tensor in graph.initializer}
    kinds = {onnx.TensorProto.INT32: "int32", onnx.TensorProto.INT64: "int64"}
    return tuple(
        _section(
            value.name,
            [int(size.dim_value) for size in value.type.tensor_type.shape.dim],
            kinds.get(value.type.tensor_type.elem_type, "float32"),
        )
        for value in graph.input
        if value.name not in stored
    )


_DTYPES = {"int32": "int32", "int64": "int64"}


def _keras_inputs(path: Path) -> tuple[InputSection, ...] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise SourceError(f"{path} is damaged or not a .keras file; save it again with model.save.") from error
    layers = config.get("config", {}).get("layers", [])
    configs = [layer["config"] for layer in layers if layer.get("class_name") == "InputLayer"]  # in the network's order
    if not configs:  # a network of its own class
        configs = [{"name": "image", "batch_shape": (config.get("build_config") or {}).get("input_shape")}]
    shapes = [entry.get("batch_shape") for entry in configs]
    if not all(
        isinstance(shape, list) and all(size is None or isinstance(size, int) for size in shape) for shape in shapes
    ):
        return None
    return tuple(
        _section(entry["name"], [size or 0 for size in shape], _DTYPES.get(entry.get("dtype"), "float32"))
        for entry, shape in zip(configs, shapes, strict=True)
    )


def _section(name: str, shape: list[int], dtype: str) -> InputSection:
    """Sizes that are open (0) become 1 in front, and the usual side elsewhere; a picture in NHWC is written as NCHW, as builder.toml has it."""
    sizes = [size if size > 0 else 1 if place == 0 else SIDES[0] for place, size in enumerate(shape)]
    clean = re.sub(r"\W", "_", name)
    clean = clean if re.match(r"[A-Za-z_]", clean) else f"_{clean}"
    if len(sizes) == 4 and sizes[1] != 3 and sizes[3] == 3:
        sizes = [sizes[0], 3, sizes[1], sizes[2]]
    if len(sizes) == 4 and sizes[:2] == [1, 3] and dtype == "float32":
        return _picture(clean, sizes[2], sizes[3])
    values: dict[str, Any] = {
        "name": clean,
        "kind": "vector" if len(sizes) == 2 else "tensor",
        "shape": sizes or [1],
        "dtype": dtype,
    }
    return InputSection.model_validate(values)


@dataclass(frozen=True, kw_only=True)
class Data:
    """Globs of both sets, None where there is none, and photographs to try the network on."""

    calibration: str | None
    evaluation: str | None
    pictures: tuple[Path, ...]


def _data(folder: Path) -> Data:
    """Directories with pictures near the model: those called calibration and evaluation, or by similar names, or the fullest."""
    homes: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if (
            path.suffix.lower() in PICTURES
            and len(parts) <= DEEP + 1
            and len(parts) > 1
            and not any(p.startswith(".") for p in parts)
        ):
            homes.setdefault(path.parent, []).append(path)
    sets = {home: found for home, found in homes.items() if len(found) >= LEAST}
    calibration = _find_named(sets, r"calib|train")
    evaluation = _find_named(sets, r"eval|val|test|held")
    if evaluation is None:
        left = {home: found for home, found in sets.items() if home != calibration}
        evaluation = max(left, key=lambda home: len(left[home]), default=None)
    pictures = tuple(
        (homes.get(evaluation, []) if evaluation else [p for found in homes.values() for p in found])[:PROBED]
    )
    return Data(calibration=_glob(calibration, folder), evaluation=_glob(evaluation, folder), pictures=pictures)


def _find_named(sets: dict[Path, list[Path]], pattern: str) -> Path | None:
    return next((home for home in sets if re.search(pattern, home.name, re.IGNORECASE)), None)


def _glob(home: Path | None, folder: Path) -> str | None:
    return None if home is None else f"{home.relative_to(folder).as_posix()}/*"


def _trial(source: str, checkpoint: str | None, inputs: tuple[InputSection, ...]) -> Config:
    usual = next(iter(BACKENDS.values())).SPEC
    return Config.model_validate(
        {
            "model": {"name": "trial", "source": source, "checkpoint": checkpoint, "licence": "unknown"},
            "input": [section.model_dump() for section in inputs],
            "output": [{"name": "output", "kind": "tensor"}],
            "data": {"evaluation": "*"},
            # A trial is not converted: any variant will do.
            "variant": [{"backend": usual.name, "delegate": usual.delegates[0].name, "scheme": "fp32"}],
        }
    )


def _probe(trial: Config, folder: Path, pictures: tuple[Path, ...], listener: Listener) -> ProbeResult:
    job = ProbeJob(config=trial, folder=folder.resolve(), pictures=tuple(path.resolve() for path in pictures))
    with tempfile.TemporaryDirectory(prefix="edgebundle-init-") as work:
        text = run_job(
            job, Path(work), what=WHAT, limits=trial.limits, on_stage=lambda stage: listener.stage(WHAT, stage)
        )
    listener.finish(WHAT, cached=False)
    return ProbeResult.model_validate_json(text)


def _name(model: str) -> str:
    stem = Path(model.partition(":")[0]).stem
    return re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-").lower() or "model"


def _require_readable(text: str, config: Path) -> None:
    """What is written can be read: a fault of ours is never left on the user's disk."""
    with tempfile.TemporaryDirectory(prefix="edgebundle-init-") as work:
        (Path(work) / "builder.toml").write_text(text, encoding="utf-8")
        try:
            load_config(Path(work))
        except ConfigError as error:
            raise SourceError(
                f"no builder.toml can describe this network yet: {str(error).partition(': ')[2]}"
            ) from error
