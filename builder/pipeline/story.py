"""The whole story on one screen: checkpoint -> exported source -> plan -> lower, read back, verify -> bundle -> package."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Event

from pydantic import TypeAdapter

from builder.bundle import Bundle, opened
from builder.bundle.archive import is_bundle
from builder.errors import ConfigError
from builder.exports import DYNAMIC, FORMATS
from builder.plan_search import SearchResult, find_plans, found_files, search_variant, write_found
from builder.process import results_of
from builder.project.config import VariantSection
from builder.project.project import Project, open_project
from builder.project.sizes import expanded, of_size
from builder.project.variants import choose_variants
from builder.steps.bundle import assemble_bundle
from builder.steps.export import export_file
from builder.steps.listener import Listener
from builder.steps.package import build_package
from builder.steps.source import export_source, warm_up
from builder.steps.variant import lower_variant, plan_variant, require_packages
from builder.storage.output import copy_into, refuse_foreign, replacing
from builder.suggest import did_you_mean
from builder.targets import TARGETS
from builder.targets.base import PackageOptions, PackageResult
from builder.workers.messages import ExportResult

WORKERS = 2  # variants lowered side by side: each takes one to two cores and up to 3.5 GB


def convert(config: Path, *, out: Path, backends: Sequence[str] = (), listener: Listener) -> Bundle:
    """Make the bundle of a builder.toml in the directory `out`; only steps whose inputs changed run again."""
    project = open_project(config)
    refuse_foreign(out)
    bundle = make_bundle(project, choose_variants(project.config, backends), listener)
    with replacing(out) as work:
        copy_into(bundle.root, work)
    return Bundle.open(out)


def package(
    source: Path,
    *,
    target: str,
    formats: Sequence[str] = (),
    out: Path,
    listener: Listener,
    options: PackageOptions | None = None,
) -> PackageResult:
    """Make the packages of a target in the directory `out`, from a builder.toml or from a bundle."""
    if target not in TARGETS:
        raise ConfigError(f"unknown target {target!r}{did_you_mean(target, TARGETS)}")
    refuse_foreign(out)
    options = options or PackageOptions()
    backends = (options.runtime.name,) if options.runtime else TARGETS[target].BACKENDS
    with ExitStack() as stack:
        if is_bundle(source):
            bundle, project = stack.enter_context(opened(source)), None
        else:
            project = open_project(source)
            bundle = make_bundle(project, choose_variants(project.config, backends), listener)
        folder, result = build_package(bundle, project, target, tuple(formats), options, listener)
        with replacing(out) as work:
            copy_into(folder, work)
    return PackageResult(files=tuple(out / file for file in result.files), findings=result.findings)


def export(
    config: Path, *, formats: Sequence[str], dynamic: bool = False, out: Path, listener: Listener
) -> tuple[ExportResult, ...]:
    """Files of the source model for other runtimes in the directory `out`, with `exports.json`: what each is and its agreement."""
    for name in formats:
        if name not in FORMATS:
            raise ConfigError(f"unknown export format {name!r}{did_you_mean(name, FORMATS)}")
        if dynamic and name not in DYNAMIC:
            raise ConfigError(
                f"the format {name!r} has fixed sizes; leave out --dynamic, or export {' or '.join(DYNAMIC)}."
            )
    project = open_project(config)
    refuse_foreign(out)
    source = export_source(project, listener)
    results = []
    with replacing(out) as work:
        for name in dict.fromkeys(formats):
            folder, result = export_file(project, source, name, dynamic, listener)
            copy_into(folder, work)
            results.append(result)
        (work / EXPORTS).write_bytes(_EXPORTS.dump_json(tuple(results), indent=1) + b"\n")
    return tuple(results)


EXPORTS = "exports.json"
_EXPORTS = TypeAdapter(tuple[ExportResult, ...])


def search(
    config: Path, *, out: Path | None, listener: Listener, cluster: str | None = None
) -> tuple[SearchResult, ...]:
    """The search of every variant that has one; with `out` its plan, and beside it the result as data and as a page.

    Trials run on the Dask cluster whose scheduler's address is `cluster`, or here.
    Several variants get `out` with their name added. Budgets that are not met leave no plan, but the data and the page.
    """
    project = open_project(config)
    sections = [section for section in project.config.variant if section.search is not None]
    if not sections:
        raise ConfigError("builder.toml has no variant with [variant.search]; add its budgets there.")
    targets = {s.name: found_files(out, s.name if len(sections) > 1 else "") for s in sections} if out else {}
    require_packages(project, sections)
    warm_up(project, sections)
    source = export_source(project, listener)
    results = []
    for section in sections:
        folder, result = search_variant(project, source, section, listener, cluster=cluster)
        if section.name in targets:
            write_found(folder, targets[section.name])
        results.append(result)
    return tuple(results)


def make_bundle(project: Project, sections: Sequence[VariantSection], listener: Listener) -> Bundle:
    """The bundle of these variants, in the cache: every plan is checked before the first converter starts."""
    require_packages(project, sections)
    warm_up(project, sections)
    sections = expanded(sections)
    source = export_source(project, listener)
    project = find_plans(project, source, sections, listener)
    by_size = {None: source} | {
        size: export_source(of_size(project, size), listener)
        for size in {section.size: None for section in sections}
        if size
    }
    sources = [by_size[section.size] for section in sections]
    plans = [plan_variant(project, made, section) for made, section in zip(sources, sections, strict=True)]
    stop = Event()
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            lower = partial(lower_variant, project, listener=listener, stop=stop)
            work = zip(sources, sections, plans, strict=True)
            variants = results_of([pool.submit(lower, *each) for each in work])
        except BaseException:  # one failed, or Ctrl-C: the others end now, not after minutes
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return assemble_bundle(project, source, variants, sources)
