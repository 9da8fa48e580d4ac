"""The flow of `harness run`: every device, every variant it can run, one record each, kept at once."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from builder.bundle import Bundle, BundleError, Golden, Variant, opened
from builder.bundle.tensors import golden_tensor
from harness.config import Protocol
from harness.devices import open_device
from harness.devices.base import Device, Request
from harness.errors import DeviceError, MissingToolError, UsageError
from harness.pictures import pictures_of
from harness.records import ProtocolInfo, Run
from harness.store import Store
from harness.verdicts import check_golden, judged

if TYPE_CHECKING:
    from harness.devices.base import Tensors


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A variant that a device cannot run, or could not (`exit_code` 3 or 6): the reason is never dropped."""

    device: str
    variant: str
    reason: str
    exit_code: int = 0

    @property
    def failed(self) -> bool:
        return self.exit_code != 0


@dataclass(frozen=True, kw_only=True)
class Step:
    """Progress: variant number `index` of `total` on a device is about to be measured."""

    device: str
    variant: str
    index: int
    total: int


@dataclass(frozen=True, kw_only=True)
class SessionResult:
    """What a session measured, and what it did not."""

    runs: tuple[Run, ...]
    skipped: tuple[Skipped, ...]


@contextmanager
def opened_bundle(path: Path) -> Iterator[Bundle]:
    """A bundle from a directory, `.zip` or package. Raises UsageError when it is not one, or is damaged."""
    try:
        with opened(path) as bundle:
            yield bundle
    except BundleError as error:
        raise UsageError(str(error)) from error


def run_session(
    bundle: Bundle,
    devices: Iterable[str],
    protocol: Protocol,
    store: Store | None,
    on_step: Callable[[Step], None] = lambda step: None,
) -> SessionResult:
    """Measure all variants of a bundle on each device (`KIND` or `KIND:ID`).

    A device that fails is in the result with its reason and the next one is measured; only bad usage and a store that cannot be
    written end the session (UsageError, StoreError). Records are appended one by one, so nothing measured is ever lost.
    """
    if not bundle.manifest.goldens:
        raise UsageError(
            "the bundle has no golden to measure on and to check against; rebuild it with 'builder convert'."
        )
    runs: list[Run] = []
    skipped: list[Skipped] = []
    variants = bundle.manifest.variants
    if store is not None:
        store.put_manifest(bundle.sha256, bundle.manifest)
    for name in devices:
        try:
            with open_device(name) as device:
                for index, variant in enumerate(variants):
                    on_step(Step(device=name, variant=variant.id, index=index, total=len(variants)))
                    reason = device.unsupported(variant)
                    if reason is not None:
                        skipped.append(Skipped(device=name, variant=variant.id, reason=reason))
                        continue
                    try:
                        runs.append(measure_variant(bundle, variant, device, protocol, store))
                    except (DeviceError, MissingToolError) as error:
                        skipped.append(
                            Skipped(device=name, variant=variant.id, reason=str(error), exit_code=error.exit_code)
                        )
        except (DeviceError, MissingToolError) as error:  # it cannot be opened or left
            skipped.append(Skipped(device=name, variant="all variants", reason=str(error), exit_code=error.exit_code))
    return SessionResult(runs=tuple(runs), skipped=tuple(skipped))


def golden_inputs(bundle: Bundle, golden: Golden) -> Tensors:
    """What a golden puts in, by name in logical layout. Raises UsageError when it does not fit the manifest's tensors."""
    specs = {spec.name: spec for spec in bundle.manifest.inputs}
    names = {tensor.name for tensor in golden.inputs}
    results = {tensor.name for expected in golden.expected for tensor in expected.tensors}
    if names != set(specs) or not results <= {spec.name for spec in bundle.manifest.outputs}:
        raise UsageError(
            f"golden {golden.id} does not name the tensors of its manifest; rebuild the bundle with 'builder convert'."
        )
    try:
        return {tensor.name: golden_tensor(bundle.root, tensor, specs[tensor.name]) for tensor in golden.inputs}
    except ValueError as error:  # a file of another size than the tensor
        raise UsageError(
            f"golden {golden.id} does not fit its manifest ({error}); rebuild the bundle with 'builder convert'."
        ) from error


def tensors_sha256(tensors: Tensors) -> str:
    """Hash of what is put in: names, shapes, types and values."""
    digest = hashlib.sha256()
    for name, values in sorted(tensors.items()):
        digest.update(f"{name} {values.dtype} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def measure_variant(bundle: Bundle, variant: Variant, device: Device, protocol: Protocol, store: Store | None) -> Run:
    """One run: conditions, measurement on the first golden's input, its check, conditions, verdict, record."""
    plan = protocol.counting() if device.metric == "instructions" else protocol
    golden = bundle.manifest.goldens[0]
    request = Request(
        artifact=bundle.path(variant.file),
        variant=variant,
        inputs=golden_inputs(bundle, golden),
        threads=plan.threads,
        warmup=plan.warmup,
        runs=plan.runs,
        timeout_s=plan.timeout_s,
    )
    inputs_sha256 = tensors_sha256(request.inputs)
    started = datetime.now(UTC)
    before = device.conditions()
    measured = device.measure(request)
    after = device.conditions()
    result, reason = check_golden(bundle, golden, variant.id, measured.outputs)
    run = Run(
        id=uuid.uuid4().hex,
        started_at=started.isoformat(timespec="milliseconds"),
        model_name=bundle.manifest.model.name,
        bundle_sha256=bundle.sha256,
        variant=variant.id,
        variant_sha256=variant.sha256,
        variant_bytes=variant.bytes,
        backend=variant.backend,
        device=device.info,
        mode=measured.mode,
        runtime=measured.runtime,
        runtime_version=measured.runtime_version,
        delegate_requested=variant.delegate,
        delegate_executed=measured.delegate_executed,
        threads=plan.threads,
        protocol=ProtocolInfo(name=plan.name, warmup=plan.warmup, runs=plan.runs),
        input_sha256=inputs_sha256,
        conditions_start=before,
        conditions_end=after,
        metric=device.metric,
        simulated=device.simulated,
        compile_ns=measured.compile_ns,
        load_ns=measured.load_ns,
        first_ns=measured.first_ns,
        latency_ns=measured.latency_ns,
        instructions=measured.instructions,
        peak_memory_bytes=measured.peak_memory_bytes,
        op_devices=measured.op_devices,
        samples=measured.samples,
        golden=result,
        golden_reason=reason,
        verdict="",
    )
    run = judged(run)
    if store is not None:
        store.append(run, pictures_of(bundle, golden, variant.id, measured.outputs))
    return run
