"""One variant on one device: memory and golden first, then the conditions, the timed pass, the golden again, the record."""

from __future__ import annotations

import hashlib
import math
import typing
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from builder.bundle import Bundle, Golden, Variant
from builder.bundle.tensors import list_specs, read_golden
from harness.analysis.processor_use import add_up
from harness.analysis.throttling import COUNTER
from harness.analysis.verdict import check_golden, judge
from harness.clock import Clock
from harness.devices.base import Device, Enduring, Holding, Measured, Request, SelfPaced, Wakeable
from harness.errors import DeviceError, UsageError
from harness.probes import list_probes
from harness.protocol import Protocol, Wanted
from harness.records.pictures import Picture, make_pictures
from harness.records.run import Conditions, GoldenResult, ProtocolInfo, Run, Sample
from harness.records.verdict import Verdict
from harness.records.way import Cores
from harness.session.conditions import wait_for
from harness.session.order import Contender
from harness.statistics import summarize
from harness.statistics.warmup import find_warmup_length

if TYPE_CHECKING:
    from harness.records.tensors import Tensors

# Of the runs: made on top of them, so that a warm-up that is found longer leaves enough.
SETTLE = 0.5
# Of lasting load between two looks at the device.
CHUNK_S = 30.0
HIDDEN = Verdict(grade="invalid", code="hidden", detail={"said": "the page was not visible all the time"})


class Keeps(typing.Protocol):
    """Where a record goes; it is safe on a disk when `append` returns."""

    def append(self, run: Run, pictures: tuple[Picture, ...] = ()) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Whose turn it is: `session` and `round`, the temperature at the start of the session (None where it is unknown), the seed of the order,
    and whether it is of the build that the other one is held against."""

    session: str
    round: int
    start_c: float | None
    seed: int = 0
    baseline: bool = False


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What the timed pass gave. `warm_up` inferences went before those of `latency_ns`; `last` is the device's last answer."""

    last: Measured
    warm_up: int
    latency_ns: tuple[int, ...]
    samples: tuple[Sample, ...]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All that was seen of one variant: what was asked, the pass for memory (None where there was none), the timed pass, and the states around it."""

    request: Request
    before_pass: Measured | None
    timed: Timed
    started: datetime
    before: Conditions
    after: Conditions
    golden: GoldenResult | None
    golden_reason: str | None


def measure_variant(
    entry: Contender, device: Device, protocol: Protocol, store: Keeps | None, turn: Turn, clock: Clock
) -> Run:
    """One run, appended to the store. Raises DeviceError, MissingToolError, and MeasurementError for conditions that do not come."""
    bundle, variant = entry.bundle, entry.variant
    plan = protocol.counting() if device.metric == "instructions" else protocol
    golden = find_golden(bundle, variant)
    request = Request(
        artifact=bundle.path(variant.file),
        variant=variant,
        inputs=read_golden_inputs(bundle, golden, variant),
        threads=choose_threads(device, protocol, entry),
        warmup=plan.warmup,
        runs=plan.runs,
        timeout_s=plan.timeout_s,
        cores=choose_cores(device, protocol, entry),
    )
    if request.cores is not None and not (isinstance(device, Holding) and device.holds_cores):
        raise DeviceError(
            f"{device.info.kind} cannot keep a benchmark on its {request.cores} cores; leave 'cores' out, or measure with '-d android'."
        )
    before_pass: Measured | None = None
    if plan.memory_pass and not is_paced(device):
        before_pass = device.measure(replace(request, warmup=1, runs=1))
    before = wait_for(partial(wake_and_look, device, plan.conditions), plan.conditions, turn.start_c, clock)
    started = datetime.now(UTC)
    timed = time_pass(device, request, plan, clock)
    after = device.conditions()
    checks = [
        (m.golden, None) if m.golden is not None else check_golden(bundle, golden, variant.id, m.outputs)
        for m in (before_pass, timed.last)
        if m is not None
    ]
    result, reason = find_worst_check(checks)
    seen = Seen(
        request=request,
        before_pass=before_pass,
        timed=timed,
        started=started,
        before=before,
        after=after,
        golden=result,
        golden_reason=reason,
    )
    run = judge(record_of(entry, device, protocol, turn, seen))
    if store is not None:
        store.append(run, make_pictures(bundle, golden, variant.id, timed.last.outputs))
    return run


def is_paced(device: Device) -> bool:
    """Whether it makes its one pass by itself: an app, or a device that counts instructions."""
    return isinstance(device, SelfPaced) or device.metric == "instructions"


def time_pass(device: Device, request: Request, plan: Protocol, clock: Clock) -> Timed:
    """Warmed up, then timed: in one pass of the device's own, back to back for a duration, or until the interval is narrow."""
    if is_paced(device):
        only = device.measure(request)
        warm_up = plan.warmup if only.warm_up is None else only.warm_up
        return Timed(last=only, warm_up=warm_up, latency_ns=only.latency_ns, samples=only.samples)
    if plan.duration_s is not None and isinstance(device, Enduring):
        only = device.endure(request, plan.duration_s)
        return Timed(last=only, warm_up=plan.warmup, latency_ns=only.latency_ns, samples=only.samples)
    if plan.duration_s is not None:
        return measure_lasting(device, request, plan.duration_s, clock)
    return settle(device.measure, request, plan)


