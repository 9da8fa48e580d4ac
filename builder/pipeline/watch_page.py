"""The page of `builder convert --watch`: each variant's picture beside the source model's and the one before, refreshed by itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from builder.bundle.page import make_document

# A round takes seconds: the page is never far behind.
REFRESH_S = 2
STYLE = """
figure{display:inline-block;margin:0 1em 0 0;max-width:280px;vertical-align:top}figure img{width:256px;max-width:100%}
.error{background:var(--invalid-back);padding:1em;white-space:pre-wrap}.better{color:var(--ok)}.worse{color:var(--invalid)}
"""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One variant at one time: figures, and its picture and the source model's as PNG files, empty for networks without pictures."""

    variant: str
    psnr_db: float | None
    file_bytes: int
    delegated: str
    reference: bytes
    picture: bytes


def render_page(now: Sequence[Side], before: Sequence[Side], error: str) -> str:
    """`error` is the sentence of a conversion that failed; what is shown is then of the last one that did not."""
    old = {side.variant: side for side in before}
    body = f'<p class="error">{escape(error)}</p>' if error else ""
    body += "".join(_section(side, old.get(side.variant)) for side in now)
    return make_document("builder convert --watch", body, style=STYLE, refresh_s=REFRESH_S)


def _section(side: Side, before: Side | None) -> str:
    decibels = "not executed here" if side.psnr_db is None else f"{side.psnr_db:.1f} dB on the worst picture"
    if before and side.psnr_db is not None and before.psnr_db is not None:
        decibels += _change(side.psnr_db, before.psnr_db, "dB", 1)
    size = _change(-side.file_bytes, -before.file_bytes, "B", 0) if before else ""
    pictures = [("source model", side.reference), ("now", side.picture), ("before", before.picture if before else b"")]
    shown = "".join(
        f'<figure><img alt="{name}" src="data:image/png;base64,{base64.b64encode(data).decode()}"><figcaption>{name}</figcaption></figure>'
        for name, data in pictures
        if data
    )
    return (
        f"<section><h2>{escape(side.variant)}</h2><p>{decibels}, {side.file_bytes:,} B{size}, "
        f"{side.delegated} operators delegated</p>{shown}</section>"
    )


def _change(now: float, before: float, unit: str, digits: int) -> str:
    """What more is better: bytes come negative."""
    if round(now - before, digits) == 0:
        return ""
    shown = now - before if unit == "dB" else before - now
    return f' <span class="{"better" if now > before else "worse"}">({shown:+,.{digits}f} {unit})</span>'
