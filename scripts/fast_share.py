"""How many statements of builder/ and harness/ the fast tests reach, of those that need no converter: `python scripts/fast_share.py`.

A module needs a converter where it imports one: at its head, inside functions, or for its types. `make fast` starts none, so that such a
module is not counted.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("builder", "harness")
# What converts, quantizes or executes a network.
CONVERTERS = {
    "ai_edge_litert", "ai_edge_quantizer", "coremltools", "executorch", "keras", "litert_torch", "onnx", "onnx2tf", "onnxruntime", "onnxscript",
    "onnxsim", "tensorflow", "tf2onnx", "torch", "torchao",
}  # fmt: skip


def find_imports(path: Path) -> Iterator[str]:
    """The packages that a module imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def find_converting() -> set[str]:
    """The modules that need a converter, by their place."""
    return {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*.py")
        if CONVERTERS.intersection(find_imports(path))
    }


def measure_share(folder: Path) -> dict[str, tuple[int, int]]:
    """By module that needs no converter: statements, and those that the fast tests reach. Raises CalledProcessError where one fails."""
    report = folder / "coverage.json"
    environment = os.environ | {"EDGEBUNDLE_WORKERS": "plain", "COVERAGE_FILE": str(folder / "coverage")}
    words = [
        "-m",
        "pytest",
        "-q",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "-m",
        "fast",
        "--cov",
        "--cov-report",
        f"json:{report}",
    ]
    subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, check=True, stdout=sys.stderr)
    converting = find_converting()
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    return {
        name: (file["summary"]["num_statements"], file["summary"]["covered_lines"])
        for name, file in files.items()
        if name not in converting
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        shares = measure_share(Path(name))
    for place, (statements, reached) in sorted(shares.items(), key=lambda item: item[1][1] - item[1][0]):
        print(f"{statements - reached:6} of {statements:5} not reached  {place}")
    statements, reached = (sum(column) for column in zip(*shares.values(), strict=True))
    print(f"{reached} of {statements} statements of {len(shares)} modules: {100 * reached / statements:.1f} %")


if __name__ == "__main__":
    main()
