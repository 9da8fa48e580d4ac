"""The models of a bundle, looked into before they are packed: an app that is installed shows none of this.

In a process of its own, which keeps a converter and its chatter out of the builder's, and once for each content.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from builder import backends, process
from builder.backends import find_backend
from builder.backends.spec import BackendSpec
from builder.bundle import MANIFEST, Bundle, Manifest
from builder.errors import MissingToolError, VerificationError, find_reason
from builder.storage.cache import find_whole, hash_code, make_content_key, publishing, read_versions

# Core ML compiles a large network for minutes: what takes longer hangs.
CHECK_S = 600.0


def check_models(bundle: Bundle) -> None:
    """Every file of the bundle that its backend can look into: files, program, ops of its system, borders as the manifest says.

    Raises VerificationError, and MissingToolError where the backend is not installed.
    """
    for name in dict.fromkeys(variant.backend for variant in bundle.manifest.variants):
        spec = find_backend(name, variant=bundle.manifest.model.name).SPEC
        if spec.checker:
            _check(bundle, spec)


def _check(bundle: Bundle, spec: BackendSpec) -> None:
    tool = spec.packages[0]
    if read_versions((tool,))[tool] == "missing":
        raise MissingToolError(
            f"{spec.title} files are checked before they are packed, which needs {tool}: pip install 'edgebundle[{spec.name}]'."
        )
    key = _key(bundle.manifest, spec)
    if find_whole("checked", key) is not None:
        return
    with tempfile.TemporaryDirectory(prefix="edgebundle-check-") as folder:
        report = Path(folder) / "failure.json"
        argv: list[str | Path] = [sys.executable, "-m", spec.checker, bundle.root / MANIFEST, report]
        try:
            done = process.run(argv, timeout_s=CHECK_S, check=False)
        except process.ToolError as error:
            raise VerificationError(
                f"the {spec.title} files cannot be checked: {error}; free memory and try again."
            ) from error
        if report.is_file():
            raise VerificationError(json.loads(report.read_text(encoding="utf-8"))["message"])
        if done.returncode:
            raise VerificationError(
                f"the {spec.title} files cannot be checked ({find_reason(done.stderr)}); convert them again."
            )
    with publishing("checked", key):
        pass


def _key(manifest: Manifest, spec: BackendSpec) -> str:
    """Of all that decides the outcome: the files, what the manifest says of their borders, and the code that looks."""
    return make_content_key(
        {
            "files": [
                v.model_dump(mode="json", include={"id", "backend", "sha256", "inputs", "outputs"})
                for v in manifest.variants
            ],
            "tensors": [spec.model_dump(mode="json") for spec in (*manifest.inputs, *manifest.outputs)],
            "code": hash_code(Path(backends.__file__).parent / spec.name),
            "versions": read_versions(spec.packages[:1]),
        }
    )
