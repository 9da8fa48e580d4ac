"""Every variant of a package, run by the TensorFlow Lite inside it on the bundle's goldens; each in a process of its own."""

from __future__ import annotations

import json
import platform
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder import process
from builder.bundle import Bundle, Golden, Variant
from builder.bundle.tensors import (
    from_artifact,
    list_specs,
    measure_worst_psnr_db,
    read_golden,
    to_artifact,
)
from builder.errors import MissingToolError
from builder.targets.android.execute.libraries import ABI, TFLITE_GPU, take_libraries
from builder.targets.android.execute.shim import Lacking, build_shim
from builder.targets.android.runtimes import TFLITE_FILE

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors

# A large network under QEMU takes minutes: what takes longer hangs.
RUN_LIMIT_S = 300.0
WORKER = Path(__file__).with_name("worker.py")
_REPLACED = re.compile(r"Replacing (\d+) out of (\d+) node\(s\) with delegate \((\w+)\)")
_GL = {"EGL_PLATFORM": "surfaceless"}  # no screen
_WITHOUT = "none"  # the runtime's own kernels
# Of the runtime's last words.
_SAID = 3


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One variant by the packaged library on one golden. Exactly one of `psnr_db`, `failure` and `unproven` says what came of it.

    `source_psnr_db`, where the bundle has its output, is against the source model's output; `delegated` such as `26 of 26`; `remark` what is particular to this machine.
    """

    variant: str
    golden: str
    runtime: str
    min_psnr_db: float
    psnr_db: float | None = None
    source_psnr_db: float | None = None
    delegated: str = ""
    remark: str = ""
    failure: str = ""
    unproven: str = ""

    @property
    def passed(self) -> bool:
        return not self.failure and (self.psnr_db is None or self.psnr_db >= self.min_psnr_db)


def execute_package(package: Path, bundle: Bundle) -> tuple[Execution, ...]:
    """All variants on all their goldens. What cannot be run here is `unproven` with the reason, never an error of ours."""
    with tempfile.TemporaryDirectory(prefix="edgebundle-android-") as name:
        folder = Path(name)
        (folder / "libraries").mkdir()
        libraries = take_libraries(package, folder / "libraries")
        shim, why_not = _shim(libraries)
        return tuple(
            execution
            for variant in bundle.manifest.variants
            for execution in _variant(bundle, variant, libraries, shim, why_not, folder)
        )


def _shim(libraries: tuple[Path, ...]) -> tuple[Path | None, str]:
    if not libraries:
        return None, f"the package carries no TensorFlow Lite for {ABI}, which could run here"
    if platform.machine() != ABI or sys.platform != "linux":
        return None, f"libraries for {ABI} run on Linux on such a machine alone"
    try:
        return build_shim(libraries), ""
    except Lacking as error:
        return None, f"its libraries need {error} of Android's C library, which is not known here"
    except MissingToolError as error:
        return None, str(error).rstrip(".")


def _variant(
    bundle: Bundle, variant: Variant, libraries: tuple[Path, ...], shim: Path | None, why_not: str, folder: Path
) -> Iterator[Execution]:
    if not variant.file.endswith(TFLITE_FILE):
        why_not = f"the library of {variant.backend} is run through Java, which is not done here"
    elif not why_not and variant.delegate == "gpu" and not any(path.name == TFLITE_GPU for path in libraries):
        why_not = f"the package carries no {TFLITE_GPU} for {ABI}"
    goldens = [golden for golden in bundle.manifest.goldens if any(e.variant == variant.id for e in golden.expected)]
    if shim is None or why_not:
        for golden in goldens:
            yield Execution(
                variant=variant.id, golden=golden.id, runtime="", min_psnr_db=_least(golden, variant), unproven=why_not
            )
        return
    work = Path(tempfile.mkdtemp(dir=folder))
    for number, golden in enumerate(goldens):
        _write_inputs(work / f"{number}.npz", bundle, variant, golden)
    order = _Order(
        bundle=bundle,
        variant=variant,
        samples=len(goldens),
        libraries=libraries[0].parent,
        shim=shim,
        work=work,
    )
    ran = _run(order)
    for number, golden in enumerate(goldens):
        yield _judge(order, ran, golden, number)


@dataclass(frozen=True, kw_only=True)
class _Order:
    """What one process is to run, on `samples` inputs that lie in `work`."""

    bundle: Bundle
    variant: Variant
    samples: int
    libraries: Path
    shim: Path
    work: Path


@dataclass(frozen=True, kw_only=True)
class _Ran:
    """What the process left, or why it did not end; the delegate that ran; a remark."""

    done: process.Completed | str
    delegate: str
    remark: str = ""


def _run(order: _Order) -> _Ran:
    delegate = order.variant.delegate
    done = _start(order, delegate)
    died = isinstance(done, process.Completed) and done.returncode == -signal.SIGSEGV
    if died and delegate == "xnnpack" and _has_avx512():
        # TFLite 2.16.1 for x86_64 loads 64-byte vectors from where only 32 bytes are aligned; arm64 has no such instructions.
        remark = (
            "its XNNPACK dies on processors with AVX-512 (emulators and servers, not phones), so its plain kernels ran"
        )
        return _Ran(done=_start(order, _WITHOUT), delegate=_WITHOUT, remark=remark)
    return _Ran(done=done, delegate=delegate)


def _start(order: _Order, delegate: str) -> process.Completed | str:
    request = {
        "libraries": str(order.libraries),
        "model": str(order.bundle.path(order.variant.file).absolute()),
        "delegate": delegate,
        "samples": order.samples,
    }
    (order.work / "request.json").write_text(json.dumps(request), encoding="utf-8")
    environment = {"LD_LIBRARY_PATH": str(order.shim), **_GL}
    words: list[str | Path] = [sys.executable, "-P", WORKER, order.work]
    try:
        return process.run(words, timeout_s=RUN_LIMIT_S, env=environment, check=False)
    except process.ToolTimeout as error:
        return str(error)


def _judge(order: _Order, ran: _Ran, golden: Golden, number: int) -> Execution:
    variant, bundle, done = order.variant, order.bundle, ran.done
    version = order.work / "version"
    name = f"TensorFlow Lite {version.read_text(encoding='utf-8') if version.is_file() else ''}".strip()
    how = {"gpu": "OpenGL ES", "xnnpack": "XNNPACK", _WITHOUT: "plain kernels"}.get(ran.delegate, ran.delegate)
    said = done.stderr if isinstance(done, process.Completed) else ""
    replaced = _REPLACED.search(said)
    result = Execution(
        variant=variant.id,
        golden=golden.id,
        runtime=f"{name} of the package ({how})",
        min_psnr_db=_least(golden, variant),
        delegated=f"{replaced[1]} of {replaced[2]}" if replaced else "",
        remark=ran.remark,
    )
    if isinstance(done, str):
        return replace(result, failure=done)
    if done.returncode:
        return replace(result, failure=_end(done))
    outputs = _read_outputs(order.work / f"{number}.out.npz", variant)
    specs = list_specs(bundle.manifest.outputs, variant.outputs)
    expected = next(e.tensors for e in golden.expected if e.variant == variant.id)
    own = measure_worst_psnr_db(bundle.root, expected, specs, outputs)
    if own is None:
        return replace(result, failure=f"golden {golden.id} expects nothing of it")
    source = measure_worst_psnr_db(bundle.root, golden.reference, specs, outputs)
    return replace(result, psnr_db=own, source_psnr_db=source)


def _end(done: process.Completed) -> str:
    """How it ended, with the runtime's last words that are not mere information."""
    how = (
        f"the process was ended by {signal.Signals(-done.returncode).name}"
        if done.returncode < 0
        else f"it ended with status {done.returncode}"
    )
    lines = [
        line.partition(": ")[2] or line for line in done.stderr.splitlines() if re.match(r"[5-7]/|edgebundle: ", line)
    ]
    lines = [line.strip().rstrip(".") for line in lines if "OpenCL" not in line and "Falling back" not in line]
    return how + (f" ({'; '.join(list(dict.fromkeys(lines))[-_SAID:])})" if lines else "")


def _least(golden: Golden, variant: Variant) -> float:
    return next(e.min_psnr_db for e in golden.expected if e.variant == variant.id)


def _write_inputs(path: Path, bundle: Bundle, variant: Variant, golden: Golden) -> None:
    import numpy as np

    specs = list_specs(bundle.manifest.inputs, variant.inputs)
    values: Tensors = {
        tensor.name: read_golden(bundle.root, tensor, spec).astype(spec.dtype)
        for tensor, spec in zip(golden.inputs, specs, strict=True)
    }
    arrays: dict[str, Any] = {str(b.index): to_artifact(values[b.name], b) for b in variant.inputs}
    np.savez(path, **arrays)


def _read_outputs(path: Path, variant: Variant) -> Tensors:
    import numpy as np

    with np.load(path, allow_pickle=False) as arrays:
        return {b.name: from_artifact(arrays[str(b.index)], b) for b in variant.outputs}


def _has_avx512() -> bool:
    try:
        return " avx512f " in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
