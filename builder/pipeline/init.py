"""`builder init`: a commented builder.toml from what a model's files and a few photographs tell.

What no file says is measured: the network runs on photographs, in a worker, under each usual range (`jobs/probe.py`).
"""

from __future__ import annotations

import ast
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from builder.backends import BACKENDS
from builder.errors import ConfigError, EdgebundleError, InputError, OutputError, SourceError
from builder.pipeline.init_data import Data, find_data, find_labels
from builder.pipeline.init_inputs import SIDES, SMALLER, describe_picture, read_inputs, read_inputs_said_by
from builder.pipeline.init_text import Found, write_text
from builder.project.config import Config, InputSection, load_config
from builder.project.source_kinds import CARRY_INTEGERS, CHECKPOINTS, OWN_WEIGHTS, WHOLE_MODELS, find_source_kind
from builder.sources.own_code import find_installed
from builder.steps.listener import Listener
from builder.storage.cache import replace_text
from builder.workers.messages import ProbeJob, ProbeResult
from builder.workers.supervisor import run_job

# Factories.
MOST_TRIED = 12
# Of one run: a smaller size is tried.
SLOW_S = 2.0
# Names of files that say nothing of the network; its directory may.
NAMELESS = r"(model|net|network|checkpoint|weights?|best|last|latest|final|generator|saved_model|epoch)?[-_]*\d*"
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
    data = find_data(folder)
    trials = Trials(folder=folder, data=data, listener=listener)
    for source in sources:
        tried = trials.run(source)
        if tried is None:
            continue
        inputs, probed = tried
        facts = Found(
            name=_name(model), source=source.source, checkpoint=source.checkpoint, inputs=inputs, probed=probed,
            calibration=data.calibration, evaluation=data.evaluation, sized=source.inputs is not None,
            labels=tuple(find_labels(folder, output.shape[-1]) for output in probed.outputs),
        )  # fmt: skip
        text, questions = write_text(facts)
        _require_readable(text, config)
        replace_text(config, text)
        config.chmod(0o644)
        return Initialised(config=config, text=text, open_questions=questions)
    raise _make_error(model, folder, trials.failures)


def _make_error(model: str, folder: Path, failures: list[str]) -> SourceError:
    if not failures:
        return SourceError(
            f"nothing beside {model} builds a network for it: write a function that returns the torch.nn.Module into a .py file in {folder}."
        )
    reason = failures[0].rpartition("; correct 'shape'")[0] or failures[0].rstrip(".")
    if missing := re.search(r"missing \d+ required (?:positional|keyword-only) arguments?: (.+?)(?:\)|;|$)", reason):
        return SourceError(
            f"the network of {model} takes more than a picture ({missing[1]}), and no file says what: write {folder / 'builder.toml'} yourself, "
            "with one [[input]] for each argument of forward, and samples of them as .npz files (docs/inputs.md)."
        )
    return SourceError(
        f"no network could be loaded from {model}: {reason}; correct that, or write {folder / 'builder.toml'} yourself (docs/inputs.md)."
    )


@dataclass(frozen=True, kw_only=True)
class Source:
    """What may be written as `source` and `checkpoint`; `inputs` where the file says them."""

    source: str
    checkpoint: str | None = None
    inputs: tuple[InputSection, ...] | None = None


