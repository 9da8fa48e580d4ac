"""Browsers as devices of the harness: Chromium of this computer, whatever opens a link, and Chrome on a phone over adb."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page

import harness
from harness.analysis.comparison import compare_runs
from harness.devices import open_device
from harness.devices.browser import link
from harness.devices.browser.certificate import draw_qr_code, make_certificate, make_tls_context
from harness.devices.browser.chromium import start_chromium
from harness.devices.browser.server import PageServer
from harness.errors import DeviceError, UsageError
from harness.farm.imported import import_results
from harness.protocol import Protocol
from harness.records.run import Run
from harness.records.store import open_store
from harness.session.session import SessionResult, open_bundle_or_package, run_session
from tests.emulated_phone import PIXEL, AdbServer, EmulatedPhone
from tests.harness.runs import device, make_run
from tests.web.site import LIMIT_S, hosting, opened, wait_for

FEW = Protocol(name="few", warmup=1, runs=5, threads=2, timeout_s=60)
TURNS = Protocol(name="turns", warmup=1, runs=3, rounds=2, threads=1, timeout_s=60)


def session(site: Path, *names: str, protocol: Protocol = FEW, baseline: Path | None = None) -> SessionResult:
    with open_bundle_or_package(site) as bundle:
        if baseline is None:
            return run_session(bundle, names, protocol, None)
        with open_bundle_or_package(baseline) as base:
            return run_session(bundle, names, protocol, None, baseline=base)


def only(result: SessionResult) -> Run:
    assert [entry.reason for entry in result.skipped] == []
    (run,) = result.runs
    return run


def test_chromium_of_this_computer_measures_a_page(site: Path) -> None:
    """With threads, the golden checked by the harness itself, and all that a record of a page must name."""
    run = only(session(site, "browser"))
    assert (run.mode, run.device.kind, run.runtime, run.runtime_version) == ("web", "browser", "LiteRT.js", "2.5.3")
    assert run.golden is not None
    assert run.golden.passed
    assert run.browser is not None
    assert (run.browser.name, run.browser.isolated, run.threads) == ("Headless Chrome", True, 2)
    assert (run.browser.timer_ns.value or 0) > 0
    assert len(run.latency_ns) + (run.warm_up or 0) >= FEW.runs
    assert (run.peak_memory_bytes.value or 0) > 1e6
    assert run.processor_use is not None
    assert (run.processor_use.own_s.value or 0) > 0
    assert Run.model_validate_json(run.to_json()) == run


def test_two_builds_of_a_page_take_turns(site: Path, tmp_path: Path) -> None:
    """Each is measured by its own page, in the order of the rounds, as on any other device."""
    shutil.copytree(site, tmp_path / "older")
    result = session(site, "browser", protocol=TURNS, baseline=tmp_path / "older")
    assert [entry.reason for entry in result.skipped] == []
    assert sorted((run.round, run.baseline) for run in result.runs) == [(0, False), (0, True), (1, False), (1, True)]


def test_a_bundle_without_a_page_is_refused_with_what_makes_one(site: Path, tmp_path: Path) -> None:
    """A browser needs the page around the bundle."""
    shutil.copytree(site / "bundle", tmp_path / "bundle")
    with pytest.raises(UsageError, match="builder package BUNDLE --target web"):
        session(tmp_path / "bundle", "browser")


def test_a_wrong_picture_is_found_by_the_harness(site: Path, tmp_path: Path) -> None:
    """What a page computes is judged here, not by the page."""
    shutil.copytree(site, tmp_path / "site")
    manifest = tmp_path / "site" / "bundle" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"min_psnr_db": 45.0', '"min_psnr_db": 201.0'))
    assert only(session(tmp_path / "site", "browser")).verdict.code == "golden_failed"


@contextmanager
def asked(site: Path, caplog: pytest.LogCaptureFixture) -> Iterator[tuple[str, Future[SessionResult]]]:
    """A session that waits for a browser, and the link that it tells."""
    with caplog.at_level(logging.WARNING, "harness"), ThreadPoolExecutor(1) as pool:
        future = pool.submit(session, site, "browser:link")
        wait_for(lambda: "open http" in caplog.text or future.done(), "the link")
        found = re.search(r"open (\S+) in a browser", caplog.text)
        assert found is not None, future.result()
        yield found[1], future


def test_whatever_opens_the_link_is_measured_and_a_second_page_is_not(
    site: Path, page: Page, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """The token is for one page; the record names the browser, and a device that is neither host nor phone."""
    with asked(site, caplog) as (url, future):
        page.goto(url)
        other = browser.new_page()
        wait_for(lambda: page.inner_text("#status") != "", "the first page's hello")
        other.goto(url)
        wait_for(lambda: "another page opened this address" in other.inner_text("#status"), "a refusal")
        while not future.done():
            page.wait_for_timeout(50)
        run = only(future.result())
        other.close()
    assert run.device.kind == "browser"
    assert run.device.id.startswith("link-")
    assert run.conditions_start.temperature_c.reason is not None
    assert run.golden is not None
    assert run.golden.passed


def test_a_page_that_is_out_of_sight_gives_an_invalid_run(site: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Browsers slow hidden pages down: such a run counts for nothing, and says so. Another tab is opened over the page."""
    with start_chromium() as started, asked(site, caplog) as (url, future):
        started.devtools.open_tab(url)
        started.devtools.open_tab("about:blank")
        run = only(future.result(LIMIT_S))
    assert run.verdict.words == "invalid: the page was not visible all the time"


