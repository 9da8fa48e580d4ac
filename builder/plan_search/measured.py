"""Cost as `harness run` measures it, as a process: arm64 instructions under QEMU, or latency on a device; kept by content."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Lock
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from builder import process
from builder.backends import BACKENDS
from builder.bundle import hash_file, list_tree
from builder.errors import ConversionError, Interrupted, VerificationError
from builder.plan_search.space import Schemes
from builder.precision.plan import make_uniform_plan
from builder.project.project import Project
from builder.steps.bundle import write_bundle
from builder.steps.source import SourceStep
from builder.steps.variant import VariantStep
from builder.storage.cache import hash_code, keep_entry, make_content_key

ARM64 = "arm64"
# A large network takes minutes under QEMU: what takes an hour hangs.
MEASURE_S = 3600.0
RUNS, PROTOCOL, KEPT = "runs.jsonl", "search.toml", "cost.json"
# The harness' exit code for a measurement that is not good enough.
UNSTABLE = 7
# Counts repeat; the protocol is there for its time limit, since a large network takes minutes under QEMU.
COUNTING = f"warmup = 1\nruns = 1\ntimeout_s = {MEASURE_S:g}\n"
# A plan and fp32 take turns, so that what changes on the device in the meantime changes both.
TIMING = """warmup = 5
runs = 30
max_runs = 200
rounds = 3
memory_pass = false
[conditions]
max_temperature_c = 38
cool_down_c = 2
max_thermal_status = 0
[pins]
fixed_performance = true
stay_awake = true
"""
# Of the three: one that was disturbed may be left out.
ROUNDS_NEEDED = 2


class Count(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    value: float | None


class Checked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    passed: bool
    psnr_db: float
    min_psnr_db: float


class Judgement(BaseModel):
    """A verdict as the record has it: its grade, and the code of what speaks against the run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    grade: Literal["ok", "unstable", "invalid"]
    code: str

    @property
    def words(self) -> str:
        return self.grade if self.grade == "ok" else f"{self.grade}: {self.code.replace('_', ' ')}"