def record_of(entry: Contender, device: Device, protocol: Protocol, turn: Turn, seen: Seen) -> Run:
    """The record of one measurement, not judged yet but for what the device itself saw."""
    bundle, variant, request, timed = entry.bundle, entry.variant, seen.request, seen.timed
    measured = timed.last
    return Run(
        id=uuid.uuid4().hex,
        started_at=seen.started.isoformat(timespec="milliseconds"),
        session=turn.session,
        round=turn.round,
        baseline=turn.baseline,
        model_name=bundle.manifest.model.name,
        bundle_sha256=bundle.sha256,
        variant=variant.id,
        variant_sha256=variant.sha256,
        variant_bytes=variant.bytes,
        backend=variant.backend,
        device=device.info,
        mode=measured.mode,
        browser=measured.browser,
        runtime=measured.runtime,
        runtime_version=measured.runtime_version,
        delegate_requested=variant.delegate,
        delegate_executed=measured.delegate_executed,
        threads=measured.threads or request.threads,
        cores=request.cores,
        protocol=describe_protocol(device, protocol, turn),
        input_sha256=hash_tensors(request.inputs),
        conditions_start=seen.before,
        conditions_end=seen.after,
        metric=device.metric,
        simulated=device.simulated,
        compile_ns=measured.compile_ns,
        load_ns=measured.load_ns,
        first_ns=measured.first_ns,
        warm_up=timed.warm_up,
        latency_ns=timed.latency_ns,
        instructions=measured.instructions,
        peak_memory_bytes=(seen.before_pass or measured).peak_memory_bytes,
        op_devices=measured.op_devices,
        samples=timed.samples,
        processor_use=measured.processor_use,
        golden=seen.golden,
        golden_reason=seen.golden_reason,
        verdict=HIDDEN if measured.hidden else Verdict.of("ok"),
    )


def describe_protocol(device: Device, protocol: Protocol, turn: Turn) -> ProtocolInfo:
    """What was followed: a device that counts instructions follows a shorter one, under the hash of the whole."""
    plan = protocol.counting() if device.metric == "instructions" else protocol
    return ProtocolInfo(
        name=plan.name,
        warmup=plan.warmup,
        runs=plan.runs,
        duration_s=plan.duration_s,
        sha256=protocol.sha256,
        rounds=protocol.rounds,
        seed=turn.seed,
        tolerated=protocol.tolerated,
    )


def choose_threads(device: Device, protocol: Protocol, entry: Contender) -> int:
    """A device that counts instructions does so on one thread; others take the sweep's, else the protocol's."""
    if device.metric == "instructions":
        return protocol.counting().threads
    return protocol.threads if entry.threads is None else entry.threads


def choose_cores(device: Device, protocol: Protocol, entry: Contender) -> Cores | None:
    """Where instructions are counted it matters to none of them."""
    if device.metric == "instructions":
        return None
    return protocol.cores if entry.cores is None else entry.cores


def wake_and_look(device: Device, wanted: Wanted) -> Conditions:
    """The device's state, its screen switched on first where that is wanted and it is off."""
    state = device.conditions()
    if wanted.screen != "on" or state.screen is None or state.screen.value != "off" or not isinstance(device, Wakeable):
        return state
    device.wake()
    return device.conditions()


def find_golden(bundle: Bundle, variant: Variant) -> Golden:
    """The first golden that says what the variant gives: in a bundle of several picture sizes each size has its own."""
    own = (golden for golden in bundle.manifest.goldens if any(e.variant == variant.id for e in golden.expected))
    return next(own, bundle.manifest.goldens[0])


