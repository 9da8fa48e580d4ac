"""A trial is a plan whose artifact was exported, read back, and run on the held-out data; each is kept by content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from builder.backends import BACKENDS
from builder.backends.support import SupportedPlan, check_support
from builder.bundle import count_tree_bytes
from builder.errors import ConfigError, ConversionError, VerificationError
from builder.plan_search.cost import CostMeter, MacCost
from builder.plan_search.goal import Measures
from builder.plan_search.space import Choice, Schemes, plan_of
from builder.precision.plan import Between, resolve
from builder.precision.ranges import PLAIN, CalibrationSettings
from builder.project.config import VariantSection
from builder.project.project import Project
from builder.steps.listener import Silent
from builder.steps.source import SourceStep
from builder.steps.step import Working
from builder.steps.variant import VariantStep, lower_variant
from builder.threads import collect_results
from builder.workers.messages import PerceptualRequest
from builder.workers.supervisor import RunJob, run_job

# A core each on the smallest machine; more would hold the network more often.
PARALLEL = 2
Result = TypeVar("Result")

Origin = Literal["uniform", "settings", "one layer lowered", "search"]


class Trial(BaseModel):
    """One plan and what became of it: `measures`, or the sentence of its failure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    origin: Origin
    what: str
    schemes: tuple[str, ...]
    settings: CalibrationSettings = PLAIN
    between: Between = "float"
    measures: Measures | None
    failure: str | None

    @property
    def choice(self) -> Choice:
        return Choice(schemes=self.schemes, settings=self.settings, between=self.between)


@dataclass(kw_only=True)
class Exporter:
    """Measures plans of one searched variant, `parallel` at a time by `run`; an earlier search's trials are only read.

    Setting `stop` from another thread ends it. `steps` are the artifacts of the plans that were measured.
    """

    project: Project
    source: SourceStep
    section: VariantSection
    cost: CostMeter | None = None
    run: RunJob = run_job
    stop: Event = field(default_factory=Event)
    parallel: int = PARALLEL
    steps: dict[Choice, VariantStep] = field(default_factory=dict)

    @property
    def _perceptual(self) -> PerceptualRequest | None:
        search = self.section.search
        if search is None or not search.needs_perceptual:
            return None
        return PerceptualRequest(lpips=self.project.folder / search.lpips if search.lpips else None)

    def measure(self, plans: Sequence[Choice]) -> list[Measures | str]:
        """Measures, or the failure's sentence, of every plan in order; cost only where it is a sum of MACs. Raises Interrupted."""
        return self._each(self._one, plans)

    def count(self, plans: Sequence[Choice]) -> list[float | str]:
        """Cost, or the failure's sentence, of plans that were measured. Raises Interrupted."""
        return self._each(self._count, plans)

    def _each(self, work: Callable[[Choice], Result], plans: Sequence[Choice]) -> list[Result]:
        with ThreadPoolExecutor(self.parallel) as threads:
            try:
                return collect_results([threads.submit(work, plan) for plan in plans])
            except BaseException:  # Ctrl-C: the others end now
                self.stop.set()
                threads.shutdown(cancel_futures=True)
                raise

    def _count(self, choice: Choice) -> float | str:
        if self.cost is None:
            return "no budget asks for cost"
        try:
            return self.cost.ratio(self.steps[choice], choice.schemes)
        except (ConversionError, VerificationError) as error:
            return str(error)

    def _one(self, choice: Choice) -> Measures | str:
        supported = self._find_supported(choice)
        try:
            working = Working(listener=Silent(), stop=self.stop, run=self.run)
            step = lower_variant(self.project, self.source, self.section, supported, working, self._perceptual)
        except (ConversionError, VerificationError) as error:
            return str(error)
        self.steps[choice] = step
        quality = step.result.quality
        if quality.psnr_db_worst is None or quality.psnr_db_mean is None:
            return f"its quality is not known: {step.result.unproven}"
        return Measures(
            psnr_db=quality.psnr_db_worst,
            psnr_db_mean=quality.psnr_db_mean,
            ssim=quality.ssim_worst,
            ssim_mean=quality.ssim_mean,
            perceptual=step.result.perceptual,
            top1=quality.top1_agreement,
            bytes=count_tree_bytes(step.folder / step.result.artifact),
            cost=self.cost.ratio(step, choice.schemes) if isinstance(self.cost, MacCost) else None,
            delegated=step.result.coverage.mac_share,
        )

    def is_allowed(self, schemes: Schemes) -> bool:
        """Whether the backend has each layer's scheme beside the others'."""
        try:
            self._find_supported(Choice(schemes=schemes))
        except ConfigError:
            return False
        return True

    def _find_supported(self, choice: Choice) -> SupportedPlan:
        table, section = self.source.result.layers, self.section
        where = f"a trial of variant {section.name!r}"
        resolved = resolve(plan_of(table.names(), choice), table, where=where)
        support = check_support(resolved, table, BACKENDS[section.backend], section.delegate, where=where)
        section.options.check(support.plan)
        return support

    def picture(self, choice: Choice) -> Path | None:
        """The first picture that the plan's artifact gave for the first evaluation sample."""
        step = self.steps.get(choice)
        if step is None:
            return None
        goldens = step.result.golden_outputs
        return next((step.folder / t.file for t in (goldens[0] if goldens else ()) if t.encoding == "png"), None)
