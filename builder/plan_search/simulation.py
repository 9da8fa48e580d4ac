"""The noise that each layer alone adds in each scheme, simulated once on the source model; it orders trials and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from builder.errors import ConversionError
from builder.plan_search.space import Space
from builder.precision.scheme import parse_scheme
from builder.precision.sensitivity import LARGEST_MACS, count_simulated_macs, list_roundings
from builder.project.project import Project
from builder.steps.listener import Listener
from builder.steps.source import SourceStep
from builder.steps.step import Step, Working, run_step
from builder.workers.messages import SensitivityJob, SensitivityResult

Noise = dict[str, tuple[float, ...]]
"""By scheme, a value for each layer in order."""


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """The simulation of one source model on its first sample; a second search reads what was found."""

    project: Project
    source: SourceStep
    working: Working

    def noise(self, space: Space, what: str, listener: Listener) -> Noise | None:
        """None for a network that is too large, and, with a warning, for one that cannot be simulated. Raises Interrupted."""
        known = [parse_scheme(name, where="search") for name in space.schemes]
        wanted = [scheme for scheme in known if list_roundings(scheme)]
        if not wanted or count_simulated_macs(self.source.result.layers, wanted) > LARGEST_MACS:
            return None
        file = (self.project.data.calibration or self.project.data.evaluation)[0]
        step = Step(
            kind="sensitivity",
            what="the simulation",
            content={"source": self.source.key, "sample": file.sha256, "schemes": [s.name for s in wanted]},
            job=SensitivityJob(
                source=self.source.folder, sample=file.path, schemes=tuple(scheme.name for scheme in wanted)
            ),
            result=SensitivityResult,
        )
        try:
            return run_step(step, self.project, self.working).noise
        except ConversionError as error:
            listener.warn(f"{what}: trials are ordered without a simulation of its layers, which failed: {error}")
            return None
