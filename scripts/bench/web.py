"""The page and the server: packaging, what a visit loads, the time to a picture, WebAssembly against Python, many pictures, many clients."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

from bench.serving import serve
from bench.table import ROOT, Row, run

sys.path.insert(0, str(ROOT))

from harness.records.run import Run
from harness.records.store import open_store
from tests.web.site import Host, chromium, hosting, opened, processed, wait_for

EXAMPLE = ROOT / "examples" / "tiny_style"
PICTURES = int(os.environ.get("BENCH_PICTURES", "200"))
PROTOCOL = 'extends = "quick"\nthreads = 2\nrounds = 3\n'


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-web-") as name:
        work = Path(name)
        bundle = work / "bundle"
        run("builder", "convert", EXAMPLE, "--backend", "tflite", "-o", bundle)
        rows, site = package(bundle, work)
        picture = make_photograph(work / "photograph.jpg")
        with chromium() as browser, hosting(site) as host:
            rows += measure_visits(browser, host, site, picture)
            rows.append(render_many(browser, host, picture))
        rows.append(against_python(site, work))
        return rows + serve(bundle, work)


def package(bundle: Path, work: Path) -> tuple[list[Row], Path]:
    """The same page from npm's packages, and again with its scripts in the cache."""
    cache = work / "cache"
    cache.mkdir()
    cold = run("builder", "package", bundle, "--target", "web", "-o", work / "cold", cache=cache)[0]
    shutil.rmtree(cache / "package", ignore_errors=True)
    warm = run("builder", "package", bundle, "--target", "web", "-o", work / "warm", cache=cache)[0]
    site, other = work / "warm" / "tiny-style-web", work / "cold" / "tiny-style-web"
    same = all(
        (other / path.relative_to(site)).read_bytes() == path.read_bytes() for path in site.rglob("*") if path.is_file()
    )
    script = len(gzip.compress((site / "app.js").read_bytes(), 9, mtime=0))
    return [
        Row(what="package --target web, npm's packages in its cache", figure="<= 10 s", measured=f"{cold:.1f} s", reached=cold <= 10),
        Row(what="package --target web, scripts built before", figure="<= 2 s", measured=f"{warm:.1f} s", reached=warm <= 2),
        Row(what="the page twice", figure="the same bytes", measured="the same" if same else "different", reached=same),
        Row(what="the page's script, gzip", figure="<= 40 KB", measured=f"{script / 1000:.1f} KB", reached=script <= 40_000),
    ], site  # fmt: skip


def make_photograph(path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    Image.fromarray(noise).save(path, quality=90)
    return path


def measure_visits(browser: Browser, host: Host, site: Path, picture: Path) -> list[Row]:
    """A new visitor up to the first picture, and the same one again."""
    context = browser.new_context()
    page = opened(context.new_page(), host.url)
    first_s = to_picture(page, picture)
    asked = {path.partition("?")[0].lstrip("/") or "index.html" for path in host.asked}
    loaded = sum(len(gzip.compress((site / name).read_bytes(), 9)) for name in asked if (site / name).is_file())
    host.asked.clear()
    page.reload()
    again_s = to_picture(page, picture)
    again = [path for path in host.asked if not path.startswith("/sw.js")]
    context.close()
    return [
        Row(what="first visit with a picture, gzip", figure="<= 3.3 MB", measured=f"{loaded / 1e6:.2f} MB", reached=loaded <= 3.3e6),
        Row(what="second visit", figure="0 bytes", measured=f"{len(again)} files", reached=not again),
        Row(what="from the tap to the picture, nothing kept", figure="<= 2.5 s", measured=f"{first_s:.2f} s", reached=first_s <= 2.5),
        Row(what="from the tap to the picture, second visit", figure="<= 0.7 s", measured=f"{again_s:.2f} s", reached=again_s <= 0.7),
    ]  # fmt: skip


def to_picture(page: Page, picture: Path) -> float:
    start = time.perf_counter()
    (said,) = processed(page, picture)
    assert said.endswith(" ms"), said
    return time.perf_counter() - start


def render_many(browser: Browser, host: Host, picture: Path) -> Row:
    """All at once in the queue: memory after a tenth of them against memory after all."""
    context = browser.new_context()
    page = opened(context.new_page(), host.url)
    page.set_input_files("#files", [str(picture)] * PICTURES)
    done = page.locator("#queue li.finished")
    wait_for(lambda: done.count() >= PICTURES // 10, "a tenth")
    early = read_memory(page)
    wait_for(lambda: page.locator("#queue li.finished, #queue li.failed").count() == PICTURES, "all pictures")
    late, kept = read_memory(page), done.count()
    context.close()
    return Row(
        what=f"{PICTURES} dropped pictures",
        figure="all done, memory within 10 %",
        measured=f"{kept} done, {late / early - 1:+.0%} ({late / 1e6:.0f} MB)",
        reached=kept == PICTURES and late <= 1.1 * early,
    )


def read_memory(page: Page) -> float:
    """Of the page with its worker, after a collection, by the browser's own account."""
    found: float = page.evaluate("performance.measureUserAgentSpecificMemory().then((found) => found.bytes)")
    return found


def against_python(site: Path, work: Path) -> Row:
    """The fp32 file in Chromium with two threads, and in LiteRT for Python, in one session.

    WebAssembly has vectors of 128 bits. On a processor with AVX-512, the width alone is a factor of two: LiteRT for Python held to SSE (by
    changing what `cpuid` answers) takes 2.0 times as long as it does, and a page 1.4 times as long as that.
    """
    protocol, runs = work / "bench.toml", work / "runs.sqlite"
    protocol.write_text(PROTOCOL)
    run(
        "harness",
        "run",
        site,
        "-d",
        "host",
        "-d",
        "browser",
        "--variant",
        "tflite-xnnpack-fp32",
        "--protocol",
        protocol,
        "-o",
        runs,
    )
    with closing(open_store(str(runs))) as store:
        every = list(store.runs())
    quiet = sum(run.verdict.grade == "ok" for run in every)
    page, host = (take_median_ms([run for run in every if run.device.kind == kind]) for kind in ("browser", "host"))
    return Row(
        what="fp32, 2 threads: WebAssembly over LiteRT for Python",
        figure="<= 1.5x",
        measured=f"{page / host:.2f}x ({page:.1f} ms and {host:.1f} ms; {quiet} of {len(every)} runs undisturbed)",
        reached=page <= 1.5 * host,
    )


def take_median_ms(runs: list[Run]) -> float:
    return float(np.median(np.concatenate([run.latency_ns for run in runs]))) / 1e6
