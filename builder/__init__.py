"""edgebundle's builder: from a trained image network to verified mobile artifacts, bundles and packages.

    >>> import builder
    >>> bundle = builder.convert("builder.toml", out="out/bundle")
    >>> builder.verify(bundle)
    >>> builder.package(bundle, target="android", out="dist")

Nothing is printed; `progress` hears every step, and what the command line would warn of is a `BuilderWarning`. Wherever a file is
taken, a path, its text or an opened `Bundle` will do. Importing this package loads none of the converters; its functions do, in
worker processes. All functions raise `builder.errors.EdgebundleError`, whose text is one sentence with its cure. docs/python.md
shows each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.bundle import Bundle
    from builder.compression.result import CompressReport
    from builder.pipeline.check import Checked
    from builder.pipeline.doctor import Finding
    from builder.pipeline.evaluate import Evaluation
    from builder.pipeline.init import Initialised
    from builder.pipeline.inspect import Inspection
    from builder.pipeline.pictures import RunResult
    from builder.pipeline.plan import PlannedVariant
    from builder.pipeline.verify import Verification
    from builder.plan_search import SearchResult
    from builder.targets.base import PackageOptions, PackageResult
    from builder.training.result import TrainReport
    from builder.workers.messages import ExportResult

    Source = str | Path | Bundle
    """A builder.toml or its directory, a bundle (directory, .zip, opened), an artifact or a package, as each function says."""

Progress = Callable[[str, str], None]
"""Hears the step and what it does just now: ("variant 'tflite-gpu-fp16'", "lower"); the text is "done" or "unchanged" at its end."""

__version__ = "0.1.0"


class BuilderWarning(UserWarning):
    """What the command line prints as a warning."""


def convert(
    config: Source = "builder.toml",
    *,
    out: str | Path,
    backends: Sequence[str] = (),
    keep_going: bool = False,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Bundle:
    """Make the bundle of a builder.toml in the directory `out`, and beside it `OUT.html` with pictures.

    `keep_going`: variants that fail are left out and are `manifest.failures`. `fresh`: believe no kept result.
    """
    from builder.pipeline import story

    return story.convert(
        _path(config), out=Path(out), backends=backends, listener=_listener(progress), keep_going=keep_going, fresh=fresh
    )  # fmt: skip


def search(
    config: Source = "builder.toml",
    *,
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
) -> tuple[SearchResult, ...]:
    """Find the plan of every variant with [variant.search]; `chosen` of a result is None where its budgets are not met."""
    from builder.pipeline import story

    return story.search(
        _path(config), out=None if out is None else Path(out), listener=_listener(progress), fresh=fresh
    )


def train(  # noqa: PLR0913  (public: one keyword for each flag of `builder train`)
    config: Source = "builder.toml",
    *,
    out: str | Path,
    style: str | Path | None = None,
    data: str | None = None,
    resume: bool = False,
    fresh: bool = False,
    progress: Progress | None = None,
) -> TrainReport | None:
    """Train the network of [train] as a project in `out`; `style` and `data` take the recipe's places.

    None in a process of torchrun that only helps the first one.
    """
    from builder.pipeline import train as recipe

    instead = recipe.Instead(style=None if style is None else Path(style), data=data)
    return recipe.train(
        _path(config), out=Path(out), listener=_listener(progress), instead=instead, resume=resume, fresh=fresh
    )


def compress(
    config: Source = "builder.toml",
    *,
    out: str | Path,
    resume: bool = False,
    fresh: bool = False,
    progress: Progress | None = None,
) -> CompressReport:
    """Train the smaller network of [compress] as a project in `out`; `unmet` of the report says which budgets do not hold."""
    from builder.pipeline import compress as stages

    return stages.compress(_path(config), out=Path(out), listener=_listener(progress), resume=resume, fresh=fresh)


def package(  # noqa: PLR0913  (public: one keyword for each flag of `builder package`)
    source: Source = "builder.toml",
    *,
    target: str,
    out: str | Path,
    formats: Sequence[str] = (),
    options: PackageOptions | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
) -> PackageResult:
    """Make the packages of a target from a builder.toml or a bundle; `options` as the flags of `builder package` have them."""
    from builder.pipeline import story
    from builder.targets.base import PackageOptions

    asked = story.Packaging(
        source=_path(source),
        target=target,
        out=Path(out),
        formats=tuple(formats),
        options=options or PackageOptions(),
        fresh=fresh,
    )
    return story.package(asked, _listener(progress))


def evaluate(  # noqa: PLR0913  (public: one keyword for each flag of `builder evaluate`)
    reference: Source,
    others: Sequence[str | Path],
    *,
    content: str | Path | None = None,
    style: str | Path | None = None,
    lpips: str | Path | None = None,
    video: bool = False,
    source: Source | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Pictures by every measure (docs/measures.md): each of `others` against `reference`, or the variants of a bundle on photographs.

    `content`: the photographs they were made of; `style`: the picture of a style; `lpips`: a file of its weights; `video`: the pictures
    are frames; `source`: a bundle's builder.toml; `out`: a directory for the data and two pages.
    """
    from builder.pipeline.evaluate import Against
    from builder.pipeline.evaluate import evaluate as measure

    paths = [None if path is None else Path(path) for path in (content, style, lpips)]
    against = Against(content=paths[0], style=paths[1], lpips=paths[2], video=video)
    return measure(
        _path(reference),
        [Path(path) for path in others],
        against=against,
        out=None if out is None else Path(out),
        config=None if source is None else _path(source),
        listener=_listener(progress),
    )


