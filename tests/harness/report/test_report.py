"""The report: one file that a browser opens without network, with the numbers, pictures, conditions and labels of the store."""

from __future__ import annotations

import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from junitparser import JUnitXml
from PIL import Image

from builder.bundle import parse_manifest
from harness.analysis.verdict import judge
from harness.records.pictures import find_source_variant, make_difference
from harness.records.run import ProcessorUse, Reading, Run, Sample, TextReading, TimeInState
from harness.records.store import open_store
from harness.report import make_report
from harness.report.text import format_milliseconds, format_significant, format_size
from harness.statistics import summarize
from tests.harness.browser import chromium
from tests.harness.phone_model import PhoneModel, draw_sustained_run, session
from tests.harness.runs import conditions, device, make_counted_run, make_run


@pytest.fixture(scope="module")
def report_file(measured_store: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a real session on this computer and of a counted run beside it."""
    folder = tmp_path_factory.mktemp("report")
    shutil.copy(measured_store, folder / "runs.sqlite")
    store = open_store(str(folder / "runs.sqlite"), create=True)
    first = next(iter(store.runs()))
    store.append(
        make_counted_run(94_206_111, bundle_sha256=first.bundle_sha256, id="counted"), store.pictures(first.id)
    )
    (folder / "report.html").write_text(make_report(store, "html"), encoding="utf-8")
    store.close()
    return folder / "report.html"


def test_a_browser_opens_it_without_error_or_request(
    report_file: Path, measured_runs: list[Run], tmp_path: Path
) -> None:
    """Chromium shows the key numbers and pictures, logs no console message, and the page's policy lets nothing out."""
    done = chromium(report_file, tmp_path / "profile", "--dump-dom")
    dom, log = done.stdout.decode(), done.stderr.decode(errors="replace")
    assert "CONSOLE" not in log
    assert "default-src 'none'" in dom
    for run in measured_runs:
        assert format_milliseconds(summarize(run.latency_ns).median) in dom
        assert run.verdict.words in dom or run.verdict.words.replace("<", "&lt;") in dom
    for text in (
        "118.5 dB",
        "121.2 dB",
        "94.206 M instructions",
        "94,206,111 instructions",
        "not a latency",
        "source model",
        "programs wanted to run",
        "counts only, no hardware",
        "passed, equal",
    ):
        assert text in dom
    for text in (
        "fallback: the delegate takes no int8",
        "this computer has no battery",
        "No run of this variant is in the store",
    ):
        assert text in dom
    assert dom.count('<svg class="plot"') == 3  # one a run on the host, and one for both


def test_nothing_in_it_points_outside(report_file: Path) -> None:
    """Every reference of the page is inside it or a data URI; namespaces are the only addresses in its text."""
    outside: list[str] = []

    class References(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            for name, value in attrs:
                if name in ("src", "href", "xlink:href", "action", "srcset", "poster", "data") and not (
                    value or ""
                ).startswith(("#", "data:")):
                    outside.append(f"{tag} {name}={value}")
                if "url(" in (value or "") and "url(#" not in (value or ""):
                    outside.append(f"{tag} {name}={value}")

    text = report_file.read_text(encoding="utf-8")
    References().feed(text)
    assert outside == []
    assert set(re.findall(r"https?://[^\s\"'<)]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "@import" not in text


@pytest.mark.parametrize("mode", [(), ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")])
def test_it_can_be_seen(report_file: Path, tmp_path: Path, mode: tuple[str, ...]) -> None:
    """A screenshot has a page on it: its own background, text, and the colours of plots and verdicts."""
    picture = tmp_path / "page.png"
    chromium(report_file, tmp_path / "profile", "--window-size=1100,2400", f"--screenshot={picture}", *mode)
    pixels = np.asarray(Image.open(io.BytesIO(picture.read_bytes())).convert("RGB")).reshape(-1, 3)
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    background = colours[counts.argmax()]
    assert (background.min() > 230) if not mode else (background.max() < 60)
    assert len(colours) > 200


def test_the_same_store_gives_the_same_page(measured_store: str) -> None:
    """A report is made of the store alone: no time of making, no random ids."""
    store = open_store(measured_store)
    assert make_report(store, "html") == make_report(store, "html")
    store.close()


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    """A device and a variant with markup, quotes, dollar signs and emoji in their names are shown as they are."""
    nasty = "<script>alert('x')</script> $a_b$ \"q\" \U0001f600 | [red]"
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    for number in range(2):
        store.append(
            make_run(
                id=str(number),
                variant=f"{nasty}{number}",
                device=device(device_id=nasty),
                model_name=nasty,
                verdict=f"invalid: {nasty}",
            )
        )
    page, markdown = make_report(store, "html"), make_report(store, "markdown")
    store.close()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in markdown
    assert all(line.count("|") - line.count("\\|") == 10 for line in markdown.splitlines() if line.startswith("|"))
    page_file = tmp_path / "page.html"
    page_file.write_text(page, encoding="utf-8")
    dom = chromium(page_file, tmp_path / "profile", "--dump-dom").stdout.decode()
    assert "<script>" not in dom


def test_only_the_latest_build_and_run_are_shown_and_the_rest_is_counted(tmp_path: Path) -> None:
    """Earlier runs and earlier builds are not mixed in, and the page says how many there are."""
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    store.append(make_run(id="old build", bundle_sha256="a" * 64))
    for number in range(3):
        store.append(make_run(id=f"run {number}", variant_sha256=str(number) * 64))
    page = make_report(store, "html")
    store.close()
    assert "run 2" in page
    assert "run 1" not in page
    assert "old build" not in page
    assert "2 earlier runs" in page
    assert "1 run of earlier builds" in page


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a lab: two phones, five days, rounds, a run that is invalid, and runs over minutes that change the ranking."""
    path = tmp_path_factory.mktemp("lab") / "lab.sqlite"
    store = open_store(str(path), create=True)
    levels = {"fast": 5e6, "even": 6e6}
    for number, phone in enumerate(("R5CT", "3A04")):
        for day in range(5):
            model = PhoneModel(seed=10 * number + day)
            made = session(
                model, levels, 3, 40, name=f"{phone}{day}", device=device("android", phone), bundle_sha256=f"{day}" * 64
            )
            for run in made:
                changes = {"started_at": f"2026-03-0{day + 1}T03:04:05+00:00", "variant_sha256": f"{run.variant}{day}"}
                store.append(judge(run.model_copy(update=changes)))
    lost = make_run(id="lost", variant="wrong", device=device("android", "3A04"), bundle_sha256="4" * 64)
    store.append(judge(lost.model_copy(update={"delegate_executed": TextReading(value="cpu")})))
    phone = device("android", "R5CT")
    for variant, level, heat in (("fast", 40e6, 34.0), ("even", 46e6, 12.0)):
        lasting = draw_sustained_run(
            3, level, 12, heat, variant=variant, id=f"long {variant}", device=phone, bundle_sha256="4" * 64
        )
        off = conditions(30.0).model_copy(update={"charging": TextReading(value="discharging")})
        store.append(judge(lasting.model_copy(update={"conditions_start": off, "conditions_end": off})))
    store.close()
    return path


def test_a_lab_sees_heat_history_and_ranking(lab: Path, tmp_path: Path) -> None:
    """The page of a lab's store has a table and history for each phone, the throttling curves, energy, and both rankings."""
    store = open_store(str(lab))
    page = make_report(store, "html")
    store.close()
    assert "The ranking of minute 1 is not the ranking of the last minute." in page
    assert page.count("Median latency of every run over time") == 2
    assert page.count("Throughput, temperature and clocks over time of") == 2
    assert re.search(r"fast</a></th>.*?1 → 2", page, re.S)
    assert "3 rounds" in page
    assert re.search(r"energy per inference</dt><dd>\d+ mJ", page)
    assert "invalid: cpu executed it, xnnpack was asked for" in page
    (tmp_path / "lab.html").write_text(page, encoding="utf-8")
    done = chromium(tmp_path / "lab.html", tmp_path / "profile", "--dump-dom")
    assert "CONSOLE" not in done.stderr.decode(errors="replace")


def test_the_table_of_a_device_has_the_order_of_its_plot(tmp_path: Path) -> None:
    """Fastest first whatever was measured first; the page tells that plot and table rest on one run and on all good rounds."""
    store = open_store(str(tmp_path / "runs.jsonl"), create=True)
    for run in session(PhoneModel(seed=3), {"slow": 8e6, "quick": 4e6, "even": 6e6}, 3, 100):
        store.append(judge(run))
    page = make_report(store, "html")
    store.close()
    assert re.findall(r'data-label="variant"><a href="[^"]*">(slow|quick|even)</a>', page) == ["quick", "even", "slow"]
    assert "of one run each, the latest good one" in page
    assert "The table has the level over all good rounds" in page


def test_every_format_tells_of_lasting_load(lab: Path) -> None:
    """JSON has throughput and energy of the runs over minutes, Markdown a table of them, and all formats the verdicts."""
    store = open_store(str(lab))
    document = json.loads(make_report(store, "json"))
    lasting = {run["record"]["variant"]: run["lasting"] for run in document["runs"] if run["lasting"]}
    markdown, junit = make_report(store, "markdown"), make_report(store, "junit")
    store.close()
    assert lasting["fast"]["throttled_after_s"] is not None
    assert lasting["even"]["throttled_after_s"] is None
    assert 0.01 < lasting["fast"]["energy_per_inference"]["value"] < 1
    assert any(run["level"]["over_rounds"] for run in document["runs"])
    assert "| under lasting load |" in markdown
    assert "cpu executed it" in markdown
    assert "cpu executed it" in junit


def test_a_phones_processors_and_modes_are_shown(tmp_path: Path) -> None:
    """Clock and load of the pass in the table of the device, all domains and modes in the run's details, both in the JSON; a device
    without counters has no empty columns."""
    seconds = [Reading(value=value, unit="s") for value in (16.0, 6.4, 4.0)]
    domains = (
        TimeInState(policy="policy0", cpus="0 1 2 3", mhz=(300.0, 1803.0), seconds=(1.0, 1.0)),
        TimeInState(policy="policy4", cpus="4 5 6", reason="not readable from the shell (permission denied)"),
        TimeInState(policy="policy7", cpus="7", mhz=(500.0, 2802.0), seconds=(0.5, 1.5)),
    )
    use = ProcessorUse(time_in_state=domains, passed_s=seconds[0], busy_s=seconds[1], own_s=seconds[2])
    told = {
        "thermal_headroom": Reading(value=0.62, unit="headroom"),
        "screen": TextReading(value="on"),
        "airplane_mode": TextReading(reason="the setting airplane_mode_on says 'null'"),
        "background_load": Reading(value=4.5, unit="%"),
    }
    state = conditions().model_copy(update=told)
    phone = device("android", "P1")
    pages = []
    for name, changes in (
        ("phone", {"processor_use": use, "device": phone, "conditions_start": state, "conditions_end": state}),
        ("host", {}),
    ):
        store = open_store(str(tmp_path / f"{name}.sqlite"), create=True)
        store.append(make_run(**changes))
        pages += [make_report(store, "html"), make_report(store, "json")]
        store.close()
    phone_html, phone_json, host_html, host_json = pages
    for text in (
        '<td class="n" data-label="clock"><span>2226 MHz<br><span class="why">75 % at 2802</span></span></td>',
        '<td class="n" data-label="other load">15 %</td>',
        "<dt>clock of CPU 0 1 2 3</dt><dd>1052 MHz, 50 % at 1803</dd>",
        "not readable from the shell (permission denied)",
        "15 % of all processors",
        '<th scope="row">thermal headroom</th><td>0.62</td>',
        '<th scope="row">screen</th><td>on</td>',
        "the setting airplane_mode_on says &#39;null&#39;",
        '<th scope="row">load by other programs</th><td>4.5 %</td>',
    ):
        assert text in phone_html
    (told_json,) = json.loads(phone_json)["runs"]
    assert told_json["processors"]["load_beside"] == {"value": 15.0, "unit": "%", "reason": None}
    assert [clock["at_top_clock"]["value"] for clock in told_json["processors"]["clocks"]] == [50.0, None, 75.0]
    assert told_json["record"]["processor_use"]["time_in_state"][2]["seconds"] == [0.5, 1.5]
    assert 'data-label="clock"' not in host_html
    assert json.loads(host_json)["runs"][0]["processors"] is None


def test_headroom_is_on_the_time_axis(tmp_path: Path) -> None:
    """A run under lasting load shows the headroom that the app sampled between temperature and clocks."""
    run = draw_sustained_run(1, 5e6, 4, 24, id="lasting", variant="tflite-fp32")
    samples = [
        Sample(t_s=t, probe="thermal_headroom", value=0.4 + t / 1000, unit="headroom") for t in range(0, 240, 10)
    ]
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    store.append(judge(run.model_copy(update={"samples": (*run.samples, *samples)})))
    page = make_report(store, "html")
    store.close()
    assert page.index(">°C<") < page.index(">thermal headroom<") < page.index(">MHz<")


def test_junit_is_read_by_another_program(lab: Path) -> None:
    """junitparser finds a suite for each device, a failure for what is invalid, and a skip for what is unstable."""
    store = open_store(str(lab), create=True)
    store.append(
        make_run(
            id="shaky",
            variant="shaky \x01 <x>",
            device=device("android", "3A04"),
            bundle_sha256="4" * 64,
            verdict="unstable: y",
        )
    )
    suites = list(JUnitXml.fromstring(make_report(store, "junit").encode()))
    store.close()
    assert [suite.name for suite in suites] == ["android:R5CT", "android:3A04"]
    assert (suites[1].tests, suites[1].failures, suites[1].skipped) == (4, 1, 1)
    cases = {case.name: case for case in suites[1]}
    assert cases["wrong"].result[0].message == "invalid: cpu executed it, xnnpack was asked for"
    assert cases["shaky \ufffd <x>"].is_skipped


def test_many_runs_fit_on_one_page(tmp_path: Path) -> None:
    """A store of 800 variants and devices gives every run a row, details to forty of them, and stays small."""
    path = tmp_path / "runs.jsonl"
    records = [
        make_run(id=str(number), variant=f"v{number % 20}", device=device("android", f"P{number // 20}")).to_json()
        for number in range(800)
    ]
    path.write_text("\n".join(records), encoding="utf-8")
    store = open_store(str(path))
    page = make_report(store, "html")
    assert page.count('<article class="card"') == 40
    assert page.count('<tr><th scope="row">') >= 800
    assert "2 of 40 devices in detail" in page
    assert len(page) < 1_000_000


def test_an_empty_store_has_a_page(tmp_path: Path) -> None:
    """No runs is said, not a traceback."""
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    assert "no runs yet" in make_report(store, "html")
    store.close()


def test_the_source_model_is_shown_by_a_variant_that_equals_it(unopened_bundle: Path) -> None:
    """The closest variant stands for the source model where 8 bits cannot tell them apart, and none does otherwise."""
    manifest = parse_manifest((unopened_bundle / "manifest.json").read_text(encoding="utf-8"), where="small")
    assert find_source_variant(manifest) == "tflite-fp32"
    poor = tuple(
        v.model_copy(update={"quality": v.quality.model_copy(update={"psnr_db_worst": 60.0})})
        for v in manifest.variants
    )
    assert find_source_variant(manifest.model_copy(update={"variants": poor})) is None


def test_difference_is_amplified_by_what_it_says() -> None:
    """The largest difference stays visible and below the limit, the factor is the one used, and equal pictures stay black."""
    first = np.zeros((2, 2, 3), np.uint8)
    second = first.copy()
    second[0, 0] = (3, 0, 1)
    apart, gain = make_difference(first, second)
    assert gain == 64
    assert apart[0, 0].tolist() == [192, 0, 64]
    assert make_difference(first, first) == (pytest.approx(first), 1)
    assert make_difference(first, first + np.uint8(200))[1] == 1


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (0.012345, "0.0123"), (4.5678, "4.57"), (123.4, "123"), (12345.6, "12346")]
)
def test_numbers_have_three_digits(value: float, shown: str) -> None:
    """Enough digits to compare by, and never an exponent."""
    assert format_significant(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 B"), (999, "999 B"), (17_000, "17.0 KB"), (8_170_000, "8.17 MB"), (1_500_000_000, "1.50 GB")],
)
def test_sizes_have_units(value: float, shown: str) -> None:
    """Decimal units from bytes to gigabytes."""
    assert format_size(value) == shown
