"""A page of pictures: what every variant makes of a photograph beside what the source makes of it, and their difference, enlarged.

One file that needs nothing else: pictures are inside it, and a click shows one at its full size.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from builder.bundle import TensorSpec
from builder.bundle.page import make_document
from builder.bundle.tensors import EQUAL_DB, find_peak, make_pixels, measure_psnr_db
from builder.quality.difference import compute_differences, encode_png

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

MARK = "<title>Pictures of "
# Classes that are named of an output with labels.
BEST = 3

STYLE = """
body{max-width:1400px}section{margin:2em 0}.row{display:flex;flex-wrap:wrap;gap:14px}figure{width:256px}
figure img{width:256px;height:auto;display:block;background:#888}
figcaption{margin-top:4px;overflow-wrap:anywhere}figcaption b{display:block}.low{color:var(--invalid)}
"""
# Below this most people see a difference side by side.
LOW_DB = 30.0


@dataclass(frozen=True, kw_only=True)
class Made:
    """What one variant, named `name`, gives for a sample: tensors by output, logical layout."""

    name: str
    about: str
    outputs: dict[str, NDArray[np.generic]]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One photograph (None where the network takes none), what it is compared with, and what the variants give for it."""

    name: str
    picture: Pixels | None
    reference: Made
    made: tuple[Made, ...]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One variant's picture of one output, ready to show. `difference` is enlarged `times`; None beside the reference itself."""

    sample: str
    name: str
    output: str
    about: str
    psnr_db: float | None
    pixels: Pixels
    difference: Pixels | None
    times: int


def make_cells(sample: Sample, outputs: Sequence[TensorSpec]) -> list[Cell]:
    """All pictures of one sample, the reference first; every difference of an output is enlarged by the same power of two."""
    entries = []
    for spec in (spec for spec in outputs if spec.kind == "image"):
        wanted = make_pixels(sample.reference.outputs[spec.name], spec)
        shown = {made.name: make_pixels(made.outputs[spec.name], spec) for made in sample.made}
        apart, times = compute_differences(shown, wanted)
        entries.append(_cell(sample, sample.reference, spec, wanted, None, 1))
        for made in sample.made:
            entries.append(_cell(sample, made, spec, shown[made.name], apart[made.name], times))
    return entries


def _cell(sample: Sample, made: Made, spec: TensorSpec, pixels: Pixels, difference: Pixels | None, times: int) -> Cell:
    want = sample.reference.outputs[spec.name]
    psnr = None if made is sample.reference else measure_psnr_db(made.outputs[spec.name], want, find_peak(spec, want))
    return Cell(
        sample=sample.name, name=made.name, output=spec.name, about=made.about, psnr_db=psnr, pixels=pixels,
        difference=difference, times=times,
    )  # fmt: skip


def render_page(title: str, about: str, samples: Sequence[Sample], outputs: Sequence[TensorSpec]) -> str:
    """The whole page as HTML."""
    parts = [f"<h1>{escape(title)}</h1><p>{escape(about)}</p>"]
    for sample in samples:
        figures = (
            [_figure("the photograph", "", [_image(sample.picture, sample.name)])] if sample.picture is not None else []
        )
        figures += [_render_cell(cell) for cell in make_cells(sample, outputs)]
        figures += [f for made in (sample.reference, *sample.made) for f in _numbers(made, sample, outputs)]
        parts.append(f"<section><h2>{escape(sample.name)}</h2><div class='row'>{''.join(figures)}</div></section>")
    return make_document(f"{MARK.removeprefix('<title>')}{title}", "".join(parts), style=STYLE, zoom=True)


def _render_cell(cell: Cell) -> str:
    label = cell.name if cell.psnr_db is None else f"{cell.name}, {cell.output}"
    images = [_image(cell.pixels, label)]
    said = cell.about
    if cell.psnr_db is not None and cell.difference is not None:
        images.append(_image(cell.difference, f"{label}: difference, times {cell.times}"))
        agreement = "equal" if cell.psnr_db >= EQUAL_DB else f"{cell.psnr_db:.1f} dB"
        low = " class='low'" if cell.psnr_db < LOW_DB else ""
        said = f"<span{low}>{agreement}</span>; difference times {cell.times}<br>{escape(cell.about)}"
        return _figure(cell.name, said, images)
    return _figure(cell.name, escape(said), images)


def _numbers(made: Made, sample: Sample, outputs: Sequence[TensorSpec]) -> list[str]:
    """Outputs that are no pictures: the best classes, or how far the values are from the reference's."""
    lines = []
    for spec in (spec for spec in outputs if spec.kind != "image"):
        values = np.asarray(made.outputs[spec.name], np.float64).reshape(-1)
        if spec.labels is not None:
            best = np.argsort(-values, kind="stable")[:BEST]
            said = "<br>".join(f"{escape(spec.labels[i])}: {values[i]:.4g}" for i in best)
        else:
            wanted = np.asarray(sample.reference.outputs[spec.name], np.float64).reshape(-1)
            said = f"{values.size} values, largest difference {np.abs(values - wanted).max():.3g}"
        lines.append(_figure(made.name, f"{escape(spec.name)}: {said}", []))
    return lines


def _figure(name: str, said: str, images: Sequence[str]) -> str:
    return f"<figure>{''.join(images)}<figcaption><b>{escape(name)}</b>{said}</figcaption></figure>"


def _image(pixels: Pixels, label: str) -> str:
    return f"<img src='data:image/png;base64,{base64.b64encode(encode_png(pixels)).decode()}' alt='{escape(label, quote=True)}'>"
