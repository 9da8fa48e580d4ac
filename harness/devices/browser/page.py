"""One variant by a page: the order, the page's answer, and what a record wants to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from builder.backends import BACKENDS, find_spec
from builder.bundle import MANIFEST, Variant
from builder.bundle.tensors import from_artifact, to_artifact
from harness.devices.base import Measured, Request
from harness.devices.browser.answers import Answer, Failure, Hello
from harness.devices.browser.names import find_browser
from harness.devices.browser.server import Order, PageServer
from harness.errors import DeviceError, UsageError
from harness.records.run import BrowserInfo, Reading, Sample, TextReading

# In a millisecond.
NS = 1_000_000
# That a page may be silent before it asks for its order: a phone that reloads it takes some.
SILENT_S = 60.0
WEBGPU = "webgpu"  # of what executes a variant in a browser, the one that not every browser has


@dataclass(frozen=True, kw_only=True)
class OpenPage:
    """A page that has said hello; `where` is the browser, for messages."""

    server: PageServer
    hello: Hello
    where: str


def open_page(server: PageServer, where: str, *, within_s: float, cure: str) -> OpenPage:
    """The first page that opens the server's address. Raises DeviceError with a `cure` when none does."""
    hello = server.wait_for_page(within_s)
    if hello is None:
        raise DeviceError(f"{where} did not open the page within {within_s:g} s; {cure}.")
    return OpenPage(server=server, hello=hello, where=where)


def find_refusal(variant: Variant, page: OpenPage | None) -> str | None:
    """Why a page cannot run a variant, or None when it can."""
    accelerators = _accelerators(variant)
    if not accelerators:
        titles = [backend.SPEC.title for backend in BACKENDS.values() if backend.SPEC.browser]
        return f"a browser runs {' and '.join(titles)} files only"
    if variant.delegate not in accelerators:
        return f"a browser has no delegate {variant.delegate}"
    if accelerators[variant.delegate] == WEBGPU and (page is None or page.hello.gpu is None):
        return "this browser has no WebGPU"
    return None


def _accelerators(variant: Variant) -> Mapping[str, str]:
    """By delegate, what executes it in a browser; none for a variant that no browser executes."""
    spec = find_spec(variant.backend)
    return {} if spec is None else spec.browser


def measure_on_page(page: OpenPage | None, request: Request) -> Measured:
    """Let the page of the request's bundle measure it. Raises UsageError without a page, DeviceError, and DeviceLost for one that is gone."""
    if page is None:
        raise DeviceError("the browser is not open; use the device in a 'with' block.")
    variant, where = request.variant, page.where
    if (reason := find_refusal(variant, page)) is not None:
        raise DeviceError(f"{where} cannot run variant {variant.id}: {reason}.")
    inputs = {binding.name: to_artifact(request.inputs[binding.name], binding) for binding in variant.inputs}
    order = Order(
        site=find_site(request),
        variant=variant.id,
        threads=request.threads,
        warmup=request.warmup,
        runs=request.runs,
        inputs={name: np.ascontiguousarray(values, "<f4").tobytes() for name, values in inputs.items()},
        outputs={binding.name: 4 * int(np.prod(binding.shape)) for binding in variant.outputs},
    )
    answer = page.server.measure(order, timeout_s=request.timeout_s, silent_s=SILENT_S)
    if answer is None:
        raise DeviceError(
            f"the page in {where} did not measure variant {variant.id} within {request.timeout_s:g} s; allow more in a protocol of your own."
        )
    if isinstance(answer, Failure):
        raise DeviceError(f"the page in {where} could not measure variant {variant.id}: {answer.reason.rstrip('.')}.")
    return _make_measured(order, answer, request, page.hello)


def _make_measured(order: Order, answer: Answer, request: Request, hello: Hello) -> Measured:
    name, version = find_browser(hello.agent)
    gpu = TextReading(value=answer.gpu) if answer.gpu else TextReading(reason="this browser has no WebGPU")
    heap = answer.heap_bytes
    delegates = {accelerator: delegate for delegate, accelerator in _accelerators(request.variant).items()}
    outputs = {
        binding.name: from_artifact(np.frombuffer(order.posted[at], "<f4").reshape(binding.shape), binding)
        for at, binding in enumerate(request.variant.outputs)
    }
    return Measured(
        mode="web",
        runtime="LiteRT.js",
        runtime_version=answer.runtime_version,
        delegate_executed=TextReading(value=delegates[answer.accelerator]),
        load_ns=_nanoseconds(answer.load),
        first_ns=_nanoseconds(answer.first),
        latency_ns=tuple(round(ms * NS) for ms in answer.latencies),
        instructions=Reading(unit="instructions", reason="instructions are counted on the arm64 device only"),
        peak_memory_bytes=Reading(unit="B", reason="the runtime does not tell its memory")
        if heap is None
        else Reading(value=heap, unit="B"),
        outputs=outputs,
        samples=(Sample(t_s=0.0, probe="runtime_start", value=round(answer.runtime_start * NS), unit="ns"),),
        browser=BrowserInfo(
            name=name,
            version=version,
            gpu=gpu,
            isolated=answer.isolated,
            timer_ns=_nanoseconds(answer.timer),
        ),
        threads=answer.threads,
        hidden=answer.hidden,
    )


def find_site(request: Request) -> Path:
    """The page that carries the bundle. Raises UsageError for a bundle without one."""
    root = request.artifact
    for _ in request.variant.file.split("/"):
        root = root.parent
    if not ((root.parent / "app.js").is_file() and (root / MANIFEST).is_file()):
        raise UsageError(
            "a browser measures a page; make one with 'builder package BUNDLE --target web -o dist/web', and give that page's folder "
            "to 'harness run'."
        )
    return root.parent


def _nanoseconds(ms: float) -> Reading:
    return Reading(value=round(ms * NS), unit="ns")
