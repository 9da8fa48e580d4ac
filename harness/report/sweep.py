"""A sweep over threads and cores: how much each variant gains by more and by faster ones, as a table and as a plot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from harness.analysis.grouping import group_runs, label_device
from harness.analysis.session_verdict import judge_session
from harness.records.run import Run
from harness.report import svg
from harness.report.curves import COLOURS
from harness.report.svg import Scale
from harness.report.text import DASH, format_interval, format_milliseconds
from harness.statistics import Level, estimate_level_of_rounds

if TYPE_CHECKING:
    from rich.table import Table

    from harness.report.model import Entry

# Units of the picture: room for the numbers of the axis, and a plot that is wider than high.
LEFT, HEIGHT = 64.0, 250.0


def make_sweep_table(runs: Iterable[Run]) -> Table:
    """One row for each way of a variant on a device: its level over the good rounds, its speed-up over the first row, and how much of a
    perfect one that is for each thread, over the fewest on the same cores."""
    from rich.markup import escape

    from builder.command_line import console

    table = console.make_table(
        "",
        "variant",
        "device",
        "threads>",
        "cores>",
        "median>",
        "95 % interval>",
        "speed-up>",
        "of each thread>",
        "verdict",
    )
    first: dict[object, float] = {}
    fewest: dict[object, tuple[int, float]] = {}
    for group in group_runs(run for run in runs if run.metric == "latency"):
        verdict = judge_session(group)
        level = _level([run.latency_ns for run in verdict.good])
        cells = [DASH, DASH, DASH, DASH]
        if level is not None:
            gain = first.setdefault(group.place[:-1], level.value) / level.value
            least, slowest = fewest.setdefault((*group.place[:-1], group.way.cores), (group.threads, level.value))
            share = slowest / level.value / (group.threads / least)
            cells = [
                format_milliseconds(level.value),
                format_interval(level.low, level.high),
                f"{gain:.2f}",
                f"{share:.0%}",
            ]
        table.add_row(
            escape(group.variant),
            escape(label_device(group.last)),
            str(group.threads),
            group.way.cores or "any",
            *cells,
            escape(verdict.text),
        )
    return table


def plot_sweep(entries: Sequence[Entry]) -> str | None:
    """Latency by threads, a line for each variant on each cluster of cores that one session measured in several ways; dashed what
    perfect sharing would give."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for entry in entries:
        if entry.level is not None and entry.name != entry.run.variant:
            on = "" if entry.run.cores is None else f", {entry.run.cores} cores"
            curves.setdefault(f"{entry.run.variant}{on}", []).append((entry.run.threads, entry.level.value / 1e6))
    lines = {name: sorted(points) for name, points in curves.items()}
    if sum(map(len, lines.values())) < 2:
        return None
    right = svg.WIDTH - 230
    threads = sorted({number for points in lines.values() for number, _ in points})
    x = Scale(low=threads[0], high=max(threads[-1], threads[0] + 1), first=LEFT, last=right)
    highest = max(value for points in lines.values() for _, value in points)
    y = Scale(low=0, high=1.08 * highest, first=HEIGHT - 42, last=24)
    parts = [svg.draw_left_axis(y, x, "ms"), svg.draw_line(x.first, y.first, x.last, y.first, "axis")]
    parts += [svg.draw_text(x(number), y.first + 18, str(number), anchor="middle", kind="tick") for number in threads]
    parts.append(svg.draw_text(x.last, y.first + 34, "threads", anchor="end", kind="unit"))
    names = sorted(lines, key=lambda variant: -lines[variant][-1][1])
    places = svg.spread([y(lines[variant][-1][1]) for variant in names], 15, y.first)
    for number, (variant, under) in enumerate(zip(names, places, strict=True)):
        points, colour = lines[variant], f"c{number % COLOURS}"
        least, slowest = points[0]
        ideal = [(x(count), y(slowest * least / count)) for count in threads if count >= least]
        parts += [
            svg.draw_polyline(ideal, "mark"),
            svg.draw_polyline([(x(count), y(value)) for count, value in points], f"line {colour}"),
            svg.draw_dots([(x(count), y(value)) for count, value in points], f"dots {colour}"),
            svg.draw_text(right + 10, under + 4, svg.shorten(variant, 32), kind=f"name {colour}"),
        ]
    return svg.draw_picture(HEIGHT, parts, "Median latency by the number of threads")


def _level(rounds: list[tuple[int, ...]]) -> Level | None:
    usable = [latencies for latencies in rounds if latencies and all(latencies)]
    return estimate_level_of_rounds(usable) if usable else None
