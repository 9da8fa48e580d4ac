"""What an artifact costs to run, relative to the fp32 artifact: what the harness measures, or weighted MACs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from builder import process
from builder.backends.spec import BackendSpec
from builder.errors import ConfigError
from builder.plan_search.measured import ARM64
from builder.plan_search.space import Schemes
from builder.precision.layers import LayerTable
from builder.precision.scheme import parse_scheme
from builder.steps.variant import VariantStep

# adb and Apple's tools answer within seconds, once their server has started: what takes longer hangs.
DEVICES_S = 60.0
INSTRUCTIONS = "arm64 NEON instructions counted under QEMU"
LATENCY = "latency on"
WEIGHTED_MACS = "MACs weighted by the width of their arithmetic"


class CostMeter(Protocol):
    """`ratio` is the cost of an exported plan relative to fp32."""

    def ratio(self, step: VariantStep, schemes: Schemes) -> float: ...


@dataclass(kw_only=True)
class MacCost:
    """MACs times arithmetic width over 32 bits: 1 for floats (16-bit floats are stored only), 1/4 for int8, 1/2 for int16."""

    layers: LayerTable

    def ratio(self, step: VariantStep, schemes: Schemes) -> float:
        weighted = sum(layer.macs * _width(scheme) for layer, scheme in zip(self.layers.layers, schemes, strict=True))
        products = sum(product.macs for product in self.layers.products)  # floats in every plan
        return round((weighted + products) / max(self.layers.macs, 1), 4)


def _width(name: str) -> float:
    scheme = parse_scheme(name, where="cost")
    return {"static": scheme.activation_bits / 32, "dynamic": 8 / 32}.get(scheme.mode, 1.0)


def measure_name(spec: BackendSpec, device: str | None, delegate: str) -> str:
    """What cost means here: what `device` measures, else instructions where they can be counted, else weighted MACs with the reason.

    Raises ConfigError for a device that is not ready, and for a GPU's cost without a device that has one.
    """
    if spec.delegate(delegate).computes_in_half and (device is None or device.partition(":")[0] == ARM64):
        raise ConfigError(
            "a GPU computes every scheme in fp16, so no count made here tells the cost of its plans; set 'device' in [variant.search] to a "
            "phone, or budget bytes instead of cost."
        )
    if device is not None and device.partition(":")[0] != ARM64:
        reason = _explain_unmeasurable(device)
        if reason is not None:
            raise ConfigError(f"'device' in [variant.search] is {device!r}, which cannot be measured on: {reason}.")
        return f"{LATENCY} {device}"
    reason = f"{ARM64} runs no {spec.name}" if not spec.emulated else _explain_unmeasurable(ARM64)
    if reason is not None and device is not None:
        raise ConfigError(f"'device' in [variant.search] is {device!r}, which cannot be measured on: {reason}.")
    return INSTRUCTIONS if reason is None else f"{WEIGHTED_MACS} ({reason})"


class _Device(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str
    id: str
    state: str


class _Devices(BaseModel):
    """What a search reads of the answer of `harness devices --json`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    devices: tuple[_Device, ...]


def _explain_unmeasurable(device: str) -> str | None:
    """Why the harness cannot measure on `KIND[:ID]`, or None."""
    try:
        done = process.run([sys.executable, "-m", "harness", "devices", "--json"], timeout_s=DEVICES_S)
        devices = _Devices.model_validate_json(done.stdout).devices
    except (process.ToolError, ValidationError) as error:
        return f"'harness devices' failed: {error}"
    kind, _, name = device.partition(":")
    states = [d.state for d in devices if d.kind == kind and name in ("", d.id)]
    if "ready" in states:
        return None
    return (
        states[0].rstrip(".") if states else f"'harness devices' does not list it (it lists {_list_devices(devices)})"
    )


def _list_devices(devices: tuple[_Device, ...]) -> str:
    return ", ".join(d.kind if d.state != "ready" else f"{d.kind}:{d.id}" for d in devices)
