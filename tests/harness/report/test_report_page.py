"""What the page of a report looks like: nothing hides anything else, on a wide screen and on a narrow one."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from harness.analysis.verdict import judge
from harness.records.run import Run, TextReading
from harness.records.store import open_store
from harness.report import make_report, svg
from harness.report.curves import Trace, plot_history
from harness.report.plots import Series, plot_overview, run_plot
from harness.report.text import format_moments
from harness.statistics import summarize
from tests.harness.browser import chromium
from tests.harness.phone_model import PhoneModel, draw_sustained_run, session
from tests.harness.runs import device, make_counted_run, make_run

MEASURE = """<script>
const wide = [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth + 1);
const empty = [...document.querySelectorAll('.stack td')].filter(e => e.textContent.trim() === '\u2013' && e.offsetHeight);
document.title = JSON.stringify({width: innerWidth, page: document.documentElement.scrollWidth, wide: wide.map(e => e.outerHTML.slice(0, 80)),
  empty: empty.length, tables: document.querySelectorAll('.stack').length, plots: document.querySelectorAll('.plot').length});
</script></body>"""


def render_page(tmp_path: Path, *runs: Run) -> str:
    store = open_store(str(tmp_path / "runs.jsonl"), create=True)
    for number, run in enumerate(runs):
        store.append(run.model_copy(update={"id": f"{number}"}))
    page = make_report(store, "html")
    store.close()
    return page


def lab(phones: int) -> list[Run]:
    """Phones with three variants each, one of which executed elsewhere, and two under lasting load."""
    runs = []
    for number in range(phones):
        phone = device("android", f"R5CT{number:03}")
        for run in session(
            PhoneModel(seed=number), {"a_variant_with_a_long_name": 5e6, "other": 7e6, "fell": 1e6}, 2, 80
        ):
            changes: dict[str, object] = {"device": phone}
            if run.variant == "fell":
                changes["delegate_executed"] = TextReading(value="cpu")
            runs.append(judge(run.model_copy(update=changes)))
        for variant, heat in (("other", 34.0), ("a_variant_with_a_long_name", 12.0)):
            runs.append(judge(draw_sustained_run(3, 60e6, 6, heat, variant=variant, device=phone)))
    return runs


@pytest.mark.parametrize("phones", [2, 8])
def test_a_narrow_screen_shows_everything(phones: int, tmp_path: Path) -> None:
    """On a phone nothing reaches beyond the screen but what scrolls by itself, and cells without a value take no room."""
    page = tmp_path / "page.html"
    page.write_text(render_page(tmp_path, *lab(phones)).replace("</body>", MEASURE), encoding="utf-8")
    dom = chromium(page, tmp_path / "profile", "--window-size=500,900", "--dump-dom").stdout.decode()
    told = json.loads(re.findall(r"<title>(.*?)</title>", dom, re.S)[0].replace("&gt;", ">").replace("&lt;", "<"))
    assert told["width"] <= 500
    assert told["page"] <= told["width"]
    assert told["wide"] == []
    assert told["empty"] == 0
    assert told["tables"] == 2 * phones
    assert told["plots"] > 2 * phones


def test_what_is_invalid_comes_last_with_its_reason(tmp_path: Path) -> None:
    """How fast a wrong output was made is no rank: in table and plot it stands below the others, and the table says why."""
    page = render_page(tmp_path, *lab(1))
    assert re.findall(r'data-label="variant"><a href="[^"]*">(\w+)</a>', page)[:3] == [
        "a_variant_with_a_long_name",
        "other",
        "fell",
    ]
    assert page.index(">other</text>") < page.index(">fell</text>")
    assert re.search(r'<span class="why">in \d of \d rounds: cpu executed it, xnnpack was asked for</span>', page)


def test_a_run_under_lasting_load_tells_throughput(tmp_path: Path) -> None:
    """Its card names how long it was and has the rates of the first and last minute instead of quantiles over cold and hot."""
    page = render_page(tmp_path, *lab(1))
    cards = re.findall(r'<article class="card".*?</article>', page, re.S)
    lasting = [card for card in cards if "back to back for 6 minutes" in card]
    assert len(lasting) == 2
    for card in lasting:
        assert "<dt>last minute</dt>" in card
        assert "<dt>p99</dt>" not in card
    throttled = next(card for card in lasting if "throughput stayed below 90 %" in card)
    assert "thermal status above 0" in throttled
    assert "<dt>throttled after</dt><dd>never</dd>" in next(card for card in lasting if card != throttled)


def test_many_devices_are_folded_with_their_labels(tmp_path: Path) -> None:
    """Beyond six devices each is a line to open, which carries the label of what is no hardware and is where its link leads."""
    counted = [make_counted_run(10 + number, device=device("arm64", f"core-{number}")) for number in range(7)]
    page = render_page(tmp_path, *counted)
    folded = re.findall(r"<summary>arm64:core-\d: 1 variant (.*?)</summary><span id=\"(.*?)\">", page)
    assert len(folded) == 7
    assert all("counts only, no hardware" in label for label, _ in folded)
    assert all(f'href="#{anchor}"' in page for _, anchor in folded)


def test_a_sample_far_above_does_not_press_the_others_flat() -> None:
    """It is drawn at the edge and told with its value; the others keep most of the height. Without one nothing is cut."""
    usual = tuple(5_000_000 + 20_000 * (index % 9) for index in range(200))

    def heights(plot: str) -> list[float]:
        (dots,) = re.findall(r'<path class="dots" d="(.*?)"', plot)
        return [float(y) for y in re.findall(r"M[\d.]+ ([\d.]+)h0", dots)]

    far = (*usual[:-1], 60_000_000)
    cut = run_plot(Series(label="x", latency_ns=far, summary=summarize(far)))
    plain = run_plot(Series(label="x", latency_ns=usual, summary=summarize(usual)))
    assert "1 above, up to 60.0 ms" in cut
    assert "above" not in plain
    assert max(heights(cut)) - min(heights(cut)) >= 0.5 * (max(heights(plain)) - min(heights(plain)))
    assert 'class="dots far"' in cut


def test_the_median_is_written_beside_all_that_is_drawn() -> None:
    """No box, whisker or interval of a row reaches into its number."""
    drifting = tuple(int(5e6 * (1 + index / 200)) for index in range(200))
    even = tuple(5_000_000 + index for index in range(200))
    series = [
        Series(label=name, latency_ns=values, summary=summarize(values), grade=grade)
        for name, values, grade in (("drifting", drifting, "invalid"), ("even", even, "ok"))
    ]
    plot = plot_overview(series)
    at = float(re.findall(r'<text x="([\d.]+)"[^>]*class="tick">\d+\.\d+ ms', plot)[0])
    boxes = [
        (float(x), float(w))
        for x, w in re.findall(r'<rect class="[^"]*faint" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', plot)
    ]
    assert len(boxes) == 2
    assert all(x + width < at for x, width in boxes)


def test_a_variant_has_one_colour_in_the_histories_of_all_devices(tmp_path: Path) -> None:
    """Whichever was measured first on a device."""
    runs = []
    for phone, order in (("A", ("x", "y", "z")), ("B", ("z", "y", "x"))):
        for day in (1, 2):
            runs += [
                make_run(variant=variant, device=device("android", phone), started_at=f"2026-03-0{day}T00:00:00+00:00")
                for variant in order
            ]
    page = render_page(tmp_path, *runs)
    plots = re.findall(r'<svg class="plot"[^>]*aria-label="Median latency of every run over time">.*?</svg>', page)
    colours = [dict(re.findall(r'class="name (c\d)">(\w)<', plot)) for plot in plots]
    assert len(colours) == 2
    assert colours[0] == colours[1] == {"c0": "x", "c1": "y", "c2": "z"}


def test_names_beside_curves_stay_apart_and_inside() -> None:
    """Curves that end at one place have names below one another, and none below the axis."""
    assert svg.spread([10, 11, 60], 14, 100) == [10, 24, 60]
    assert svg.spread([96, 97, 98], 14, 100) == [72, 86, 100]
    assert svg.spread([], 14, 100) == []
    traces = [Trace(label=f"v{number}", points=((0, 0.01, "ok"), (9, 0.01, "ok"), (1, 9, "ok"))) for number in range(5)]
    tops = [float(y) for y in re.findall(r'y="([\d.]+)"[^>]*class="name', plot_history(traces))]
    assert all(second - first >= 14 for first, second in pairwise(tops)), tops
    assert max(tops) <= 250 - 40 + 4


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ("2026-01-02T03:04:50+00:00", "2026-01-02 03:04 UTC"),
        ("2026-01-02T05:04:50+00:00", "2026-01-02 03:04 to 05:04 UTC"),
        ("2026-02-02T05:04:50+00:00", "2026-01-02 03:04 to 2026-02-02 05:04 UTC"),
    ],
)
def test_moments_are_told_once(last: str, told: str) -> None:
    """A day or a minute that is the same at both ends stands once."""
    assert format_moments("2026-01-02T03:04:05+00:00", last) == told
