"""The page of a search: one file with the trade-off as a plot, pictures at chosen points, and the layers by damage."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from builder.bundle.page import make_document
from builder.plan_search.goal import Measures
from builder.plan_search.plot import CHOSEN, CURVE, LIMIT, OTHER, Axis, mark, plot, square
from builder.plan_search.result import SearchResult, explain_unmet
from builder.project.budgets import parse_size
from builder.quality.difference import compute_differences, encode_png

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Beyond, plans are alike: their dots stand at the plot's edge.
EDGE_DB, EDGE_COST = 70.0, 2.0
# Of the curve, beside the source model's and the chosen plan's.
PICTURES = 4

STYLE = """
tr.chosen{background:var(--ok-back)}
figure{display:inline-block;margin:0 1em 1em 0;max-width:260px;vertical-align:top}figure img{width:256px}
pre{background:var(--card);border:1px solid var(--line);padding:1em;overflow-x:auto;white-space:pre-wrap}
.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.3em 1.6em;font-size:13px}.legend svg{vertical-align:middle;margin-right:.4em}
svg.plot{max-width:100%;height:auto}div.wide{overflow-x:auto}
"""


def render_fragment(result: SearchResult) -> str:
    """What a notebook shows of a search: all but the pictures, in a box with its own styles for the marks."""
    parts = (
        f"<p>{escape(_verdict(result))}</p>",
        _plots(result),
        f"<pre>{escape(result.plan)}</pre>" if result.plan else "",
    )
    return f"<div><h3>Search of {escape(result.variant)}</h3>{''.join(parts)}{_trials(result)}</div>"


def _verdict(result: SearchResult) -> str:
    if result.chosen:
        return f"Chosen: trial {result.chosen}, {result.measures(result.chosen).describe()}."
    return explain_unmet(result)[:1].upper() + explain_unmet(result)[1:]


def render_page(result: SearchResult, pictures: Mapping[int, Path], reference: Path | None) -> str:
    """`pictures` by trial number, `reference` the source model's; none for networks without pictures."""
    failed = [trial for trial in result.trials if trial.failure is not None]
    parts = [
        f"<h1>Search of {escape(result.variant)}</h1><p>{escape(_verdict(result))}</p>",
        f"<p>{len(result.trials)} plans were exported and run on {escape(result.backend)} ({escape(result.delegate)}); "
        f"{len(failed)} failed. Qualities are those of the worst evaluation sample.",
        f" Cost is {escape(result.cost)}, relative to fp32." if result.cost else "",
        f" The delegate was to take at least {result.coverage:.1%} of the multiply-accumulates.</p>"
        if result.coverage
        else "</p>",
        _plots(result),
        _pictures(result, pictures, reference),
        f"<h2>The plan</h2><pre>{escape(result.plan)}</pre>" if result.plan else "",
        _damage(result),
        _trials(result),
    ]
    return make_document(f"Search of {result.variant}", "".join(parts), style=STYLE, zoom=True)


def _plots(result: SearchResult) -> str:
    label, quality = _quality(result)
    budgets = result.budgets
    good = _find_quality_limit(result)
    small = None if budgets.max_bytes is None else float(parse_size(budgets.max_bytes))
    up = Axis(label=label, value=quality, limit=good)
    made = [plot(result, Axis(label="bytes", value=lambda m: float(m.bytes), limit=small), up)]
    if result.cost:
        words = f"cost (fp32 = 1; {EDGE_COST:g} and more at the edge)"
        made.append(plot(result, Axis(label=words, value=_cost, limit=budgets.max_cost), up))
    return "<h2>Trade-off</h2>" + _legend(result) + "".join(f"<div class=wide>{drawn}</div>" for drawn in made)


def _find_quality_limit(result: SearchResult) -> float | None:
    """The least quality that is asked for, in the unit of the plot."""
    budgets = result.budgets
    label = _quality(result)[0]
    if label.startswith("top-1"):
        return budgets.min_top1
    return budgets.min_ssim if label.startswith("SSIM") else budgets.min_psnr_db


