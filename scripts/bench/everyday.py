"""Projects on all their variants in one warm process: the table case x variant of what is right, refused, or wrong.

    python scripts/bench/everyday.py FOLDER [CASE ...] [--json FILE]

FOLDER holds one project a folder (builder.toml). Right is: converts, loads, runs, every layer in the scheme that was asked for, and
agrees with the source network, in fp32 to 80 dB, in fp16 to 40 dB, in int8 to 20 dB, or what `compute_floor_db` leaves of that for a
network that amplifies noise. A typed error is a refusal; anything else that is raised is a traceback, which no network may cause.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from builder.errors import EdgebundleError
from builder.pipeline.story import plan_variant
from builder.precision.plan import parse_scheme
from builder.project.config import LimitsSection, VariantSection
from builder.project.project import Project, open_project
from builder.quality.steadiness import compute_floor_db
from builder.steps.source import SourceStep
from builder.steps.step import Working
from builder.workers.jobs.source import run_source
from builder.workers.jobs.variant import run_variant
from builder.workers.messages import RESULT, SourceJob, VariantJob

LEAST_DB = {"fp32": 80.0, "fp16": 40.0, "int8": 20.0}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One case on one variant. `verdict` is right, unproven, refused, wrong or traceback; `text` says how well, or what was said."""

    case: str
    variant: str
    verdict: str
    text: str
    seconds: float


def judge(folder: Path, work: Path, only: Collection[str] = ()) -> list[Cell]:
    """The variants of the project in `folder`, or these of them; what its source raises is the answer of all."""
    project = open_project(folder)
    sections = [section for section in project.config.variant if not only or write_letters(section) in only]
    try:
        source = export(project, work)
    except Exception as error:
        return [make_cell(folder.name, write_letters(section), error, 0.0) for section in sections]
    return [try_section(folder.name, project, source, section, work) for section in sections]


def export(project: Project, work: Path) -> SourceStep:
    place = work / "source"
    place.mkdir(parents=True)
    evaluation = tuple(file.path for file in project.data.evaluation)
    job = SourceJob(config=project.config, folder=project.folder, evaluation=evaluation, goldens=1)
    result = run_source(job, place)
    (place / RESULT).write_text(result.model_dump_json(), encoding="utf-8")
    return SourceStep(folder=place, key=str(work), result=result)


def try_section(case: str, project: Project, source: SourceStep, section: VariantSection, work: Path) -> Cell:
    """Planned and lowered as `builder convert` does it, but in this process."""
    start, name = time.monotonic(), write_letters(section)
    place = work / name
    place.mkdir()
    try:
        result = make_variant_result(project, source, section, place)
    except Exception as error:
        return make_cell(case, name, error, time.monotonic() - start)
    asked = "int8" if section.plan else section.scheme or "fp32"
    worst = result.quality.psnr_db_worst
    convolutions = [row for row in result.layers if "conv" in row.op]
    floats = [
        row.layer
        for row in convolutions
        if asked == "int8" and parse_scheme(row.realised, where="file").mode == "float"
    ]
    least = compute_floor_db(LEAST_DB[asked], source.result.noise_db, asked)  # type: ignore[arg-type]
    if worst is None:
        return Cell(case=case, variant=name, verdict="unproven", text=str(result.unproven), seconds=0.0)
    verdict = "right" if worst >= least else "wrong"
    text = f"{worst:.1f} dB" + (f", fp32: {', '.join(floats)}" if floats else "")
    return Cell(case=case, variant=name, verdict=verdict, text=text, seconds=round(time.monotonic() - start, 1))


def make_variant_result(project: Project, source: SourceStep, section: VariantSection, place: Path):  # type: ignore[no-untyped-def]
    """The result of the job that `lower_variant` makes, caught where it would be handed to a worker."""
    from builder.steps import variant as step

    made = []

    def run(
        job: VariantJob,
        folder: Path,
        *,
        what: str,
        limits: LimitsSection,
        on_stage: Callable[[str], None],
        stop: Event | None = None,
    ) -> str:
        result = run_variant(job, place)
        made.append(result)
        (folder / RESULT).write_text(result.model_dump_json(), encoding="utf-8")
        return ""

    class Quiet:
        def stage(self, step: str, text: str) -> None: ...
        def finish(self, step: str, *, cached: bool) -> None: ...
        def warn(self, text: str) -> None: ...

    plan = plan_variant(project, source, section)
    step.lower_variant(project, source, section, plan, Working(listener=Quiet(), run=run))
    return made[0]


@contextlib.contextmanager
def silencing() -> Iterator[None]:
    """What converters print, from their C++ too, goes nowhere."""
    kept = os.dup(1), os.dup(2)
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1), os.dup2(nowhere, 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept[0], 1), os.dup2(kept[1], 2)
        for descriptor in (*kept, nowhere):
            os.close(descriptor)


def write_letters(section: VariantSection) -> str:
    first = section.backend[0].upper()
    return first + ("8" if section.plan else "16" if section.scheme == "fp16" else "")


def make_cell(case: str, variant: str, error: Exception, seconds: float) -> Cell:
    kind = "refused" if isinstance(error, EdgebundleError) else "traceback"
    return Cell(
        case=case, variant=variant, verdict=kind, text=f"{type(error).__name__}: {error}", seconds=round(seconds, 1)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("case", nargs="*")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="+", default=(), metavar="VARIANT", help="T, C8, E16: backend and precision")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    cases = arguments.case or sorted(
        path.name for path in arguments.folder.iterdir() if (path / "builder.toml").is_file()
    )
    cells: list[Cell] = []
    for case in cases:
        with tempfile.TemporaryDirectory() as work, silencing():
            found = judge(arguments.folder / case, Path(work), arguments.only)
        cells += found
        print(
            f"{case:24}",
            *(f"{c.variant} {c.text if c.verdict == 'right' else c.verdict.upper()}" for c in found),
            sep=" | ",
            flush=True,
        )
        for text in dict.fromkeys(c.text for c in found if c.verdict != "right"):
            print("    ", ",".join(c.variant for c in found if c.text == text), text[:400], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(c) for c in cells], indent=1), encoding="utf-8")
    counts = {
        kind: sum(c.verdict == kind for c in cells) for kind in ("right", "unproven", "refused", "wrong", "traceback")
    }
    print(f"{len(cells)} of {len(cases)} cases:", ", ".join(f"{number} {kind}" for kind, number in counts.items()))
    return 0 if counts["right"] == len(cells) else 1


if __name__ == "__main__":
    sys.exit(main())
