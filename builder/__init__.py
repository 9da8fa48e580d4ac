"""edgebundle's builder: from a trained image network to verified mobile artifacts, bundles and packages.

    >>> import builder
    >>> bundle = builder.convert("builder.toml", out="out/bundle")
    >>> builder.package("builder.toml", target="android", out="dist")

Nothing is printed. Importing this package loads none of the converters; its functions do, in worker processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.bundle import Bundle
    from builder.pipeline.verify import Verification
    from builder.plan_search import SearchResult
    from builder.targets.base import PackageOptions, PackageResult

__version__ = "0.1.0"


def convert(config: str | Path = "builder.toml", *, out: str | Path, backends: Sequence[str] = ()) -> Bundle:
    """Make the bundle of a builder.toml in the directory `out`. Raises builder.errors.EdgebundleError."""
    from builder.pipeline import story
    from builder.steps.listener import Silent

    return story.convert(Path(config), out=Path(out), backends=backends, listener=Silent())


def search(config: str | Path = "builder.toml", *, out: str | Path | None = None) -> tuple[SearchResult, ...]:
    """Find the plan of every variant with [variant.search]; `chosen` of a result is None where its budgets are not met."""
    from builder.pipeline import story
    from builder.steps.listener import Silent

    return story.search(Path(config), out=None if out is None else Path(out), listener=Silent())


def package(
    source: str | Path = "builder.toml",
    *,
    target: str,
    out: str | Path,
    formats: Sequence[str] = (),
    options: PackageOptions | None = None,
) -> PackageResult:
    """Make the packages of a target from a builder.toml or a bundle; `options` as the flags of `builder package` have them.

    Raises builder.errors.EdgebundleError.
    """
    from builder.pipeline import story
    from builder.steps.listener import Silent

    return story.package(
        Path(source), target=target, formats=formats, out=Path(out), listener=Silent(), options=options
    )


def verify(bundle: str | Path) -> Verification:
    """Run every variant of a bundle on its goldens, each in its own runtime. Raises builder.errors.EdgebundleError."""
    from builder.pipeline.verify import verify_bundle
    from builder.steps.listener import Silent

    return verify_bundle(Path(bundle), Silent())


__all__ = ["__version__", "convert", "package", "search", "verify"]
