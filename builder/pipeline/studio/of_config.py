"""A builder.toml as the page shows it: its variants, trials beside them, and plan files that are written."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

from builder.bundle import hash_file
from builder.errors import ConfigError, InputError, Interrupted, OutputError
from builder.pipeline.studio.bench import Bench, find_reference, make_bench
from builder.pipeline.studio.pictures import Pictures
from builder.pipeline.studio.timing import Timer
from builder.pipeline.studio.view import Figures, StudioView
from builder.pipeline.studio.write import plan_with
from builder.plan_search.simulation import Simulation
from builder.plan_search.trials import Exporter
from builder.precision.plan import load_plan, resolve
from builder.project.config import VariantSection
from builder.project.project import open_project
from builder.project.variants import choose_variants
from builder.steps.listener import Listener, Silent
from builder.steps.source import export_source
from builder.steps.step import Working
from builder.steps.variant import require_packages
from builder.storage.cache import replace_text
from builder.workers.supervisor import run_job

# Trials; whoever clicks more often than that has lost the overview.
MOST_WAITING = 8


class ConfigDesk:
    """Exports in a thread of its own, one plan after the other: first those of builder.toml, then what is asked for."""

    def __init__(self, config: Path, backends: Sequence[str], listener: Listener) -> None:
        self.pictures = Pictures()
        self._stop = Event()
        self._timer = Timer(stop=self._stop)
        self._project = open_project(config)
        chosen = choose_variants(self._project.config, backends)
        sections = [section for section in chosen if section.size is None and section.sizes is None]
        self._left = tuple(
            f"{section.name} has sizes of its own and is left out" for section in chosen if section not in sections
        )
        if not sections:
            raise ConfigError(f"{self._left[0]}; the studio shows variants of the input's own size.")
        require_packages(self._project, sections)
        self._source = export_source(self._project, listener)
        self._benches = {section.name: self._bench(section) for section in sections}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="studio")
        self._read: dict[str, str | None] = {
            name: self._hash(bench.plan_name) for name, bench in self._benches.items() if bench.fixed is None
        }
        for name, bench in self._benches.items():
            self._later(name, bench.begin(bench.start, "builder.toml"))
        self._thread.submit(self._simulate)

    def _bench(self, section: VariantSection) -> Bench:
        exporter = Exporter(project=self._project, source=self._source, section=section, stop=self._stop, parallel=1)
        return make_bench(self._project, self._source, section, exporter)

    def view(self) -> StudioView:
        reference = find_reference(self._source)
        return StudioView(
            title=self._project.config.model.name,
            source=f"{self._project.folder.name}/builder.toml",
            kind="config",
            reference=self.pictures.add("the source model", reference, None) if reference else None,
            variants=tuple(bench.view(self.pictures, self._source) for bench in self._benches.values()),
            left_out=self._left,
        )

    def predict(self, variant: str, schemes: tuple[str, ...]) -> Figures:
        """What the plan would measure. Raises InputError, also while nothing was measured yet."""
        bench = self._make_bench(variant)
        prediction = bench.predict(bench.choice(schemes))
        if prediction is None:
            raise InputError(f"nothing of variant {variant!r} is measured yet; wait for its first export.")
        return Figures(
            bytes=prediction.bytes,
            psnr_db=None if prediction.psnr_db is None else round(prediction.psnr_db, 1),
            work=round(prediction.work, 3),
            measured=prediction.measured,
        )

    def try_plan(self, variant: str, schemes: tuple[str, ...]) -> None:
        """Export and measure it, if that was not done before. Raises InputError, also when too many wait."""
        bench = self._make_bench(variant)
        choice = bench.choice(schemes)
        waiting = sum(trial.state == "running" for view in self.view().variants for trial in view.trials)
        if waiting >= MOST_WAITING:
            raise InputError(f"{waiting} plans wait; try again when some of them are done.")
        changed = sum(a != b for a, b in zip(schemes, bench.start.schemes, strict=True))
        self._later(variant, bench.begin(choice, f"{changed} {'layer' if changed == 1 else 'layers'} changed"))

    def write(self, variant: str, schemes: tuple[str, ...]) -> str:
        """Replace the variant's plan file; the name of it, and what builder.toml must say where it does not name it yet.

        Raises InputError for a file that somebody else changed since this session read it, OutputError when it cannot be written.
        """
        bench = self._make_bench(variant)
        choice = bench.choice(schemes)
        path = self._project.folder / bench.plan_name
        if self._hash(bench.plan_name) != self._read[variant]:
            raise InputError(f"{path.name} was changed by another program; start 'builder studio' again to see it.")
        old = load_plan(path) if path.is_file() and bench.section.plan else None
        text = plan_with(choice, bench.table, old, path.read_text(encoding="utf-8") if old else "")
        try:
            replace_text(path, text)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
        resolved = resolve(load_plan(path), bench.table, where=path.name)
        if tuple(resolved.scheme(name).name for name in bench.table.names()) != schemes:
            raise OutputError(f"{path.name} does not say what was chosen; report this with the file.")
        self._read[variant] = self._hash(bench.plan_name)
        if bench.section.plan == bench.plan_name:
            bench.start = choice  # what builder.toml means from now on, for every tab and after a reload
            return f"{path.name} is written; 'builder convert' takes it."
        was = "the search" if bench.section.search else f'scheme = "{bench.section.scheme}"'
        was = was if bench.section.plan is None else f'plan = "{bench.section.plan}"'
        return f'{path.name} is written; in builder.toml write plan = "{path.name}" for variant {variant} instead of {was}.'

    def close(self) -> None:
        """Ends what is exported; what was exported is in the cache."""
        self._stop.set()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _make_bench(self, variant: str) -> Bench:
        if variant not in self._benches:
            raise InputError(f"there is no variant {variant!r}; load the page again.")
        return self._benches[variant]

    def _hash(self, name: str) -> str | None:
        path = self._project.folder / name
        return hash_file(path) if path.is_file() else None

    def _later(self, variant: str, place: int | None) -> None:
        if place is not None:
            self._thread.submit(self._export, self._benches[variant], place)

    def _export(self, bench: Bench, place: int) -> None:
        with suppress(Interrupted):  # the page is closed
            bench.export(place)
            # After all that is exported already: nothing else of the studio runs while a time is taken.
            self._thread.submit(self._time, bench, place)

    def _time(self, bench: Bench, place: int) -> None:
        with suppress(Interrupted):
            bench.time(place, self._timer)

    def _simulate(self) -> None:
        """Once for all variants whose schemes are alike; the page shows damages when it is done."""
        working = Working(listener=Silent(), stop=self._stop, run=run_job)
        simulation = Simulation(project=self._project, source=self._source, working=working)
        with suppress(Interrupted):
            for name, bench in self._benches.items():
                if bench.space is not None:
                    bench.simulated = simulation.noise(bench.space, name, Silent())
                bench.simulating = False