class Record(BaseModel):
    """What a search reads of a run record (docs/formats/run-record.schema.json)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    variant: str
    round: int | None
    metric: Literal["latency", "instructions"]
    verdict: Judgement
    latency_ns: tuple[int, ...]
    instructions: Count
    golden: Checked | None


@dataclass(frozen=True, kw_only=True)
class Harness:
    """`harness run` of exported artifacts on one device; setting `stop` ends it."""

    project: Project
    source: SourceStep
    device: str
    stop: Event

    def run(self, steps: Sequence[VariantStep], protocol: str) -> tuple[Record, ...]:
        """The records of a session. Raises ConversionError without any, VerificationError for a wrong output, Interrupted."""
        # The plans' text in the bundle plays no part in what is measured.
        project = replace(self.project, found={step.section.name: make_uniform_plan("fp32") for step in steps})
        with tempfile.TemporaryDirectory(prefix="edgebundle-cost-") as name:
            folder = Path(name)
            (folder / "bundle").mkdir()
            write_bundle(project, self.source, steps, [self.source] * len(steps), folder / "bundle")
            (folder / PROTOCOL).write_text(protocol, encoding="utf-8")
            words = ["run", folder / "bundle", "-d", self.device, "-o", folder / RUNS, "--protocol", folder / PROTOCOL]
            log = folder / "log.txt"
            try:
                status = process.run_limited(
                    [sys.executable, "-m", "harness", *map(str, words), "-q"],
                    log=log,
                    timeout_s=MEASURE_S,
                    memory_bytes=int(self.project.config.limits.memory_gb * 1e9),
                    poll=self._hear,
                )
                lines = (folder / RUNS).read_text(encoding="utf-8").splitlines()
                records = tuple(Record.model_validate_json(line) for line in lines if line.strip())
            except (process.ToolError, OSError, ValidationError) as error:
                raise ConversionError(
                    f"'harness run -d {self.device}' gave no record ({_read_tail(log) or error})."
                ) from error
            if not records:
                raise ConversionError(f"'harness run -d {self.device}' measured nothing: {_read_tail(log)}")
        for record in records:
            if record.golden is not None and not record.golden.passed:
                raise VerificationError(
                    f"{self.device} gives another output than this machine ({record.golden.psnr_db} dB, "
                    f"at least {record.golden.min_psnr_db} dB is expected)."
                )
        if status not in (0, UNSTABLE):
            raise VerificationError(f"'harness run -d {self.device}' ended with {status}: {records[-1].verdict.words}.")
        return records

    def _hear(self) -> None:
        if self.stop.is_set():
            raise Interrupted(f"the measurement on {self.device} was stopped.")

    def key(self, artifacts: Sequence[dict[str, str]]) -> str:
        """Of what decides a measurement: the artifacts by their hashes, the input, the device and the harness."""
        sample = self.project.data.evaluation[0].sha256
        return make_content_key(
            {"artifacts": list(artifacts), "sample": sample, "device": self.device, "harness": hash_harness()}
        )


def _read_tail(log: Path) -> str:
    return "; ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]) if log.is_file() else ""


def _hashes(step: VariantStep) -> dict[str, str]:
    artifact = step.folder / step.result.artifact
    return {file.relative_to(artifact).as_posix(): hash_file(file) for file in list_tree(artifact)}


def _hash_executed(step: VariantStep) -> dict[str, str]:
    structure = BACKENDS[step.section.backend].find_structure(step.folder / step.result.artifact)
    return _hashes(step) if structure is None else {"structure": structure}


def _keep(key: str, measure: Callable[[], float]) -> float:
    """The figure of an earlier search where there is one."""
    folder, _ = keep_entry("cost", key, lambda work: (work / KEPT).write_text(json.dumps(measure()), encoding="utf-8"))
    return _FLOAT.validate_json((folder / KEPT).read_bytes())


_FLOAT = TypeAdapter(float)


@dataclass(kw_only=True)
class InstructionCost:
    """One inference of the artifact as the arm64 runtime executes it under QEMU, relative to fp32.

    `floats` makes the fp32 artifact, whose count is the unit; emulated float arithmetic takes the longest of all, so that
    it is counted in the background while plans are exported. A count belongs to what an artifact executes: TFLite files that
    differ only in the values of weights and scales share one, every other file has its own.
    """

    harness: Harness
    floats: Callable[[], VariantStep]
    _base: Future[float] | None = None
    _guard: Lock = field(default_factory=Lock)

    def ratio(self, step: VariantStep, schemes: Schemes) -> float:
        """Raises VerificationError where the arm64 runtime refuses the artifact or gives another output."""
        base = self.begin()
        own = self.instructions(step)
        return round(own / base.result(), 4)

    def begin(self) -> Future[float]:
        """The count of fp32, begun where it was not."""
        with self._guard:
            if self._base is None:
                threads = ThreadPoolExecutor(1)
                self._base = threads.submit(lambda: self.instructions(self.floats()))
                threads.shutdown(wait=False)
            return self._base

    def instructions(self, step: VariantStep) -> float:
        return _keep(self.harness.key([_hash_executed(step)]), lambda: self._count(step))

    def _count(self, step: VariantStep) -> float:
        (record,) = self.harness.run([step], COUNTING)
        if record.instructions.value is None:
            raise VerificationError(f"{self.harness.device} does not run the artifact: {record.verdict.words}.")
        return record.instructions.value


@dataclass(kw_only=True)
class LatencyCost:
    """Median latency of the artifact on a device relative to fp32's, measured in turns; one artifact at a time.

    The ratio is the median over the rounds of a session in which neither of the two was disturbed.
    """

    harness: Harness
    floats: Callable[[], VariantStep]
    _unit: VariantStep | None = None
    _alone: Lock = field(default_factory=Lock)

    def ratio(self, step: VariantStep, schemes: Schemes) -> float:
        """Raises VerificationError where the device gives another output or rounds are disturbed, ConversionError without a record."""
        with self._alone:
            if self._unit is None:
                made = self.floats()
                named = made.section.model_copy(update={"id": f"{made.section.name}-fp32"})
                self._unit = replace(made, section=named)
            unit = self._unit
            if _hashes(step) == _hashes(unit):
                return 1.0
            return _keep(self.harness.key([_hashes(unit), _hashes(step)]), lambda: self._measure(unit, step))

    def _measure(self, unit: VariantStep, step: VariantStep) -> float:
        records = self.harness.run([unit, step], TIMING)
        rounds: dict[int | None, dict[str, float]] = {}
        for record in records:
            if record.latency_ns and record.verdict.grade != "invalid":
                rounds.setdefault(record.round, {})[record.variant] = statistics.median(record.latency_ns)
        names = (unit.section.name, step.section.name)
        ratios = [taken[names[1]] / taken[names[0]] for taken in rounds.values() if set(names) <= set(taken)]
        if len(ratios) < ROUNDS_NEEDED:
            raise VerificationError(
                f"latency on {self.harness.device} could not be measured in {ROUNDS_NEEDED} of the rounds: {records[-1].verdict.words}."
            )
        return round(statistics.median(ratios), 4)


def hash_harness() -> str | None:
    """Hash of the installed harness, which holds the runtimes' versions; None where it is not installed."""
    found = find_spec("harness")
    return hash_code(Path(found.origin).parent) if found and found.origin else None
