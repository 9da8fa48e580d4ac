"""SavedModel directories and Keras 2 files, by way of ONNX: tf2onnx in an environment of its own, then our importer.

The gate compares the result with TensorFlow's own outputs, computed in that environment.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from builder.bundle import SourceAgreement, TensorSpec
from builder.errors import ConversionError, SourceError
from builder.process import ToolError, run_limited
from builder.project.config import Config
from builder.sources.loaded import Loaded
from builder.storage.environments import TENSORFLOW, TENSORFLOW_KERAS2, make_python

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch.export import ExportedProgram

    from builder.graph.tensors import Tensors

messages = logging.getLogger(__name__)
SCRIPT = Path(__file__).parent / "inside.py"
# Loading TensorFlow and converting a large network: what takes longer hangs.
LIMIT_S = 900.0
# A converter that runs away must not take the whole machine.
MEMORY_BYTES = 8_000_000_000


def load(path: Path, config: Config) -> Loaded:
    """Raises SourceError, UnsupportedOperation, and MissingToolError when the environment cannot be made."""
    from builder.quality.parity import Original, make_torch_run
    from builder.quality.parity import gate as gate_outputs
    from builder.sources import onnx

    check(path)
    python = make_python(TENSORFLOW if path.is_dir() else TENSORFLOW_KERAS2, messages.warning)
    request = json.dumps(
        {"inputs": [[t.name, t.shape, t.dtype] for t in config.input], "outputs": [t.name for t in config.output]}
    )
    with tempfile.TemporaryDirectory(prefix="edgebundle-tensorflow-") as name:
        run_inside(python, "convert", path, Path(name), request)
        loaded = onnx.load(Path(name) / "model.onnx", config)
    specs = tuple(
        TensorSpec(name=t.name, kind=t.kind, shape=t.shape, dtype=t.dtype, range=t.range) for t in config.input
    )

    def gate(program: ExportedProgram, samples: Iterable[Tensors], outputs: tuple[TensorSpec, ...]) -> SourceAgreement:
        """TensorFlow runs all samples in one process; what the gate asks beyond them takes one each."""
        kept = list(samples)
        version, results = run_model(python, path, request, kept, outputs)
        known = {id(sample): result for sample, result in zip(kept, results, strict=True)}

        def reference(sample: Tensors) -> Tensors:
            if id(sample) in known:
                return known[id(sample)]
            return run_model(python, path, request, [sample], outputs)[1][0]

        imported = make_torch_run(program.module(), specs, outputs)
        original = Original(run=reference, runtime=f"TensorFlow {version}")
        return gate_outputs(original, imported, kept, outputs, where=path.name)

    return Loaded(program=loaded.program, gate=gate)


def run_model(
    python: Path, path: Path, request: str, samples: Sequence[Tensors], outputs: Sequence[TensorSpec]
) -> tuple[str, list[Tensors]]:
    """TensorFlow's version, and its outputs for each sample as logical tensors."""
    import numpy as np

    with tempfile.TemporaryDirectory(prefix="edgebundle-tensorflow-") as name:
        folder = Path(name)
        for number, sample in enumerate(samples):
            np.savez(folder / f"{number:04d}.in.npz", **sample)  # type: ignore[arg-type]
        version = run_inside(python, "run", path, folder, request)["version"]
        results = []
        for number in range(len(samples)):
            with np.load(folder / f"{number:04d}.out.npz", allow_pickle=False) as archive:
                values = [archive[key] for key in archive.files]
            results.append({spec.name: _logical(value, spec) for spec, value in zip(outputs, values, strict=True)})
    return version, results


def _logical(value: NDArray[np.generic], spec: TensorSpec) -> NDArray[np.generic]:
    """Channels first where the imported program has the output so."""
    turned = value.ndim == 4 and value.shape != spec.shape
    return value.transpose(0, 3, 1, 2) if turned else value


def run_inside(python: Path, mode: str, path: Path, folder: Path, request: str) -> dict[str, str]:
    """One call of `inside.py`. Raises SourceError with its sentence, ConversionError for any other end."""
    log = folder / "log.txt"
    words: list[str | Path] = [python, "-I", SCRIPT, mode, path.resolve(), folder, request]
    try:
        status = run_limited(words, log=log, timeout_s=LIMIT_S, memory_bytes=MEMORY_BYTES, poll=lambda: None)
    except ToolError as error:
        raise ConversionError(f"TensorFlow {error} on {path}; make the model smaller.") from error
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if status:
        raise ConversionError(
            f"TensorFlow cannot {mode} the model {path}: {lines[-1][:300] if lines else f'status {status}'}."
        )
    answer: dict[str, str] = json.loads(lines[-1])
    if "error" in answer:
        raise SourceError(f"{answer['error']}; correct builder.toml.")
    return answer


def check(path: Path) -> None:
    """Raises SourceError for what is neither a SavedModel nor a Keras file."""
    if not path.exists():
        raise SourceError(f"the model {path} does not exist; correct 'source' in builder.toml.")
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise SourceError(
            f"the directory {path} is no SavedModel: it has no saved_model.pb; correct 'source' in builder.toml."
        )
