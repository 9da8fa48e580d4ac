"""The page of a search: one file with the trade-off as a plot, pictures at chosen points, and the layers by damage."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

from builder.plan_search.goal import Measures
from builder.plan_search.result import SearchResult, unmet

WIDTH, HEIGHT, MARGIN = 760, 380, 60
EDGE_DB, EDGE_COST = 70.0, 2.0  # beyond, plans are alike: their dots stand at the plot's edge
PICTURES = 4  # of the curve, beside the source model's and the chosen plan's

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:1100px;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0}th,td{padding:.25em .7em;border-bottom:1px solid #ddd;text-align:left}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}tr.chosen{background:#e8f4e8}
figure{display:inline-block;margin:0 1em 1em 0;max-width:260px;vertical-align:top}figure img{width:256px;image-rendering:auto}
figcaption{font-size:13px}svg text{font:12px system-ui,sans-serif;fill:#444}pre{background:#f5f5f5;padding:1em;overflow-x:auto;white-space:pre-wrap}
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}svg text{fill:#bbb}pre{background:#242424}tr.chosen{background:#24382a}th,td{border-color:#444}}
"""


def page(result: SearchResult, pictures: Mapping[int, Path], reference: Path | None) -> str:
    """`pictures` by trial number, `reference` the source model's; none for networks without pictures."""
    chosen = result.chosen
    verdict = (
        f"Chosen: trial {chosen}, {result.measures(chosen).describe()}."
        if chosen
        else unmet(result)[:1].upper() + unmet(result)[1:]
    )
    failed = [trial for trial in result.trials if trial.failure is not None]
    parts = [
        f"<h1>Search of {escape(result.variant)}</h1><p>{escape(verdict)}</p>",
        f"<p>{len(result.trials)} plans were exported and run on {escape(result.backend)} ({escape(result.delegate)}); "
        f"{len(failed)} failed. Qualities are those of the worst evaluation sample.",
        f" Cost is {escape(result.cost)}, relative to fp32.</p>" if result.cost else "</p>",
        _plots(result),
        _pictures(result, pictures, reference),
        f"<h2>The plan</h2><pre>{escape(result.plan)}</pre>" if result.plan else "",
        _damage(result),
        _trials(result),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Search of {escape(result.variant)}</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _plots(result: SearchResult) -> str:
    label, quality = _quality(result)
    made = [_plot(result, "bytes", lambda m: float(m.bytes), label, quality)]
    if result.cost:
        made.append(_plot(result, f"cost (fp32 = 1; {EDGE_COST:g} and more at the edge)", _cost, label, quality))
    return "<h2>Trade-off</h2>" + "".join(made)


def _quality(result: SearchResult) -> tuple[str, Callable[[Measures], float | None]]:
    budgets = result.budgets
    if budgets.objective == "top1" or (budgets.min_top1 is not None and budgets.min_psnr_db is None):
        return "top-1 agreement", lambda m: m.top1
    if budgets.objective == "ssim" or (budgets.min_ssim is not None and budgets.min_psnr_db is None):
        return "SSIM, worst picture", lambda m: m.ssim
    return f"PSNR dB, worst sample ({EDGE_DB:g} and more at the edge)", lambda m: min(m.psnr_db, EDGE_DB)


def _cost(measures: Measures) -> float | None:
    return None if measures.cost is None else min(measures.cost, EDGE_COST)


def _plot(
    result: SearchResult,
    x_label: str,
    x_of: Callable[[Measures], float | None],
    y_label: str,
    y_of: Callable[[Measures], float | None],
) -> str:
    """All trials as dots, those of the curve filled, the chosen one ringed; a dot tells its trial when pointed at."""
    points = []
    for trial in result.trials:
        if trial.measures is not None:
            x, y = x_of(trial.measures), y_of(trial.measures)
            if x is not None and y is not None:
                points.append((trial, x, y))
    if not points:
        return ""
    x_low, x_high = _range([x for _, x, _ in points])
    y_low, y_high = _range([y for _, _, y in points])

    def across(x: float) -> float:
        return MARGIN + (x - x_low) / (x_high - x_low) * (WIDTH - 2 * MARGIN)

    def up(y: float) -> float:
        return HEIGHT - MARGIN - (y - y_low) / (y_high - y_low) * (HEIGHT - 2 * MARGIN)

    marks = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img"><title>{escape(y_label)} over {escape(x_label)}</title>'
    ]
    for y in _ticks(y_low, y_high):
        marks.append(f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{up(y):.1f}" y2="{up(y):.1f}" stroke="#8884"/>')
        marks.append(f'<text x="{MARGIN - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{_number(y)}</text>')
    for x in _ticks(x_low, x_high):
        marks.append(f'<text x="{across(x):.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{_number(x)}</text>')
    line = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in _best_so_far([(x, y) for _, x, y in points]))
    marks.append(f'<polyline points="{line}" fill="none" stroke="#2563eb66" stroke-width="2"/>')
    marks.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x_label)}</text>')
    marks.append(f'<text x="{MARGIN}" y="{MARGIN - 24}">{escape(y_label)}</text>')
    for trial, x, y in sorted(points, key=lambda p: (p[0].number == result.chosen, p[0].number in result.curve)):
        on_curve = trial.number in result.curve
        fill = "#1a7f37" if trial.number == result.chosen else "#2563eb" if on_curve else "#9ca3af66"
        what = f"trial {trial.number}: {trial.measures.describe() if trial.measures else ''}; {trial.what}"
        marks.append(
            f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="{7 if trial.number == result.chosen else 4}" fill="{fill}">'
            f"<title>{escape(what)}</title></circle>"
        )
    return "".join([*marks, "</svg>"])


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = (high - low) * 0.05 or max(abs(high) * 0.05, 1e-6)
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between the ends, four to nine of them."""
    rough = (high - low) / 5
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * part for part in (1, 2, 5, 10) if size * part >= rough)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _best_so_far(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """From left to right, every point that is higher than all before it."""
    found: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not found or y > found[-1][1]:
            found.append((x, y))
    return found


def _number(value: float) -> str:
    """Three significant digits, thousands with commas."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


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
    return "<h2>Pictures</h2>" + "".join(
        f'<figure><img alt="{escape(what)}" src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}">'
        f"<figcaption>{escape(what)}</figcaption></figure>"
        for what, path in shown
    )


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