def _sources(model: str) -> tuple[Path, list[Source]]:
    """The directory, and everything that is worth a try, the likeliest first."""
    if re.fullmatch(r"[\w./]+:\w+", model) and not Path(model).exists():
        folder, source = _locate(*model.split(":"))
        weights = _checkpoints(folder) or [OWN_WEIGHTS]
        return folder, [Source(source=source, checkpoint=weight) for weight in weights]
    path = Path(model)
    if not path.exists():
        raise InputError(f"{path} does not exist; name a model file, a checkpoint, or module:callable.")
    folder, suffix = path.parent, path.suffix
    sources: list[Source] = []
    if suffix in CHECKPOINTS:
        sources = [Source(source=factory, checkpoint=path.name) for factory in _factories(folder)]
    if (path / "saved_model.pb").is_file():
        sources = [Source(source=path.resolve().name)]
        folder = path.resolve().parent
    if suffix in WHOLE_MODELS:
        sources.append(Source(source=path.name, inputs=read_inputs(path)))
    if suffix == ".py":
        sources = [
            Source(source=factory, checkpoint=weight)
            for factory in _factories(folder)
            if factory.startswith(f"{path.stem}:")
            for weight in _checkpoints(folder) or [OWN_WEIGHTS]
        ]
    if not sources and suffix not in (*CHECKPOINTS, ".py"):
        known = ", ".join(dict.fromkeys((*WHOLE_MODELS, *CHECKPOINTS, ".py")))
        raise InputError(f"{path} is of no kind that is known ({known}, or the directory of a SavedModel).")
    return folder, sources[:MOST_TRIED]


def _locate(name: str, function: str) -> tuple[Path, str]:
    """The project's directory and `source`: a file's own directory, or this one for a package or what is installed."""
    path = Path(name.removesuffix(".py").replace(".", "/") + ".py")
    package = path.parent if path.is_file() else path.with_suffix("")
    dotted = name.removesuffix(".py").replace("/", ".")
    if (package / "__init__.py").is_file() or (not path.is_file() and find_installed(dotted) is not None):
        return Path(), f"{dotted}:{function}"
    if not path.is_file():
        raise InputError(f"{path} does not exist; name a module in this directory, as in model:create.")
    return path.parent, f"{path.stem}:{function}"


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


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Runs of networks of which little is known; `failures` says why one did not run."""

    folder: Path
    data: Data
    listener: Listener
    failures: list[str] = field(default_factory=list)

    def run(self, source: Source) -> tuple[tuple[InputSection, ...], ProbeResult] | None:
        """The inputs under which it runs and what it gives then; None where it runs under none."""
        todo = (
            [source.inputs]
            if source.inputs is not None
            else [(describe_picture("image", side, side),) for side in SIDES]
        )
        asked = False
        while todo:
            inputs = todo.pop(0)
            try:
                probed = self._probe(source, inputs)
            except EdgebundleError as error:
                self.failures.append(f"{source.source}: {error}")
                said = read_inputs_said_by(str(error))
                if said is not None and not asked:
                    todo, asked = [said], True
                continue
            if source.inputs is None and probed.seconds > SLOW_S and inputs[0].shape[-1] > SMALLER:
                smaller = (inputs[0].model_copy(update={"shape": (*inputs[0].shape[:2], SMALLER, SMALLER)}),)
                with suppress(EdgebundleError):  # it takes this size alone
                    return smaller, self._probe(source, smaller)
            return inputs, probed
        return None

    def _probe(self, source: Source, inputs: tuple[InputSection, ...]) -> ProbeResult:
        trial = _trial(source.source, source.checkpoint, inputs)
        return _probe(trial, self.folder, self.data.pictures, self.listener)


def _trial(source: str, checkpoint: str | None, inputs: tuple[InputSection, ...]) -> Config:
    usual = next(iter(BACKENDS.values())).SPEC
    return Config.model_validate(
        {
            "model": {"name": "trial", "source": source, "checkpoint": checkpoint, "licence": "unknown"},
            "input": [section.model_dump() for section in inputs],
            "output": [{"name": "output", "kind": "tensor"}],
            "data": {"evaluation": "*"},
            # A trial is not converted: any variant will do. Without a scheme a file keeps the integers that it may have.
            "variant": [
                {
                    "backend": usual.name,
                    "delegate": usual.delegates[0].name,
                    "scheme": None if find_source_kind(source) in CARRY_INTEGERS else "fp32",
                }
            ],
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
    """By the file, or by its directory where the file is called as thousands are."""
    path = Path(model.partition(":")[0])
    stem = path.resolve().parent.name if re.fullmatch(NAMELESS, path.stem, re.IGNORECASE) else path.stem
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
