"""Writing an .mlpackage whose bytes depend on nothing but the model: no date, no random ids, plain file modes.

Layout as coremltools writes it: Manifest.json, Data/com.apple.CoreML/model.mlmodel and .../weights/weight.bin.
"""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

AUTHOR = "com.apple.CoreML"
DATA = f"Data/{AUTHOR}"
MODEL = f"{DATA}/model.mlmodel"
WEIGHTS = f"{DATA}/weights"


def write_package(model: Any, out: Path) -> None:
    """Save a coremltools MLModel deterministically to the directory `out`."""
    spec = model.get_spec()
    spec.description.metadata.userDefined.clear()  # versions and the date of the conversion; the manifest has the versions
    content = spec.SerializeToString(deterministic=True)
    (out / DATA).mkdir(parents=True)
    (out / MODEL).write_bytes(content)
    entries = {_identifier("model", content): _entry("model.mlmodel", "CoreML Model Specification")}
    root = next(iter(entries))
    weights = Path(model.weights_dir) if model.weights_dir else None
    if weights is not None and weights.is_dir():
        (out / WEIGHTS).mkdir()
        for file in sorted(weights.iterdir()):
            shutil.copyfile(file, out / WEIGHTS / file.name)
        entries[_identifier("weights", content)] = _entry("weights", "CoreML Model Weights")
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entries, "rootModelIdentifier": root}
    (out / "Manifest.json").write_text(json.dumps(manifest, indent=4, sort_keys=True) + "\n", encoding="utf-8")


def _identifier(role: str, content: bytes) -> str:
    """A UUID made from the content, where coremltools takes a random one."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{role} {content.hex()}"))


def _entry(path: str, description: str) -> dict[str, str]:
    return {"author": AUTHOR, "description": description, "name": path, "path": f"{AUTHOR}/{path}"}
