"""Bundles that were damaged, each in one way, as disks, networks and people do it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from builder.bundle import MANIFEST, hash_file

Raw = dict[str, Any]


def write_damages(bundle: Path, out: Path) -> None:
    """For each kind of damage a copy of the bundle, with all its variants damaged, in a directory of that name."""
    for name, damage in {**_files(), **_manifests()}.items():
        shutil.copytree(bundle, out / name)
        damage(out / name)


def _files() -> dict[str, Callable[[Path], object]]:
    """Damage to files, which the manifest's hashes do not know of."""
    return {
        "no-manifest": lambda root: (root / MANIFEST).unlink(),
        "manifest-is-empty": lambda root: (root / MANIFEST).write_bytes(b""),
        "manifest-is-cut": lambda root: _cut(root / MANIFEST),
        "manifest-is-zeroed": lambda root: _zero(root / MANIFEST),
        "artifact-is-missing": lambda root: _each(root, "weights", Path.unlink),
        "artifact-is-cut": lambda root: _each(root, "weights", _cut),
        "artifact-is-zeroed": lambda root: _each(root, "weights", _zero),
        "artifact-has-more": lambda root: _each(root, "weights", lambda path: (path.parent / "more").write_bytes(b"x")),
        "golden-is-missing": lambda root: _each(root, "golden", Path.unlink),
        "golden-is-cut": lambda root: _each(root, "golden", _cut),
        "golden-is-cut-to-one-value": lambda root: _each(
            root, "golden", lambda path: path.write_bytes(path.read_bytes()[:4])
        ),
        "golden-is-zeroed": lambda root: _each(root, "golden", _zero),
        "golden-has-more": lambda root: _each(root, "golden", lambda path: path.write_bytes(path.read_bytes() * 2)),
    }


def _tensors(raw: Raw, **fields: object) -> None:
    for tensor in (*raw["inputs"], *raw["outputs"]):
        tensor.update(fields)


def _variants(raw: Raw, **fields: object) -> None:
    for variant in raw["variants"]:
        variant.update(fields)


def _bindings(raw: Raw, **fields: object) -> None:
    for variant in raw["variants"]:
        for binding in (*variant["inputs"], *variant["outputs"]):
            binding.update(fields)


def _expected(raw: Raw, **fields: object) -> None:
    for golden in raw["goldens"]:
        for outputs in golden["expected"]:
            outputs.update(fields)


def _huge(raw: Raw) -> None:
    _tensors(raw, shape=[1, 3, 2**31, 2**31])
    _bindings(raw, shape=[1, 3, 2**31, 2**31])


def _changed(change: Callable[[Raw], object], root: Path) -> None:
    raw = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    change(raw)
    (root / MANIFEST).write_text(json.dumps(raw), encoding="utf-8")


def _manifests() -> dict[str, Callable[[Path], object]]:
    """Manifests that are JSON, and wrong."""
    changes: dict[str, Callable[[Raw], object]] = {
        "schema-is-newer": lambda raw: raw.update(schema=2),
        "schema-is-text": lambda raw: raw.update(schema="one"),
        "shape-is-negative": lambda raw: _tensors(raw, shape=[1, 3, -32, 32]),
        "shape-is-huge": _huge,
        "shape-is-empty": lambda raw: _tensors(raw, shape=[]),
        "range-is-empty": lambda raw: _tensors(raw, range=[]),
        "range-is-backwards": lambda raw: _tensors(raw, range=[1, 0]),
        "no-inputs": lambda raw: raw.update(inputs=[]),
        "no-variants": lambda raw: raw.update(variants=[]),
        "hash-is-of-another": lambda raw: _variants(raw, sha256="0" * 64),
        "variant-twice": lambda raw: raw["variants"].append(raw["variants"][0]),
        "artifact-leaves-the-bundle": lambda raw: _variants(raw, file="../../bundle"),
        "dtype-is-unknown": lambda raw: _bindings(raw, dtype="complex64"),
        "index-is-beyond": lambda raw: _bindings(raw, index=9),
        "golden-without-hash": lambda raw: raw.update(files=[]),
        "golden-without-input": lambda raw: raw["goldens"][0].update(inputs=[]),
        "golden-expects-nothing": lambda raw: _expected(raw, tensors=[]),
        "golden-is-passed-by-all": lambda raw: _expected(raw, min_psnr_db=-300),
        "golden-is-no-number": lambda raw: _expected(raw, min_psnr_db="NaN"),
        "golden-of-another-output": lambda raw: [
            tensor.update(name="other") for outputs in raw["goldens"][0]["expected"] for tensor in outputs["tensors"]
        ],
    }

    return {**{name: partial(_changed, change) for name, change in changes.items()}, "golden-of-another-size": _resize}


def _resize(root: Path) -> None:
    """Golden pictures of one pixel, with the right hash."""
    raw = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    for path in (root / "golden").rglob("*.png"):
        Image.new("RGB", (1, 1)).save(path)
        for entry in raw["files"]:
            if entry["file"] == path.relative_to(root).as_posix():
                entry["sha256"] = hash_file(path)
    (root / MANIFEST).write_text(json.dumps(raw), encoding="utf-8")


def _each(root: Path, kind: str, damage: Callable[[Path], object]) -> None:
    found = [path for path in root.rglob("*") if path.is_file() and kind in path.relative_to(root).as_posix()]
    assert found, kind
    for path in found:
        damage(path)


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))
