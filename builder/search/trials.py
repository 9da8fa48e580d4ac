"""A trial is a plan whose artifact was exported, read back, and run on the held-out data; each is kept by content."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Literal

from pydantic import BaseModel, ConfigDict

from builder.backends import BACKENDS
from builder.bundle import tree_bytes
from builder.config import VariantSection
from builder.errors import ConfigError, ConversionError, VerificationError
from builder.pool import WorkerPool
from builder.precision.plan import resolve
from builder.project import Project
from builder.search.cost import CostMeter
from builder.search.goal import Measures
from builder.search.space import Schemes, plan_of
from builder.steps import Silent, SourceStep, VariantStep, lower_variant
from builder.support import SupportedPlan, check_support

PARALLEL = 2

Origin = Literal["uniform", "one layer lowered", "search"]


class Trial(BaseModel):
    """One plan and what became of it: `measures`, or the sentence of its failure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    origin: Origin
    what: str
    schemes: tuple[str, ...]
    measures: Measures | None
    failure: str | None


class Exporter:
    """Measures plans of one searched variant, `PARALLEL` at a time; an earlier search's trials are only read."""

    def __init__(
        self,
        project: Project,
        source: SourceStep,
        section: VariantSection,
        cost: CostMeter | None,
        pool: WorkerPool,
        stop: Event,
    ) -> None:
        self._project, self._source, self._section = project, source, section
        self._cost, self._pool, self._stop = cost, pool, stop
        self.steps: dict[Schemes, VariantStep] = {}

    def measure(self, plans: Sequence[Schemes], *, with_cost: bool = True) -> list[Measures | str]:
        """Measures, or the failure's sentence, of every plan in order. Raises Interrupted."""
        with ThreadPoolExecutor(PARALLEL) as threads:
            try:
                return list(threads.map(lambda plan: self._one(plan, with_cost=with_cost), plans))
            except BaseException:  # Ctrl-C: the others end now
                self._stop.set()
                threads.shutdown(cancel_futures=True)
                raise

    def _one(self, schemes: Schemes, *, with_cost: bool) -> Measures | str:
        supported = self._supported(schemes)
        try:
            step = lower_variant(
                self._project, self._source, self._section, supported, Silent(), self._stop, self._pool.run
            )
            cost = self._cost.ratio(step, schemes) if self._cost is not None and with_cost else None
        except (ConversionError, VerificationError) as error:
            return str(error)
        self.steps[schemes] = step
        quality = step.result.quality
        return Measures(
            psnr_db=quality.psnr_db_worst,
            psnr_db_mean=quality.psnr_db_mean,
            ssim=quality.ssim_worst,
            ssim_mean=quality.ssim_mean,
            top1=quality.top1_agreement,
            bytes=tree_bytes(step.folder / step.result.artifact),
            cost=cost,
        )

    def allowed(self, schemes: Schemes) -> bool:
        """Whether the backend has each layer's scheme beside the others'."""
        try:
            self._supported(schemes)
        except ConfigError:
            return False
        return True

    def _supported(self, schemes: Schemes) -> SupportedPlan:
        table, section = self._source.result.layers, self._section
        where = f"a trial of variant {section.name!r}"
        resolved = resolve(plan_of(table.names(), schemes), table, where=where)
        return check_support(resolved, table, BACKENDS[section.backend], section.delegate, where=where)

    def picture(self, schemes: Schemes) -> Path | None:
        """The first picture that the plan's artifact gave for the first evaluation sample."""
        step = self.steps.get(schemes)
        if step is None:
            return None
        goldens = step.result.golden_outputs
        return next((step.folder / t.file for t in (goldens[0] if goldens else ()) if t.encoding == "png"), None)
