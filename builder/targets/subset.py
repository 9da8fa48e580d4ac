"""A bundle with fewer variants and files: what a package carries, which runs some backends and is read by a phone alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from builder.bundle import MANIFEST, Bundle, Golden, Manifest
from builder.errors import ConfigError


def subset(bundle: Bundle, backends: tuple[str, ...], out: Path) -> Bundle:
    """Write to `out` (absent or empty) the bundle with the variants of these backends only, its manifest consistent with it.

    Files that only left-out variants use (artifacts, expected outputs of goldens) are left out too, and so are the goldens' references,
    which `builder verify` alone compares, and all goldens of a size but the smallest: one finds a device that computes wrongly. Raises ConfigError when
    no variant remains.
    """
    manifest = bundle.manifest
    kept = tuple(v for v in manifest.variants if v.backend in backends)
    if not kept:
        raise ConfigError(
            f"the bundle has no variant for {' or '.join(backends)} (it has {', '.join(v.id for v in manifest.variants)}); "
            f'add a [[variant]] with backend = "{backends[0]}" to builder.toml.'
        )
    ids = {v.id for v in kept}
    goldens = _smallest(bundle, tuple(_for_phones(golden, ids) for golden in manifest.goldens))
    dropped = _own_files(manifest) - _own_files(manifest.model_copy(update={"variants": kept, "goldens": goldens}))
    files = tuple(
        f for f in manifest.files if not any(f.file == name or f.file.startswith(name + "/") for name in dropped)
    )
    smaller = manifest.model_copy(update={"variants": kept, "goldens": goldens, "files": files})
    for entry in files:
        target = out / entry.file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle.path(entry.file), target)
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).write_text(smaller.to_json(), encoding="utf-8")
    return Bundle.open(out)


def _for_phones(golden: Golden, variants: set[str]) -> Golden:
    """The golden with what a phone compares: inputs, and the outputs of the variants that are there."""
    expected = tuple(outputs for outputs in golden.expected if outputs.variant in variants)
    return golden.model_copy(update={"expected": expected, "reference": ()})


def _smallest(bundle: Bundle, goldens: tuple[Golden, ...]) -> tuple[Golden, ...]:
    """For each set of variants the golden with the fewest bytes."""
    best: dict[frozenset[str], Golden] = {}
    for golden in goldens:
        speaks_of = frozenset(outputs.variant for outputs in golden.expected)
        if speaks_of and (speaks_of not in best or _bytes(bundle, golden) < _bytes(bundle, best[speaks_of])):
            best[speaks_of] = golden
    return tuple(best.values())


def _bytes(bundle: Bundle, golden: Golden) -> int:
    return sum(bundle.path(name).stat().st_size for name in _golden_files(golden))


def _own_files(manifest: Manifest) -> set[str]:
    """The files (or artifact directories) that variants and goldens name."""
    return {v.file for v in manifest.variants} | {name for golden in manifest.goldens for name in _golden_files(golden)}


def _golden_files(golden: Golden) -> set[str]:
    tensors = (*golden.inputs, *golden.reference, *(t for outputs in golden.expected for t in outputs.tensors))
    return {tensor.file for tensor in tensors}
