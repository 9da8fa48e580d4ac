"""What a server imports and makes once before it forks, and whether it may fork."""

from __future__ import annotations

import contextlib
import importlib
import os
import warnings
from importlib.util import find_spec

from builder.workers.orders import FILES, TORCH

IMPORTS = {
    FILES: ("numpy",),
    TORCH: ("torch", "torch.export", "safetensors.torch"),
}
# One thread for each library of arithmetic: a fork copies none but the one that forks, and the others' locks stay locked.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# What programs open of a GPU.
_DEVICES = ("/dev/nvidia", "/dev/dri", "/dev/kfd", "/dev/mali")


def warm(kind: str) -> None:
    """Import, and make once, what every job of this kind needs."""
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    warnings.simplefilter("ignore")  # the converters' own; they would bury the lines that matter
    from builder.backends import BACKENDS

    shared = [
        name for backend in BACKENDS.values() if backend.SPEC.server == kind for name in backend.SPEC.server_imports
    ]
    for name in (*IMPORTS.get(kind, ()), *shared):
        if _is_installed(name.partition(".")[0]):
            importlib.import_module(name)
    if kind == FILES:
        _warm_files()
    elif kind == TORCH:
        _warm_torch()
    else:
        BACKENDS[kind].warm()


def _is_installed(package: str) -> bool:
    """An extra that is not installed is not needed either."""
    return find_spec(package) is not None


def _warm_files() -> None:
    """The jobs, and what imports its parts when they are first used."""
    from PIL import Image

    from builder.workers import worker  # noqa: F401

    Image.init()
    if _is_installed("skimage"):
        from skimage.metrics import structural_similarity  # noqa: F401


def _warm_torch() -> None:
    """A first export imports and builds what each one needs: 1.5 s of processor time."""
    import torch

    torch.set_num_threads(1)
    if _is_installed("tqdm"):
        import tqdm

        tqdm.tqdm.monitor_interval = 0  # a progress bar that slows down would be looked after by a thread
    with torch.random.fork_rng(devices=[]):
        network = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.ReLU()).eval()
        torch.export.export(network, (torch.zeros(1, 1, 2, 2),)).run_decompositions()


def explain_unsafe() -> str:
    """Why this process must not fork now, empty where it may: a thread of its own besides this one, or a GPU that it opened."""
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        return f"it runs {threads} threads"
    for handle in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own is closed by now
            target = os.readlink(f"/proc/self/fd/{handle}")
            if target.startswith(_DEVICES):
                return f"it holds {target}"
    return ""
