"""One variant on the page: its plan as it is, the plans that were tried beside it, and what others would measure."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Lock

from builder.bundle import hash_tree
from builder.errors import ConfigError, InputError
from builder.pipeline.studio.pictures import Pictures
from builder.pipeline.studio.timing import Timer, Untimed
from builder.pipeline.studio.view import Figures, LayerView, Times, TrialView, VariantView
from builder.plan_search.goal import Measures
from builder.plan_search.predict import Prediction, estimate_work, predict, predict_alone
from builder.plan_search.simulation import Noise
from builder.plan_search.space import Choice, Space, make_space
from builder.plan_search.trials import Exporter
from builder.precision.layers import LayerTable
from builder.precision.plan import make_uniform_plan
from builder.precision.presets import PREFIX
from builder.precision.scheme import parse_scheme
from builder.project.config import VariantSection
from builder.project.project import Project
from builder.steps.bundle import write_bundle
from builder.steps.source import SourceStep
from builder.steps.variant import VariantStep, plan_variant


@dataclass(kw_only=True)
class _Trial:
    """A plan that is exported, was, or failed."""

    what: str
    choice: Choice
    seconds: float | None = None
    measures: Measures | None = None
    failure: str | None = None
    times: Times | str | None = None


@dataclass(kw_only=True)
class Bench:
    """`fixed` says why no scheme of it can be changed. Trials are exported one at a time by `export`, on any thread."""

    section: VariantSection
    table: LayerTable
    exporter: Exporter
    start: Choice
    space: Space | None
    fixed: str | None
    plan_name: str
    simulated: Noise | None = None
    simulating: bool = True
    _trials: list[_Trial] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def begin(self, choice: Choice, what: str) -> int | None:
        """The place of a new trial; None where this plan was tried already, and is not tried again."""
        with self._lock:
            if any(trial.choice == choice and trial.failure is None for trial in self._trials):
                return None
            self._trials.append(_Trial(what=what, choice=choice))
            return len(self._trials) - 1

    def export(self, place: int) -> None:
        """An ordinary trial of a search: what was exported before is only read. Raises Interrupted."""
        trial, began = self._trials[place], time.monotonic()
        try:
            (outcome,) = self.exporter.measure([trial.choice])
        except ConfigError as error:
            outcome = str(error)
        with self._lock:
            trial.seconds = round(time.monotonic() - began, 1)
            if isinstance(outcome, Measures):
                trial.measures = outcome
            else:
                trial.failure = outcome

    def time(self, place: int, timer: Timer) -> None:
        """Milliseconds by layer of an exported plan, or why there are none. Raises Interrupted."""
        trial = self._trials[place]
        if (step := self.exporter.steps.get(trial.choice)) is None:
            return
        try:
            times: Times | str = timer.measure(
                hash_tree(step.folder / step.result.artifact), self.section.name, partial(self._bundle, step)
            )
        except Untimed as error:
            times = str(error)
        with self._lock:
            trial.times = times

    def _bundle(self, step: VariantStep, work: Path) -> Path:
        """Of this one artifact, for the harness; the plan's text in it plays no part there."""
        root = work / "bundle"
        root.mkdir()
        source = self.exporter.source
        project = replace(self.exporter.project, found={step.section.name: make_uniform_plan("fp32")})
        write_bundle(project, source, [step], [source], root)
        return root

    def choice(self, schemes: tuple[str, ...]) -> Choice:
        """The plan with these schemes. Raises InputError for one that cannot be meant."""
        if self.space is None:
            raise InputError(f"variant {self.section.name!r}: {self.fixed}.")
        if len(schemes) != len(self.space.names):
            raise InputError(f"{len(schemes)} schemes for {len(self.space.names)} layers; load the page again.")
        for name, scheme, options, now in zip(
            self.space.names, schemes, self.space.options, self.start.schemes, strict=True
        ):
            if scheme not in options and scheme != now:
                raise InputError(
                    f"layer {name!r} cannot be {scheme!r} on {self.section.backend}; it can be {', '.join(options)}."
                )
        return self.start.with_schemes(schemes)

    def measures(self) -> dict[Choice, Measures]:
        with self._lock:
            return {trial.choice: trial.measures for trial in self._trials if trial.measures is not None}

    def predict(self, choice: Choice) -> Prediction | None:
        """None until something was measured."""
        known = self.measures()
        return predict(choice, known, self.table, self.simulated) if known else None

    def view(self, pictures: Pictures, source: SourceStep) -> VariantView:
        trials = tuple(self._trial(number, trial, pictures, source) for number, trial in enumerate([*self._trials], 1))
        macs = max(sum(layer.macs for layer in self.table.layers), 1)
        realised = next((trial.realised for trial in trials if trial.schemes == self.start.schemes), {})
        layers = []
        for place, layer in enumerate(self.table.layers):
            now = self.start.schemes[place]
            options = () if self.space is None else tuple(dict.fromkeys((*self.space.options[place], now)))
            damages = {scheme: predict_alone(scheme, place, self.simulated) for scheme in options}
            layers.append(
                LayerView(
                    name=layer.name,
                    op=layer.op,
                    scheme=now,
                    realised=realised.get(layer.name),
                    weight_bytes=parse_scheme(now, where="a plan").count_weight_bytes(layer.weight_shape),
                    work=round(layer.macs / macs, 4),
                    options=options,
                    alone_db={scheme: round(db, 1) for scheme, db in damages.items() if db is not None},
                )
            )
        return VariantView(
            id=self.section.name, backend=self.section.backend, delegate=self.section.delegate, layers=tuple(layers),
            trials=trials, plan=None if self.fixed else self.plan_name, fixed=self.fixed, simulating=self.simulating and self.fixed is None,
        )  # fmt: skip

    def _trial(self, number: int, trial: _Trial, pictures: Pictures, source: SourceStep) -> TrialView:
        done, step = trial.measures, self.exporter.steps.get(trial.choice)
        file = self.exporter.picture(trial.choice) if done else None
        return TrialView(
            number=number,
            what=trial.what,
            schemes=trial.choice.schemes,
            state="failed" if trial.failure else "done" if done else "running",
            seconds=trial.seconds,
            failure=trial.failure,
            realised={row.layer: row.realised for row in step.result.layers} if step and done else {},
            picture=pictures.add(self.section.name, file, find_reference(source)) if file else None,
            times=trial.times if isinstance(trial.times, Times) else None,
            untimed=trial.times if isinstance(trial.times, str) else None,
            figures=None
            if done is None
            else Figures(
                bytes=done.bytes, psnr_db=done.psnr_db, psnr_db_mean=done.psnr_db_mean, ssim=done.ssim,
                work=round(estimate_work(trial.choice, self.table), 3), delegated=done.delegated,
            ),
        )  # fmt: skip