def settle(measure: Callable[[Request], Measured], request: Request, plan: Protocol) -> Timed:
    """A pass whose counted samples are warm and enough: until the interval of the median is narrow, or `max_runs` is reached.

    Half as many again are made, so that the warm-up may end where the series says. A pass that was too short is made again,
    longer by the square of what is missing: the interval narrows with the root of the number of samples.
    """
    runs = plan.runs
    while True:
        measured = measure(replace(request, runs=runs + math.ceil(runs * SETTLE)))
        dropped = min(find_warmup_length(measured.latency_ns), max(len(measured.latency_ns) - runs, 0))
        counted = measured.latency_ns[dropped:]
        timed = Timed(last=measured, warm_up=plan.warmup + dropped, latency_ns=counted, samples=measured.samples)
        if runs >= plan.most_runs or not counted:
            return timed
        summary = summarize(counted)
        reach = max(summary.high - summary.median, summary.median - summary.low) / summary.median
        if reach <= plan.interval:
            return timed
        runs = min(max(math.ceil(runs * (reach / plan.interval) ** 2), 2 * runs), plan.most_runs)


def measure_lasting(device: Device, request: Request, duration_s: float, clock: Clock) -> Timed:
    """Back to back for `duration_s`, in chunks of 30 s; the device is looked at between chunks, never inside a sample.

    The runtime is loaded anew for each chunk: the pauses show in the counting probe, which places latencies on the time axis.
    """
    start = clock.now()
    latencies: list[int] = []
    samples: list[Sample] = []
    first = measured = device.measure(request)
    uses, hidden = [first.processor_use], False
    while True:
        hidden = hidden or measured.hidden
        latencies += measured.latency_ns
        t = clock.now() - start
        samples.append(Sample(t_s=round(t, 3), probe=COUNTER, value=len(latencies), unit="inferences"))
        samples += make_samples(device.conditions(), round(t, 3))
        left = duration_s - t
        if left <= 0 or not measured.latency_ns:
            break
        typical_s = sorted(measured.latency_ns)[len(measured.latency_ns) // 2] / 1e9
        count = max(1, round(min(CHUNK_S, left) / max(typical_s, 1e-6)))
        measured = device.measure(replace(request, warmup=1, runs=count))
        uses.append(measured.processor_use)
    last = replace(measured, load_ns=first.load_ns, first_ns=first.first_ns, processor_use=add_up(uses), hidden=hidden)
    return Timed(last=last, warm_up=request.warmup, latency_ns=tuple(latencies), samples=tuple(samples))


def make_samples(state: Conditions, t_s: float) -> list[Sample]:
    """A state as samples over time; what is unknown has none."""
    return [sample for probe in list_probes() if (sample := probe.sample(state, t_s)) is not None]


def find_worst_check(checks: list[tuple[GoldenResult | None, str | None]]) -> tuple[GoldenResult | None, str | None]:
    """Of the checks before and after timing the one that speaks against the run: none made, failed, or the lower quality."""
    return min(checks, key=lambda check: (check[0] is not None, check[0].psnr_db if check[0] is not None else 0.0))


def read_golden_inputs(bundle: Bundle, golden: Golden, variant: Variant) -> Tensors:
    """What a golden puts in, by name in logical layout. Raises UsageError when it does not fit the manifest's tensors."""
    specs = {spec.name: spec for spec in list_specs(bundle.manifest.inputs, variant.inputs)}
    names = {tensor.name for tensor in golden.inputs}
    results = {tensor.name for expected in golden.expected for tensor in expected.tensors}
    if names != set(specs) or not results <= {spec.name for spec in bundle.manifest.outputs}:
        raise UsageError(
            f"golden {golden.id} does not name the tensors of its manifest; rebuild the bundle with 'builder convert'."
        )
    try:
        return {tensor.name: read_golden(bundle.root, tensor, specs[tensor.name]) for tensor in golden.inputs}
    except ValueError as error:  # a file of another size than the tensor
        raise UsageError(
            f"golden {golden.id} does not fit its manifest ({error}); rebuild the bundle with 'builder convert'."
        ) from error


def hash_tensors(tensors: Tensors) -> str:
    """Hash of what is put in: names, shapes, types and values."""
    digest = hashlib.sha256()
    for name, values in sorted(tensors.items()):
        digest.update(f"{name} {values.dtype} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