def verify(bundle: Source, *, progress: Progress | None = None) -> Verification:
    """Run every variant of a bundle (or of a package that carries one) on its goldens, each in its own runtime."""
    from builder.pipeline.verify import verify_bundle

    return verify_bundle(_path(bundle), _listener(progress))


def run(
    bundle: Source,
    pictures: Sequence[str | Path],
    *,
    out: str | Path,
    source: Source | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Every variant of a bundle on photographs: files and a page in `out`. `source`: compare with the model of this builder.toml."""
    from builder.pipeline.pictures import run_pictures

    return run_pictures(
        _path(bundle),
        [Path(picture) for picture in pictures],
        out=Path(out),
        config=None if source is None else _path(source),
        listener=_listener(progress),
    )


def plan(
    config: Source = "builder.toml",
    *,
    backend: str | None = None,
    all_backends: bool = False,
    progress: Progress | None = None,
) -> tuple[PlannedVariant, ...]:
    """Which rule won for each layer, and what each backend makes of it; what it refuses is part of the result."""
    from builder.pipeline.plan import plan_config

    return plan_config(_path(config), backend, _listener(progress), all_backends=all_backends)


def inspect(source: Source, *, progress: Progress | None = None) -> Inspection:
    """What a builder.toml's model, an artifact, a bundle or a package holds, read from the file itself."""
    from builder.pipeline.inspect import inspect_path

    return inspect_path(_path(source), _listener(progress))


def export(
    config: Source = "builder.toml",
    *,
    formats: Sequence[str],
    out: str | Path,
    dynamic: bool = False,
    fresh: bool = False,
    progress: Progress | None = None,
) -> tuple[ExportResult, ...]:
    """The source model for other runtimes, in the directory `out`: `onnx`, `torchscript`, `tensorrt`."""
    from builder.pipeline import story

    return story.export(
        _path(config), formats=formats, dynamic=dynamic, out=Path(out), listener=_listener(progress), fresh=fresh
    )  # fmt: skip


def init(model: str | Path, *, out: str | Path | None = None, progress: Progress | None = None) -> Initialised:
    """Write a commented builder.toml for a model file, a checkpoint or `module:callable`."""
    from builder.pipeline.init import init as write

    return write(str(model), out=None if out is None else Path(out), listener=_listener(progress))


def check(config: Source = "builder.toml", *, progress: Progress | None = None) -> tuple[Checked, ...]:
    """Everything that can be known in seconds, before any converter starts; faults are part of the result."""
    from builder.pipeline.check import check_config

    return check_config(_path(config), _listener(progress))


def doctor() -> tuple[Finding, ...]:
    """What is installed, what is missing, and the command that adds it."""
    from builder.pipeline.doctor import examine

    return examine()


def _path(source: Source) -> Path:
    return Path(source) if isinstance(source, str | Path) else source.root


class _Told:
    """A listener that hands on to a function, and warns as Python does."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def stage(self, step: str, text: str) -> None:
        if self._progress is not None:
            self._progress(step, text)

    def finish(self, step: str, *, cached: bool) -> None:
        self.stage(step, "unchanged" if cached else "done")

    def warn(self, text: str) -> None:
        import warnings

        warnings.warn(text, BuilderWarning, stacklevel=2)


def _listener(progress: Progress | None) -> _Told:
    return _Told(progress)


__all__ = [
    "BuilderWarning",
    "Progress",
    "__version__",
    "check",
    "compress",
    "convert",
    "doctor",
    "evaluate",
    "export",
    "init",
    "inspect",
    "package",
    "plan",
    "run",
    "search",
    "train",
    "verify",
]