def find_reference(source: SourceStep) -> Path | None:
    """The picture that the source model gives for the first sample; None where it gives none."""
    first = source.result.golden_references[0] if source.result.golden_references else ()
    return next((source.folder / tensor.file for tensor in first if tensor.encoding == "png"), None)


def make_bench(project: Project, source: SourceStep, section: VariantSection, exporter: Exporter) -> Bench:
    """Of a variant of builder.toml; one whose plan is searched starts from floats. Raises ConfigError for a plan that its backend refuses."""
    table = source.result.layers
    space, fixed = None, None
    try:
        space = make_space(table, section, calibrated=bool(project.data.calibration))
    except ConfigError as error:
        fixed = str(error).rstrip(".")
    if section.search is not None and space is not None:
        start = Choice(schemes=space.uniform("fp32"))
    else:
        plan = plan_variant(project, source, section).plan
        names = table.names()
        start = Choice(
            schemes=tuple(plan.scheme(name).name for name in names), settings=plan.calibration, between=plan.between
        )
        if plan.norms(table):
            space, fixed = None, "its plan names norms, which this page does not write"
    own = section.plan is not None and not section.plan.startswith(PREFIX)
    return Bench(
        section=section, table=table, exporter=exporter, start=start, space=space, fixed=fixed,
        plan_name=section.plan if own and section.plan else f"{section.name}.plan.toml",
    )  # fmt: skip
