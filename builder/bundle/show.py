"""A bundle as HTML for notebooks: its variants in a table, and the goldens as pictures."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.bundle.archive import Bundle
    from builder.bundle.manifest import GoldenTensor

# Of a picture in pixels.
WIDTH = 160


def render_bundle(bundle: Bundle) -> str:
    """A fragment without a style sheet: notebooks have their own."""
    manifest = bundle.manifest
    rows = [
        [
            variant.id,
            f"{variant.bytes:,}",
            ", ".join(dict.fromkeys(layer.realised for layer in variant.layers)),
            variant.quality.worst_text,
            "" if variant.quality.ssim_worst is None else f"{variant.quality.ssim_worst:.4f}",
            f"{variant.coverage.delegated_ops}/{variant.coverage.total_ops}",
            variant.quality.runtime,
        ]
        for variant in manifest.variants
    ]
    title = f"{manifest.model.name} {manifest.model.version}"
    failed = "".join(f"<p>{escape(f.id)} could not be made: {escape(f.reason)}</p>" for f in manifest.failures)
    columns = ("variant", "bytes", "precision", "worst dB", "SSIM", "delegated", "run by")
    return f"<h3>{escape(title)}</h3>{render_table(columns, rows)}{failed}{_goldens(bundle)}"


def render_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Every cell as text."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _goldens(bundle: Bundle) -> str:
    """Of the first golden: its inputs, what the source gives, and what each variant gives."""
    if not bundle.manifest.goldens:
        return ""
    golden = bundle.manifest.goldens[0]
    shown = _pictures(bundle, "input", golden.inputs) + _pictures(bundle, "source", golden.reference)
    for expected in golden.expected:
        shown += _pictures(bundle, expected.variant, expected.tensors)
    return f"<div style='display:flex;flex-wrap:wrap;gap:8px'>{''.join(shown)}</div>" if shown else ""


def _pictures(bundle: Bundle, what: str, tensors: Sequence[GoldenTensor]) -> list[str]:
    lines = []
    for tensor in tensors:
        if tensor.encoding == "png":
            content = base64.b64encode((bundle.root / tensor.file).read_bytes()).decode()
            image = f"<img width='{WIDTH}' alt='{escape(what, quote=True)}' src='data:image/png;base64,{content}'>"
            lines.append(f"<figure style='margin:0'>{image}<figcaption>{escape(what)}</figcaption></figure>")
    return lines
