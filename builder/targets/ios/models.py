"""The models of a bundle, looked into before they are packed: an app that is installed shows none of this.

In a process of its own, which keeps coremltools and its chatter out of the builder's, and once for each content.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from builder import backends, process
from builder.bundle import MANIFEST, Bundle, Manifest
from builder.errors import MissingToolError, VerificationError, reason_of
from builder.storage.cache import code_sha256, content_key, publishing, versions, whole

CHECK_S = 600.0


def check_models(bundle: Bundle) -> None:
    """Every Core ML file of the bundle: files, program, ops of its system, borders as the manifest says.

    Raises VerificationError, and MissingToolError where coremltools is not installed.
    """
    if all(variant.backend != "coreml" for variant in bundle.manifest.variants):
        return
    if versions(("coremltools",))["coremltools"] == "missing":
        raise MissingToolError(
            "Core ML files are checked before they are packed, which needs coremltools: pip install 'edgebundle[coreml]'."
        )
    key = _key(bundle.manifest)
    if whole("checked", key) is not None:
        return
    with tempfile.TemporaryDirectory(prefix="edgebundle-check-") as folder:
        report = Path(folder) / "failure.json"
        argv: list[str | Path] = [sys.executable, "-m", "builder.backends.coreml.check", bundle.root / MANIFEST, report]
        try:
            done = process.run(argv, timeout_s=CHECK_S, check=False)
        except process.ToolError as error:
            raise VerificationError(
                f"the Core ML files cannot be checked: {error}; free memory and try again."
            ) from error
        if report.is_file():
            raise VerificationError(json.loads(report.read_text(encoding="utf-8"))["message"])
        if done.returncode:
            raise VerificationError(
                f"the Core ML files cannot be checked ({reason_of(done.stderr)}); convert them again."
            )
    with publishing("checked", key):
        pass


def _key(manifest: Manifest) -> str:
    """Of all that decides the outcome: the files, what the manifest says of their borders, and the code that looks."""
    return content_key(
        {
            "files": [
                v.model_dump(mode="json", include={"id", "backend", "sha256", "inputs", "outputs"})
                for v in manifest.variants
            ],
            "tensors": [spec.model_dump(mode="json") for spec in (*manifest.inputs, *manifest.outputs)],
            "code": code_sha256(Path(backends.__file__).parent / "coreml"),
            "versions": versions(("coremltools",)),
        }
    )
