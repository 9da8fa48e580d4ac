"""The whole story on one screen: checkpoint -> exported source -> plan -> lower, read back, verify -> bundle -> package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event

from pydantic import TypeAdapter

from builder.backends import list_backends
from builder.backends.support import SupportedPlan
from builder.bundle import Bundle, FailedVariant, open_bundle, refuse_edited
from builder.bundle.archive import is_bundle
from builder.errors import ConfigError, ConversionError, EdgebundleError, VerificationError
from builder.exports import DYNAMIC, FORMATS
from builder.pipeline.pictures import make_evaluation_page, place_page, write_page
from builder.plan_search import SearchResult, choose_places, find_plans, search_variant, write_found
from builder.project.config import VariantSection
from builder.project.project import Project, open_project
from builder.project.sizes import expand, of_size
from builder.project.variants import choose_variants
from builder.steps.bundle import assemble_bundle
from builder.steps.export import export_file
from builder.steps.listener import Listener
from builder.steps.package import build_package
from builder.steps.source import SourceStep, export_source, warm_up
from builder.steps.step import Step, Working
from builder.steps.variant import (
    VariantStep,
    lower_variant,
    make_variant_step,
    plan_variant,
    require_packages,
    require_plans,
    require_proofs,
    warn_unproven,
)
from builder.storage.output import check_output, copy_into, replacing
from builder.suggest import did_you_mean
from builder.targets import TARGETS
from builder.targets.base import PackageOptions, PackageResult
from builder.threads import collect_results
from builder.workers.messages import ExportResult, VariantJob, VariantResult
from builder.workers.servers import warm
from builder.workers.supervisor import choose_kind

# Variants lowered side by side: each takes one to two cores and up to 3.5 GB.
WORKERS = 2


def convert(
    config: Path,
    *,
    out: Path,
    backends: Sequence[str] = (),
    listener: Listener,
    fresh: bool = False,
    keep_going: bool = False,
) -> Bundle:
    """Make the bundle of a builder.toml in the directory `out`; only steps whose inputs changed run again, all where `fresh`.

    Beside it `OUT.html` shows what the variants make of evaluation samples.
    `keep_going`: variants that fail are left out, and are the manifest's `failures`. Raises the first failure where all do.
    """
    project = open_project(config, fresh=fresh)
    check_output(out, "a bundle")
    beside = place_page(out)
    bundle, pictures = _make_bundle(project, choose_variants(project.config, backends), listener, keep_going=keep_going)
    with replacing(out, "a bundle") as work:
        copy_into(bundle.root, work)
    write_page(beside, pictures)
    return Bundle.open(out)


@dataclass(frozen=True, kw_only=True)
class Packaging:
    """What is packaged, a builder.toml or a bundle, for which target, and the directory of the packages."""

    source: Path
    target: str
    out: Path
    formats: tuple[str, ...] = ()
    options: PackageOptions = field(default_factory=PackageOptions)
    fresh: bool = False


def package(asked: Packaging, listener: Listener) -> PackageResult:
    """Make the packages of a target."""
    source, target, out, options = asked.source, asked.target, asked.out, asked.options
    if target not in TARGETS:
        raise ConfigError(f"unknown target {target!r}{did_you_mean(target, TARGETS)}")
    if options.runtime is not None and not TARGETS[target].RUNTIMES:
        TARGETS[target].takes(options.runtime, None)  # a target with a reason of its own says it
        raise ConfigError(
            f"packages for {target} have no choice of runtimes; leave out --runtime {options.runtime.name}."
        )
    check_output(out, "packages")
    with ExitStack() as stack:
        if is_bundle(source):
            bundle, project = stack.enter_context(open_bundle(source)), None
            refuse_edited(bundle.root)
            if _needs_section(target):
                listener.warn(
                    f"{source} is a bundle, so no [package.{target}] is read; package the folder of its builder.toml to use that section"
                )
        else:
            project = open_project(source, fresh=asked.fresh)
            artifacts = TARGETS[target].takes(options.runtime, project.config.package.of(target))
            variants = choose_variants(project.config, list_backends(artifacts))
            bundle = make_bundle(project, variants, listener)
        folder, result = build_package(bundle, project, target, asked.formats, options, listener)
        with replacing(out, "packages") as work:
            copy_into(folder, work)
    return PackageResult(files=tuple(out / file for file in result.files), findings=result.findings)


def _needs_section(target: str) -> bool:
    """Whether the section of a target says what no package should be without."""
    kind = TARGETS[target].load_section_kind()
    return kind is not None and any(field.is_required() for field in kind.model_fields.values())


def export(
    config: Path,
    *,
    formats: Sequence[str],
    dynamic: bool = False,
    out: Path,
    listener: Listener,
    fresh: bool = False,
) -> tuple[ExportResult, ...]:
    """Files of the source model for other runtimes in the directory `out`, with `exports.json`: what each is and its agreement."""
    for name in formats:
        if name not in FORMATS:
            raise ConfigError(f"unknown export format {name!r}{did_you_mean(name, FORMATS)}")
        if dynamic and name not in DYNAMIC:
            raise ConfigError(
                f"the format {name!r} has fixed sizes; leave out --dynamic, or export {' or '.join(DYNAMIC)}."
            )
    project = open_project(config, fresh=fresh)
    check_output(out, "exports")
    source = export_source(project, listener)
    results = []
    with replacing(out, "exports") as work:
        for name in dict.fromkeys(formats):
            folder, result = export_file(project, source, name, dynamic, listener)
            copy_into(folder, work)
            results.append(result)
        (work / EXPORTS).write_bytes(_EXPORTS.dump_json(tuple(results), indent=1) + b"\n")
    return tuple(results)


EXPORTS = "exports.json"
_EXPORTS = TypeAdapter(tuple[ExportResult, ...])


def search(
    config: Path, *, out: Path | None, listener: Listener, cluster: str | None = None, fresh: bool = False
) -> tuple[SearchResult, ...]:
    """The search of every variant that has one; with `out` its plan, and beside it the result as data and as a page.

    Trials run on the Dask cluster whose scheduler's address is `cluster`, or here.
    Several variants get `out` with their name added. Budgets that are not met leave no plan, but the data and the page.
    """
    project = open_project(config, fresh=fresh)
    sections = [section for section in project.config.variant if section.search is not None]
    if not sections:
        raise ConfigError("builder.toml has no variant with [variant.search]; add its budgets there.")
    if out is not None:
        check_output(out.parent / f".{out.name}.folder", "a bundle")  # its directory can be written
    targets = {s.name: choose_places(out, s.name if len(sections) > 1 else "") for s in sections} if out else {}
    require_packages(project, sections)
    require_proofs(sections)
    warm_up(project, sections)
    source = export_source(project, listener)
    results = []
    for section in sections:
        folder, result = search_variant(project, source, section, listener, cluster=cluster)
        if section.name in targets:
            write_found(folder, targets[section.name])
        results.append(result)
    return tuple(results)


def make_bundle(
    project: Project, sections: Sequence[VariantSection], listener: Listener, *, keep_going: bool = False
) -> Bundle:
    """The bundle of these variants, in the cache: every plan is checked before the first converter starts."""
    return _make_bundle(project, sections, listener, keep_going=keep_going)[0]


def _make_bundle(
    project: Project, sections: Sequence[VariantSection], listener: Listener, *, keep_going: bool
) -> tuple[Bundle, str | None]:
    """The bundle, and the page of what its variants make of evaluation samples."""
    require_packages(project, sections)
    require_proofs(sections)
    require_plans(project, sections)
    warm_up(project, sections)
    sections = expand(sections)
    source = export_source(project, listener)
    project = find_plans(project, source, sections, listener)
    by_size = {None: source} | {
        size: export_source(of_size(project, size), listener)
        for size in {section.size: None for section in sections}
        if size
    }
    sources = [by_size[section.size] for section in sections]
    plans = [plan_variant(project, made, section) for made, section in zip(sources, sections, strict=True)]
    planned = [
        make_variant_step(project, made, section, plan)
        for made, section, plan in zip(sources, sections, plans, strict=True)
    ]
    warm(list(dict.fromkeys(choose_kind(step.job) for step in planned if not step.is_kept)))
    stop = Event()
    with ThreadPoolExecutor(WORKERS) as pool:
        lower = partial(lower_variant, project, working=Working(listener=listener, stop=stop))
        attempt: Callable[..., VariantStep | _Failure] = partial(_or_failure, lower) if keep_going else lower
        work = list(zip(sources, sections, plans, strict=True))
        begun = {number: pool.submit(attempt, *work[number]) for number in in_turn(planned)}
        futures = [begun[number] for number in range(len(work))]
        try:
            results = collect_results(futures)
        except BaseException as error:  # one failed, or Ctrl-C: the others end now, not after minutes
            stop.set()
            pool.shutdown(cancel_futures=True)
            if isinstance(error, ConversionError | VerificationError):
                raise _add_kept(error, sections, futures) from error
            raise
    made = [(step, mine) for step, mine in zip(results, sources, strict=True) if isinstance(step, VariantStep)]
    failed = [found for found in results if isinstance(found, _Failure)]
    if not made:
        raise failed[0].error
    failures = tuple(failure.described for failure in failed)
    steps, origins = [step for step, _ in made], [mine for _, mine in made]
    warn_unproven(steps, listener)
    return assemble_bundle(project, source, steps, origins, failures), make_evaluation_page(project, steps, origins)


@dataclass(frozen=True, kw_only=True)
class _Failure:
    described: FailedVariant
    error: EdgebundleError


def _or_failure(
    lower: Callable[..., VariantStep], source: SourceStep, section: VariantSection, plan: SupportedPlan
) -> VariantStep | _Failure:
    try:
        return lower(source, section, plan)
    except (ConversionError, VerificationError) as error:
        return _Failure(
            described=FailedVariant(
                id=section.name, backend=section.backend, delegate=section.delegate, reason=str(error)
            ),
            error=error,
        )


def _add_kept(
    error: EdgebundleError, sections: Sequence[VariantSection], futures: Sequence[Future[VariantStep | _Failure]]
) -> EdgebundleError:
    """The same error, saying what need not be made again."""
    made = [
        section.name
        for section, future in zip(sections, futures, strict=True)
        if future.done() and not future.cancelled() and future.exception() is None
    ]
    if not made:
        return error
    names = ", ".join(repr(name) for name in made)
    return type(error)(f"{error}\n  {names}: made and kept; --keep-going writes the bundle without what failed.")


def in_turn(steps: Sequence[Step[VariantResult]]) -> list[int]:
    """Numbers of the steps in the order to begin them: of those that share their conversion one comes first, and makes it for the others."""
    seen: Counter[str] = Counter()
    turns = []
    for number, step in enumerate(steps):
        shared = step.job.keys.floats if isinstance(step.job, VariantJob) else step.key
        turns.append((seen[shared], number))
        seen[shared] += 1
    return [number for _, number in sorted(turns)]
