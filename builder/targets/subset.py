"""A bundle with fewer variants: what a package carries when it cannot run all backends."""

from __future__ import annotations

import shutil
from pathlib import Path

from builder.bundle import MANIFEST, Bundle, Golden, Manifest
from builder.errors import ConfigError


def subset(bundle: Bundle, backends: tuple[str, ...], out: Path) -> Bundle:
    """Write to `out` (absent or empty) the bundle with the variants of these backends only, its manifest consistent with it.

    Files that only left-out variants use (artifacts, expected outputs of goldens) are left out too. Raises ConfigError when
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
    goldens = tuple(
        g.model_copy(update={"expected": tuple(e for e in g.expected if e.variant in ids)}) for g in manifest.goldens
    )
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


def _own_files(manifest: Manifest) -> set[str]:
    """The files (or artifact directories) that variants and goldens name."""
    return {v.file for v in manifest.variants} | {name for golden in manifest.goldens for name in _golden_files(golden)}


def _golden_files(golden: Golden) -> set[str]:
    return {t.file for t in golden.inputs} | {t.file for outputs in golden.expected for t in outputs.tensors}
