"""Writing an .mlpackage whose bytes depend on nothing but the model: no date, no random ids, plain file modes.

Layout as coremltools writes it: Manifest.json, Data/com.apple.CoreML/model.mlmodel and .../weights/weight.bin.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

AUTHOR = "com.apple.CoreML"
DATA = f"Data/{AUTHOR}"
MODEL = f"{DATA}/model.mlmodel"
WEIGHTS = f"{DATA}/weights"
# Coremltools' own model.mlmodel is readable by its writer only.
_MODE = 0o644


def write_package(model: Any, out: Path) -> None:
    """Save a coremltools MLModel to the new directory `out`."""
    spec = model.get_spec()
    # coremltools notes its version, torch's and the date there; the bundle's manifest has the versions
    spec.description.metadata.userDefined.clear()
    content = spec.SerializeToString(deterministic=True)
    digest = hashlib.sha256(content)
    entries = {_identifier("model", digest): _entry("model.mlmodel", "CoreML Model Specification")}
    (root,) = entries
    _write(out / MODEL, content)
    weights = (
        sorted(Path(model.weights_dir).iterdir()) if model.weights_dir and Path(model.weights_dir).is_dir() else []
    )
    if weights:  # a network without large constants has none
        for file in weights:
            values = file.read_bytes()
            digest.update(values)
            _write(out / WEIGHTS / file.name, values)
        entries[_identifier("weights", digest)] = _entry("weights", "CoreML Model Weights")
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entries, "rootModelIdentifier": root}
    _write(out / "Manifest.json", (json.dumps(manifest, indent=4, sort_keys=True) + "\n").encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(_MODE)


def _identifier(role: str, digest: Any) -> str:
    """A UUID made from the content, where coremltools takes a random one; upper case as Apple writes them."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{role} {digest.hexdigest()}")).upper()


def _entry(path: str, description: str) -> dict[str, str]:
    return {"author": AUTHOR, "description": description, "name": path, "path": f"{AUTHOR}/{path}"}
