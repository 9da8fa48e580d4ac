"""A bundle with fewer variants and files: what a package carries, which runs some backends and is read by a phone alone."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from builder.backends import list_backends
from builder.bundle import MANIFEST, Bundle, FileHash, Golden, GoldenTensor, Manifest, TensorSpec
from builder.bundle.tensors import find_peak, list_specs, measure_psnr_db, read_golden
from builder.errors import ConfigError
from builder.targets.sparse_goldens import make_sparse_goldens

# A picture that is nearer than what a variant must reach by this has 3 % of the error that is allowed.
SHARE_DB = 15.0


def write_subset(bundle: Bundle, artifacts: tuple[str, ...], out: Path) -> Bundle:
    """Write to `out` (absent or empty) the bundle with the variants only whose files end so, its manifest consistent with it.

    Files that only left-out variants use (artifacts, expected outputs of goldens) are left out too, and so are the goldens' references,
    which `builder verify` alone compares, and all goldens of a size but the smallest: one finds a device that computes wrongly.
    Variants whose expected pictures are alike share one, and expected pictures are sparse: a phone's output is compared
    in one of 16 pixels. Raises ConfigError when no variant remains.
    """
    manifest = bundle.manifest
    kept = tuple(v for v in manifest.variants if v.file.endswith(artifacts))
    if not kept:
        backends = list_backends(artifacts)
        raise ConfigError(
            f"the bundle has no variant for {' or '.join(backends)} (it has {', '.join(v.id for v in manifest.variants)}); "
            f'add a [[variant]] with backend = "{backends[0]}" to builder.toml.'
        )
    ids = {v.id for v in kept}
    smallest = _smallest(bundle, tuple(_for_phones(golden, ids) for golden in manifest.goldens))
    shared = tuple(_sharing(bundle, golden) for golden in smallest)
    goldens, made = make_sparse_goldens(bundle, shared)
    dropped = _list_own_files(manifest) - _list_own_files(
        manifest.model_copy(update={"variants": kept, "goldens": goldens})
    )
    files = tuple(
        f for f in manifest.files if not any(f.file == name or f.file.startswith(name + "/") for name in dropped)
    )
    listed = files + tuple(FileHash(file=name, sha256=hashlib.sha256(made[name]).hexdigest()) for name in sorted(made))
    listed = tuple(sorted(listed, key=lambda entry: entry.file))
    smaller = manifest.model_copy(update={"variants": kept, "goldens": goldens, "files": listed})
    for entry in files:
        target = out / entry.file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle.path(entry.file), target)
    for name, content in made.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).write_text(smaller.to_json(), encoding="utf-8")
    return Bundle.open(out)


def _for_phones(golden: Golden, variants: set[str]) -> Golden:
    """The golden with what a phone compares: inputs, and the outputs of the variants that are there."""
    expected = tuple(outputs for outputs in golden.expected if outputs.variant in variants)
    return golden.model_copy(update={"expected": expected, "reference": ()})


def _sharing(bundle: Bundle, golden: Golden) -> Golden:
    """The golden whose variants take the picture of an earlier one where it agrees with their own far better than they must."""
    pictures: list[GoldenTensor] = []
    expected = []
    for outputs in golden.expected:
        variant = next(v for v in bundle.manifest.variants if v.id == outputs.variant)
        specs = {spec.name: spec for spec in list_specs(bundle.manifest.outputs, variant.outputs)}
        tensors = []
        for own in outputs.tensors:
            alike = (p for p in pictures if _alike(bundle, p, own, specs[own.name], outputs.min_psnr_db + SHARE_DB))
            tensors.append(next(alike, own))
            pictures.append(tensors[-1])
        expected.append(outputs.model_copy(update={"tensors": tuple(tensors)}))
    return golden.model_copy(update={"expected": tuple(expected)})


def _alike(bundle: Bundle, other: GoldenTensor, own: GoldenTensor, spec: TensorSpec, least_db: float) -> bool:
    if (other.name, other.encoding, own.encoding) != (own.name, "png", "png"):
        return False
    expected = read_golden(bundle.root, own, spec)
    return measure_psnr_db(read_golden(bundle.root, other, spec), expected, find_peak(spec, expected)) >= least_db


def _smallest(bundle: Bundle, goldens: tuple[Golden, ...]) -> tuple[Golden, ...]:
    """For each set of variants the golden with the fewest bytes."""
    best: dict[frozenset[str], Golden] = {}
    for golden in goldens:
        speaks_of = frozenset(outputs.variant for outputs in golden.expected)
        if speaks_of and (speaks_of not in best or _bytes(bundle, golden) < _bytes(bundle, best[speaks_of])):
            best[speaks_of] = golden
    return tuple(best.values())


def _bytes(bundle: Bundle, golden: Golden) -> int:
    return sum(bundle.path(name).stat().st_size for name in _list_golden_files(golden))


def _list_own_files(manifest: Manifest) -> set[str]:
    """The files (or artifact directories) that variants and goldens name."""
    return {v.file for v in manifest.variants} | {
        name for golden in manifest.goldens for name in _list_golden_files(golden)
    }


def _list_golden_files(golden: Golden) -> set[str]:
    tensors = (*golden.inputs, *golden.reference, *(t for outputs in golden.expected for t in outputs.tensors))
    return {tensor.file for tensor in tensors}
