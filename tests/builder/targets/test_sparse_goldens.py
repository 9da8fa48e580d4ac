"""Goldens of packages: a sixteenth of the expected pixels, and as strict as all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builder.bundle import Bundle, FileHash, TensorSpec, hash_file, list_tree
from builder.bundle.sparse import make_sparse_spec, sample_pixels
from builder.bundle.tensors import EQUAL_DB, as_golden, make_tensor, measure_psnr_db, read_golden, write_picture
from builder.targets.subset import write_subset
from builder.workers.jobs.goldens import simplify_sample
from tests.bundles import make_unopened_bundle

SPEC = TensorSpec(name="stylized", kind="image", shape=(1, 3, 128, 128), range=(0.0, 1.0))
Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def picture() -> Pixels:
    rows, columns = np.mgrid[0:128, 0:128]
    waves = np.stack([np.sin(rows / 7), np.cos(columns / 5), np.sin((rows + columns) / 11)], -1)
    return (127 + 120 * waves).astype(np.uint8)


def faults() -> dict[str, Pixels]:
    """Kinds of what runtimes did wrong: each as a picture that is wrong somewhere or everywhere."""
    right, random = picture(), np.random.default_rng(16)
    wrong = {name: right.copy() for name in ("a row", "a column", "every fourth row", "a phase", "a tile", "an edge")}
    wrong["a row"][37] = 255 - wrong["a row"][37]
    wrong["a column"][:, 90] = 255 - wrong["a column"][:, 90]
    wrong["every fourth row"][1::4] = 255 - wrong["every fourth row"][1::4]
    wrong["a phase"][2::4, 1::4] = 255 - wrong["a phase"][2::4, 1::4]
    wrong["a tile"][40:72, 64:96] = 0
    wrong["an edge"][:, 120:] = 0
    wrong["swapped colours"] = right[:, :, ::-1].copy()
    wrong["noise"] = np.clip(right + random.normal(0, 12, right.shape), 0, 255).astype(np.uint8)
    wrong["moved by one"] = np.roll(right, 1, axis=1)
    return wrong


@pytest.mark.parametrize("fault", faults())
def test_a_sparse_picture_tells_the_same_psnr(fault: str) -> None:
    """Whatever is wrong, the sample's PSNR is the whole picture's within 1.5 dB."""
    right, wrong = make_tensor(picture(), SPEC), make_tensor(faults()[fault], SPEC)
    whole = measure_psnr_db(as_golden(wrong, SPEC, "png"), as_golden(right, SPEC, "png"), 1.0)
    sample = measure_psnr_db(as_golden(wrong, SPEC, "png_sparse"), as_golden(right, SPEC, "png_sparse"), 1.0)
    assert whole < 40
    assert abs(sample - whole) < 1.5


def test_every_row_and_column_is_looked_at_equally_often() -> None:
    """No row, column or place of a block is left out, where a fault could hide."""
    number = np.arange(128 * 128)
    places = np.stack([number // 128, number % 128, number * 0], -1).astype(np.uint8).reshape(128, 128, 3)
    found = sample_pixels(places).reshape(-1, 3)
    for axis in (0, 1):
        assert set(np.bincount(found[:, axis], minlength=128)) == {8}
    assert set(np.bincount(4 * (found[:, 0] % 4) + found[:, 1] % 4, minlength=16)) == {64}


def make_bundle_of_a_photograph(root: Path) -> Bundle:
    """The small bundle with pictures of 128 x 128 pixels in its golden; nothing here runs its variants."""
    bundle = make_unopened_bundle(root)
    write_picture(root / "golden/0-image.png", picture())
    write_picture(root / "golden/0-stylized.png", picture())
    shape = (1, 3, 128, 128)

    def sized(tensors: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
        return tuple(spec.model_copy(update={"shape": shape}) for spec in tensors)

    variants = tuple(
        v.model_copy(
            update={
                "inputs": tuple(b.model_copy(update={"shape": _as_laid_out(b.layout, shape)}) for b in v.inputs),
                "outputs": tuple(b.model_copy(update={"shape": _as_laid_out(b.layout, shape)}) for b in v.outputs),
            }
        )
        for v in bundle.manifest.variants
    )
    files = tuple(
        FileHash(file=p.relative_to(root).as_posix(), sha256=hash_file(p))
        for p in list_tree(root)
        if p.name != "manifest.json"
    )
    manifest = bundle.manifest.model_copy(
        update={
            "inputs": sized(bundle.manifest.inputs),
            "outputs": sized(bundle.manifest.outputs),
            "variants": variants,
            "files": files,
        }
    )
    (root / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    return Bundle.open(root)


def _as_laid_out(layout: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], shape[2], shape[3], shape[1]) if layout == "NHWC" else shape


def test_a_package_holds_sparse_expected_pictures(tmp_path: Path) -> None:
    """Its golden's expected picture is the sample of the bundle's, hashed in the manifest, and its input is whole."""
    bundle = make_bundle_of_a_photograph(tmp_path / "bundle")
    small = write_subset(bundle, ("tflite",), tmp_path / "small")
    (golden,) = small.manifest.goldens
    assert {t.encoding for outputs in golden.expected for t in outputs.tensors} == {"png_sparse"}
    assert golden.inputs == bundle.manifest.goldens[0].inputs
    tensor = golden.expected[0].tensors[0]
    stored = read_golden(small.root, tensor, SPEC)
    assert stored.shape == make_sparse_spec(SPEC).shape == (1, 3, 32, 32)
    assert measure_psnr_db(stored, as_golden(make_tensor(picture(), SPEC), SPEC, "png_sparse"), 1.0) == EQUAL_DB
    assert sorted(p.name for p in (small.root / "golden").iterdir()) == ["0-image.png", "0-stylized.sparse.png"]
    listed = {entry.file: entry.sha256 for entry in small.manifest.files}
    assert listed[tensor.file] == hash_file(small.root / tensor.file)


def test_a_golden_input_has_few_colours() -> None:
    """A photograph's golden has 8 levels of each colour, black and white among them; other inputs are kept."""
    vector = TensorSpec(name="style", kind="vector", shape=(1, 4))
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (128, 128, 3), dtype=np.uint8)
    style = random.random((1, 4), np.float32)
    plain = simplify_sample({"stylized": make_tensor(pixels, SPEC), "style": style}, (SPEC, vector))
    levels = np.unique(np.round(plain["stylized"] * 255))
    assert len(levels) == 8
    assert levels[[0, -1]].tolist() == [0, 255]
    assert np.array_equal(plain["style"], style)