def _legend(result: SearchResult) -> str:
    shapes = [
        (mark(8, 8, CHOSEN, 7), "the chosen plan") if result.chosen else None,
        (mark(8, 8, CURVE, 4), "beaten by no other plan in quality, size and cost at once"),
        (mark(8, 8, OTHER, 4), "any other plan"),
        (square(8, 8, OTHER), "a stock recipe: one scheme for all layers that can have it"),
        (f'<line x1="0" x2="16" y1="8" y2="8" stroke="{LIMIT}" stroke-width="2" stroke-dasharray="5 3"/>', "a budget"),
    ]
    items = "".join(f'<li><svg width="16" height="16">{s[0]}</svg>{s[1]}</li>' for s in shapes if s is not None)
    return f'<ul class="legend">{items}</ul>'


def _quality(result: SearchResult) -> tuple[str, Callable[[Measures], float | None]]:
    budgets = result.budgets
    if budgets.objective == "top1" or (budgets.min_top1 is not None and budgets.min_psnr_db is None):
        return "top-1 agreement", lambda m: m.top1
    if budgets.objective == "ssim" or (budgets.min_ssim is not None and budgets.min_psnr_db is None):
        return "SSIM, worst picture", lambda m: m.ssim
    return f"PSNR dB, worst sample ({EDGE_DB:g} and more at the edge)", lambda m: min(m.psnr_db, EDGE_DB)


def _cost(measures: Measures) -> float | None:
    return None if measures.cost is None else min(measures.cost, EDGE_COST)


def _pictures(result: SearchResult, pictures: Mapping[int, Path], reference: Path | None) -> str:
    if reference is None:
        return ""
    on_curve = [n for n in result.curve if n in pictures and n != result.chosen]
    if len(on_curve) > PICTURES:
        on_curve = [on_curve[round(i * (len(on_curve) - 1) / (PICTURES - 1))] for i in range(PICTURES)]
    special = [n for n in (result.chosen, result.nearest_small, result.nearest_good) if n and n in pictures]
    shown = [("the source model", reference)]
    for number in dict.fromkeys([*special, *on_curve]):
        name = "chosen, " if number == result.chosen else ""
        shown.append((f"{name}trial {number}: {result.measures(number).describe()}", pictures[number]))
    apart, times = compute_differences({what: _pixels(path) for what, path in shown[1:]}, _pixels(reference))
    return (
        f"<h2>Pictures</h2><p>Below each its difference from the source model's, times {times}. A click shows one at its full size.</p>"
        + "".join(
            f"<figure>{_image(path.read_bytes(), what)}"
            f"{_image(encode_png(apart[what]), f'{what}: difference, times {times}') if what in apart else ''}"
            f"<figcaption>{escape(what)}</figcaption></figure>"
            for what, path in shown
        )
    )


def _image(content: bytes, what: str) -> str:
    return f'<img alt="{escape(what)}" src="data:image/png;base64,{base64.b64encode(content).decode()}">'


def _pixels(path: Path) -> NDArray[np.uint8]:
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _damage(result: SearchResult) -> str:
    if not result.damage:
        return ""
    rows = "".join(
        f"<tr><td>{escape(', '.join(d.layers))}</td><td>{escape(d.low)}</td><td class=n>{d.psnr_db:.2f}</td>"
        f"<td class=n>{d.bytes_saved:,}</td><td class=n>{d.noise_per_byte:.3g}</td></tr>"
        for d in result.damage
    )
    how = (
        "Each line is measured: all layers high, these alone lowered."
        if all(d.measured for d in result.damage)
        else "Each line is what the whole network in that scheme measured, shared among its layers by simulating each alone."
    )
    return (
        f"<h2>Layers by damage per byte saved</h2><p>{how}</p>"
        "<table><tr><th>layers</th><th>lowered to</th><th class=n>PSNR dB</th><th class=n>bytes saved</th>"
        f"<th class=n>noise per byte</th></tr>{rows}</table>"
    )


def _trials(result: SearchResult) -> str:
    rows = []
    for trial in result.trials:
        how = trial.measures.describe() if trial.measures else f"failed: {trial.failure}"
        kind = ' class="chosen"' if trial.number == result.chosen else ""
        rows.append(
            f"<tr{kind}><td class=n>{trial.number}</td><td>{escape(trial.origin)}</td><td>{escape(trial.what)}</td><td>{escape(how)}</td></tr>"
        )
    return f"<h2>All trials</h2><table><tr><th class=n>trial</th><th>kind</th><th>what</th><th>measured</th></tr>{''.join(rows)}</table>"
