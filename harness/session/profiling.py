"""The flow of `harness profile`: each variant on each device, by the runtime's own profiler, with the names of the network's layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from builder.bundle import Bundle, Variant
from harness.analysis.layer_times import Damage, by_layer
from harness.devices import open_device
from harness.devices.base import Device, Profiling, Request
from harness.errors import DeviceError, MissingToolError, UsageError
from harness.records.profile import Profile, read_text
from harness.session.measurement import find_golden, read_golden_inputs
from harness.session.order import list_contenders
from harness.session.outcome import Skipped, Step

# A large network on a slow phone, layer by layer: what takes longer hangs.
TIMEOUT_S = 600.0
EMULATED = "emulated: shares of the emulator's time, not a latency"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is profiled: how many inferences on how many threads, of which variants (all where it is empty), and what is known of layers."""

    inferences: int
    threads: int
    variants: tuple[str, ...] = ()
    damage: Mapping[str, Damage] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ProfileResult:
    """What was profiled, and what was not, each with its reason."""

    profiles: tuple[Profile, ...]
    skipped: tuple[Skipped, ...]


def profile_variants(
    bundle: Bundle, devices: Iterable[str], asked: Asked, on_step: Callable[[Step], None] = lambda step: None
) -> ProfileResult:
    """Time by layer of each variant on each device, one after the other. A device that fails is in the result with its reason.

    Raises UsageError.
    """
    if not bundle.manifest.goldens:
        raise UsageError("the bundle has no golden to run; rebuild it with 'builder convert'.")
    chosen = [entry.variant for entry in list_contenders(bundle, None, asked.variants)]
    profiles: list[Profile] = []
    skipped: list[Skipped] = []
    for name in dict.fromkeys(devices):
        try:
            with open_device(name) as device:
                for index, variant in enumerate(chosen):
                    on_step(Step(device=name, variant=variant.id, index=index, total=len(chosen)))
                    reason = _refusal(device, variant)
                    if reason is not None:
                        skipped.append(Skipped(device=name, variant=variant.id, reason=reason))
                        continue
                    profiles.append(_profile(bundle, variant, device, name, asked))
        except (DeviceError, MissingToolError) as error:
            skipped.append(Skipped(device=name, variant="all variants", reason=str(error), exit_code=error.exit_code))
    return ProfileResult(profiles=tuple(profiles), skipped=tuple(skipped))


def _refusal(device: Device, variant: Variant) -> str | None:
    if not isinstance(device, Profiling):
        return "this kind of device tells no time by operator; profile on '-d host', '-d arm64' or '-d android'"
    return device.find_unsupported(variant)


def _profile(bundle: Bundle, variant: Variant, device: Device, name: str, asked: Asked) -> Profile:
    assert isinstance(device, Profiling)  # _refusal has asked
    threads = 1 if device.metric == "instructions" else asked.threads
    request = Request(
        artifact=bundle.path(variant.file),
        variant=variant,
        inputs=read_golden_inputs(bundle, find_golden(bundle, variant), variant),
        threads=threads,
        warmup=1,
        runs=asked.inferences,
        timeout_s=TIMEOUT_S,
    )
    profile = device.profile(request)
    rows, unnamed = by_layer(profile.operators, variant, asked.damage)
    return Profile(
        variant=variant.id,
        variant_sha256=variant.sha256,
        device=name,
        simulated=device.simulated if device.metric == "latency" else EMULATED,
        runtime=profile.runtime,
        runtime_version=profile.runtime_version,
        threads=threads,
        inferences=asked.inferences,
        total_ns=sum(row.ns for row in rows),
        operators=rows,
        unnamed=unnamed,
    )


class _Layers(BaseModel):
    model_config = ConfigDict(extra="ignore")

    layers: tuple[str, ...]
    low: str
    psnr_db: float


class _Search(BaseModel):
    """What of a search's result is needed here."""

    model_config = ConfigDict(extra="ignore")

    damage: tuple[_Layers, ...]


def read_damage(path: Path) -> dict[str, Damage]:
    """Layer -> damage, from the .json that `builder search -o plan.toml` writes beside the plan. Raises UsageError."""
    try:
        search = _Search.model_validate_json(read_text(path, "give the .json that 'builder search -o' wrote"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} holds no damage of layers; give the .json that 'builder search -o' wrote.") from error
    return {layer: Damage(psnr_db=entry.psnr_db, scheme=entry.low) for entry in search.damage for layer in entry.layers}