def test_a_link_that_nobody_opens_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait has a limit, and the sentence what to do."""
    with (
        pytest.raises(DeviceError, match=r"did not open the page within 0\.1 s"),
        link.LinkedBrowser(lan=False, open_s=0.1),
    ):
        pass


def test_the_link_for_phones_is_https_and_isolated(browser: Browser) -> None:
    """A page behind the certificate of the session has threads, as on localhost; the QR code holds its address."""
    with PageServer(tls=make_tls_context(make_certificate("127.0.0.1"))) as server:
        context = browser.new_context(ignore_https_errors=True)
        page = context.new_page()
        page.goto(server.url())
        assert page.evaluate("[isSecureContext, crossOriginIsolated, 'subtle' in crypto]") == [True, True, True]
        assert server.wait_for_page(LIMIT_S) is not None
        context.close()
    assert server.url().startswith("https://")
    assert draw_qr_code(server.url()).count("\n") > 10


def test_lan_is_for_links_alone(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An option that would do nothing is refused."""
    from harness.cli import main

    assert main(["run", str(site), "-d", "browser", "--lan", "-o", str(tmp_path / "runs.sqlite")]) == 2
    assert "add -d browser:link" in capsys.readouterr().err


def test_chrome_on_a_phone_measures_over_adb(site: Path, adb_environment: AdbServer, tmp_path: Path) -> None:
    """By adb's own forward and reverse: what stands in for the phone's Chrome is a real one, on this computer. Nothing is left behind."""
    with start_chromium() as chrome, EmulatedPhone(tmp_path / "phone", PIXEL) as phone:
        adb_environment.connect(phone.address)
        phone.chrome_port = chrome.port
        run = only(session(site, f"chrome:{phone.address}"))
        assert (run.device.kind, run.device.model.value, run.mode) == ("chrome", "Google Emulated Pixel", "web")
        assert run.browser is not None
        assert run.browser.isolated
        assert run.golden is not None
        assert run.golden.passed
        assert phone.reversed.ports == []
        assert not any("127.0.0.1" in tab for tab in tabs(chrome.port))
        adb_environment.disconnect(phone.address)
        assert phone.unknown_commands == []


def tabs(port: int) -> list[str]:
    """Addresses of the pages that are open in a browser."""
    with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
        return [entry["url"] for entry in json.load(answer) if entry["type"] == "page"]


def test_pages_and_native_runs_are_never_compared_silently() -> None:
    """The refusal says which side was a page."""
    from harness.records.run import BrowserInfo, Reading, TextReading

    info = BrowserInfo(
        name="Chrome",
        version="156",
        gpu=TextReading(reason="none"),
        isolated=True,
        timer_ns=Reading(value=5e3, unit="ns"),
    )
    paged = make_run(mode="web", browser=info, device=device("browser", "bench"))
    (found,) = compare_runs([make_run()], [paged])
    assert found.refused == "different way of measuring: natively and by a page in Chrome"


def test_the_benchmark_page_gives_records_that_the_harness_takes(site: Path, browser: Browser, tmp_path: Path) -> None:
    """A person measures without a harness; the file is read like any record from outside, and judged."""
    context = browser.new_context(accept_downloads=True)
    with hosting(site) as host:
        page = opened(context.new_page(), host.url + "bench.html")
        page.click("#measure")
        wait_for(lambda: not page.is_disabled("#records"), "the measurement")
        with page.expect_download() as download:
            page.click("#records")
        (tmp_path / "got").mkdir()
        download.value.save_as(tmp_path / "got" / "runs.jsonl")
        assert "ok: " in page.inner_text("tbody")
    context.close()
    store = open_store(str(tmp_path / "runs.sqlite"), create=True)
    imported = import_results(tmp_path / "got", store)
    store.close()
    assert imported.damaged == ()
    (run,) = imported.runs
    assert (run.mode, run.device.kind, run.protocol.name) == ("web", "browser", "quick")
    assert run.golden is not None
    assert run.golden.passed
    with open_bundle_or_package(site) as bundle:
        assert (run.bundle_sha256, run.variant_sha256) == (bundle.sha256, bundle.manifest.variants[0].sha256)


def test_no_browser_is_found_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong path in the environment, and a device that is none."""
    monkeypatch.setenv("EDGEBUNDLE_CHROMIUM", "/none/such")
    with pytest.raises(harness.errors.MissingToolError, match="names /none/such"), open_device("browser"):
        pass
    with pytest.raises(UsageError, match="-d chrome:SERIAL"):
        open_device("browser:phone")


def test_user_agents_are_named_as_the_vectors_say() -> None:
    """Python's side of docs/formats/vectors/browsers.json."""
    from harness.devices.browser.names import find_browser, find_system
    from scripts.vectors.files import FOLDER

    for case in json.loads((FOLDER / "browsers.json").read_text())["cases"]:
        assert [*find_browser(case["agent"]), find_system(case["agent"])] == [
            case["name"],
            case["version"],
            case["system"],
        ]
