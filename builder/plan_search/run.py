"""One search from a variant of builder.toml to a kept result; a second one with equal inputs only reads it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event

from builder.backends import BACKENDS
from builder.bundle import hash_file
from builder.errors import ConfigError, ConversionError, VerificationError
from builder.plan_search.cost import INSTRUCTIONS, LATENCY, CostMeter, MacCost, measure_name
from builder.plan_search.goal import Goal
from builder.plan_search.ledger import COUNTED_MACS
from builder.plan_search.measured import ARM64, Harness, InstructionCost, LatencyCost, hash_harness
from builder.plan_search.page import render_page
from builder.plan_search.result import LayerDamage, SearchResult, explain_unmet, find_curve, find_nearest
from builder.plan_search.simulation import Simulation
from builder.plan_search.space import Space, make_space, plan_of, plan_text
from builder.plan_search.strategy import Damage, Search
from builder.plan_search.trials import PARALLEL, Exporter, Trial
from builder.precision.plan import PlanFile, load_plan, resolve
from builder.precision.scheme import parse_scheme
from builder.project.budgets import SearchSection
from builder.project.config import VariantSection
from builder.project.project import Project
from builder.quality.perceptual import require_packages
from builder.steps.listener import Listener, Silent
from builder.steps.source import SourceStep
from builder.steps.step import Working
from builder.steps.variant import VariantStep, lower_variant, plan_variant
from builder.storage.cache import keep_entry, make_content_key, read_versions
from builder.workers.cluster import Cluster
from builder.workers.supervisor import run_job

RESULT, PLAN, PAGE = "result.json", "plan.toml", "page.html"


def find_plans(project: Project, source: SourceStep, sections: Sequence[VariantSection], listener: Listener) -> Project:
    """The project with the plan of every searched variant. Raises VerificationError where budgets are not met."""
    plans: dict[str, PlanFile] = {}
    for section in sections:
        if section.search is not None:
            folder, result = search_variant(project, source, section, listener)
            if result.chosen is None:
                raise VerificationError(explain_unmet(result))
            plans[section.name] = load_plan(folder / PLAN)
    return replace(project, found=plans)


@dataclass(frozen=True, kw_only=True)
class _Task:
    """One search: the variant with its budgets, what may be tried, and what its cost is called (None where no budget speaks of it)."""

    project: Project
    source: SourceStep
    section: VariantSection
    budgets: SearchSection
    space: Space
    cost_name: str | None

    @property
    def what(self) -> str:
        return f"search of variant {self.section.name!r}"

    @property
    def key(self) -> str:
        search = self.budgets
        lpips = self.project.folder / search.lpips if search.needs_perceptual and search.lpips else None
        return make_content_key(
            {
                "source": self.source.key,
                "section": self.section.model_dump(mode="json"),
                "calibration": [file.sha256 for file in self.project.data.calibration],
                "versions": read_versions(BACKENDS[self.section.backend].SPEC.packages),
                "cost": [self.cost_name, hash_harness()] if self.cost_name else None,
                "lpips": hash_file(lpips) if lpips else None,
            }
        )


def search_variant(
    project: Project, source: SourceStep, section: VariantSection, listener: Listener, *, cluster: str | None = None
) -> tuple[Path, SearchResult]:
    """The result of a variant's search and its directory: `result.json`, `page.html` and, when budgets are met, `plan.toml`.

    `cluster`: address of a Dask scheduler whose workers do the trials.

    Raises ConfigError, ConversionError when no stock recipe can be exported, Interrupted.
    """
    search = section.search
    if search is None:
        raise ConfigError(f"variant {section.name!r} has no [variant.search] in builder.toml.")
    if search.needs_perceptual:
        require_packages(project.folder / search.lpips if search.lpips else None)
    backend = BACKENDS[section.backend]
    task = _Task(
        project=project,
        source=source,
        section=section,
        budgets=search,
        space=make_space(source.result.layers, section, calibrated=bool(project.data.calibration)),
        cost_name=measure_name(backend.SPEC, search.device, section.delegate) if search.needs_cost else None,
    )
    key = task.key

    def make(work: Path) -> None:
        finished, exporter = _search(task, listener, cluster)
        _write(task, finished, exporter, work)

    folder, cached = keep_entry("search", key, make, forget=project.fresh.first("search", key))
    listener.finish(task.what, cached=cached)
    return folder, SearchResult.model_validate_json((folder / RESULT).read_text(encoding="utf-8"))


def _search(task: _Task, listener: Listener, cluster: str | None) -> tuple[Search, Exporter]:
    """The search, run to its end, and what has exported its trials."""
    goal = Goal.of(task.budgets)

    def tell(count: int, best: Trial | None) -> None:
        so_far = f"best {best.measures.describe()}" if best and best.measures else "none measured"
        short = "" if best and best.measures and goal.is_met(best.measures) else " (budgets not met yet)"
        listener.stage(task.what, f"trial {count} of at most {task.budgets.max_trials}; {so_far}{short}")

    stop = Event()
    tell(0, None)
    with Cluster(cluster) if cluster else nullcontext() as remote:
        run, parallel = (remote.run, remote.size) if remote else (run_job, PARALLEL)
        working = Working(listener=Silent(), stop=stop, run=run)
        cost = _make_cost_meter(task, working, stop)
        if isinstance(cost, InstructionCost):
            cost.begin()
        exporter = Exporter(
            project=task.project,
            source=task.source,
            section=task.section,
            cost=cost,
            run=run,
            stop=stop,
            parallel=parallel,
        )
        calibrated = bool(task.project.data.calibration)
        simulation = Simulation(project=task.project, source=task.source, working=working)
        threads = ThreadPoolExecutor(1)
        simulated = threads.submit(simulation.noise, task.space, task.what, listener)
        threads.shutdown(wait=False)
        search = Search(
            space=task.space,
            table=task.source.result.layers,
            goal=goal,
            measure=exporter.measure,
            allowed=exporter.is_allowed,
            count=None if cost is None or isinstance(cost, MacCost) else exporter.count,
            most_macs=COUNTED_MACS,
            tune=calibrated,
            between=calibrated and "static_wi8_ai8" in BACKENDS[task.section.backend].SPEC.between,
            simulated=simulated.result,
            parallel=parallel,
            max_trials=task.budgets.max_trials,
            told=tell,
        )
        try:
            search.run()
        finally:
            stop.set()  # a count or a simulation that goes on in the background
    return search, exporter


def _write(task: _Task, search: Search, exporter: Exporter, work: Path) -> None:
    """The result, its page, and the plan where budgets are met. Raises ConfigError and ConversionError where nothing was measured."""
    best = search.best()
    if best is None:
        raise _make_nothing_error(task, search)
    result = _result(task, search, best)
    pictures = {t.number: p for t in search.trials if (p := exporter.picture(t.choice)) is not None}
    references = task.source.result.golden_references
    reference = (
        next((task.source.folder / t.file for t in references[0] if t.encoding == "png"), None) if references else None
    )
    (work / RESULT).write_text(result.model_dump_json(indent=1), encoding="utf-8")
    (work / PAGE).write_text(render_page(result, pictures, reference), encoding="utf-8")
    if result.plan is not None:
        (work / PLAN).write_text(result.plan, encoding="utf-8")
        _same(task.source, work / PLAN, best)


def _make_nothing_error(task: _Task, search: Search) -> ConfigError | ConversionError:
    failed = next((trial.failure for trial in search.trials if trial.failure), None)
    if failed is None:
        return ConfigError(
            f"{task.what}: no plan of the schemes {', '.join(task.space.schemes)} can be made for this network on {task.section.backend}; "
            "add fp32 to 'schemes' in [variant.search]."
        )
    return ConversionError(f"{task.what} measured nothing: {failed}")


def _result(task: _Task, search: Search, best: Trial) -> SearchResult:
    goal = search.goal  # with the coverage that it holds
    met = best.measures is not None and goal.is_met(best.measures)
    small, good = (None, None) if met else find_nearest(search.trials, goal)
    return SearchResult(
        variant=task.section.name,
        backend=task.section.backend,
        delegate=task.section.delegate,
        budgets=task.budgets,
        cost=task.cost_name,
        layers=task.space.names,
        chosen=best.number if met else None,
        nearest_small=small,
        nearest_good=good,
        curve=find_curve(search.trials, goal),
        damage=tuple(LayerDamage(**asdict(d), noise_per_byte=d.noise_per_byte) for d in search.damages),
        trials=tuple(search.trials),
        plan=_plan(task.section, search, best) if met else None,
        coverage=round(1 - goal.limits["left"], 4) if "left" in goal.limits else None,
    )


def _make_cost_meter(task: _Task, working: Working, stop: Event) -> CostMeter | None:
    project, source, section, name = task.project, task.source, task.section, task.cost_name
    if name is None:
        return None
    if name != INSTRUCTIONS and not name.startswith(LATENCY):
        return MacCost(layers=source.result.layers)
    floats = VariantSection(backend=section.backend, delegate=section.delegate, id=section.name, scheme="fp32")
    plan = plan_variant(project, source, floats)
    device = task.budgets.device if name != INSTRUCTIONS else None
    harness = Harness(project=project, source=source, device=device or ARM64, stop=stop)

    def export() -> VariantStep:
        return lower_variant(project, source, floats, plan, working)

    if device is None:
        return InstructionCost(harness=harness, floats=export)
    return LatencyCost(harness=harness, floats=export)


def _plan(section: VariantSection, search: Search, best: Trial) -> str:
    """The plan as a file, with the reason beside every layer that is kept above the common scheme."""
    plan = plan_of(search.space.names, best.choice)
    width = {name: _width(name) for name in search.space.schemes}
    common = plan.rule[0].scheme
    by_layer: dict[str, Damage] = {name: d for d in search.damages for name in d.layers}
    place = {name: number + 1 for number, d in enumerate(search.damages) for name in d.layers}
    why: dict[str, str] = {}
    for rule in plan.rule[1:]:
        name = (rule.match or "").replace("\\", "")
        damage = by_layer.get(name)
        if damage is None:
            continue
        if damage.bytes_saved <= 0 and width[rule.scheme] > width[common]:
            why[rule.match or ""] = f"{rule.scheme} kept high: {damage.low} saves no byte here"
            continue
        kept = "lowered" if width[rule.scheme] < width[common] else "kept high"
        group = f"{', '.join(damage.layers)} alone" if len(damage.layers) > 1 else "it alone"
        why[rule.match or ""] = (
            f"{rule.scheme} {kept}: {'' if damage.measured else 'about '}{damage.psnr_db:.1f} dB with {group} in {damage.low}, "
            f"place {place[name]} of {len(search.damages)} by damage per byte saved"
        )
    budgets = section.search.model_dump(exclude_none=True, exclude={"max_trials"}) if section.search else {}
    title = [
        f"Found by 'builder search' for variant {section.name}: {best.measures.describe() if best.measures else ''}.",
        f"Budgets: {', '.join(f'{name} = {value}' for name, value in budgets.items())}; trial {best.number} of {len(search.trials)}.",
    ]
    return plan_text(plan, title, why)


def _width(scheme_name: str) -> tuple[int, int]:
    """Precision of weights, then of arithmetic: floats, 16 bits, then 8 bits with floats between the layers, and without."""
    scheme = parse_scheme(scheme_name, where="plan")
    arithmetic = {"dynamic": 2, "static": 3 if scheme.activation_bits == 16 else 1}
    return scheme.weight_bits, arithmetic.get(scheme.mode, 4)


def _same(source: SourceStep, path: Path, best: Trial) -> None:
    """The written plan gives every layer what the trial had."""
    resolved = resolve(load_plan(path), source.result.layers, where=path.name)
    got = tuple(resolved.scheme(name).name for name in source.result.layers.names())
    if (got, resolved.calibration, resolved.between) != (best.schemes, best.settings, best.between):
        raise VerificationError("the plan that was found cannot be written as rules; report this with the model.")
