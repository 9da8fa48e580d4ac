"""The three examples as they are converted for phones, in Chromium: every variant gives its golden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

import builder
from builder.bundle import Bundle
from tests.web.site import Host, hosting, opened, processed

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
VARIANTS = {
    "tiny_style": ("tflite-xnnpack-fp16", "tflite-xnnpack-plan", "tflite-xnnpack-fp32"),
    "anime_style": ("tflite-xnnpack-fp32", "tflite-xnnpack-fp16"),
    "efficientnet_lite0": ("tflite-xnnpack-fp32", "tflite-xnnpack-fp16"),
}
RUN_ONCE = """([variant, accelerator]) => new Promise((resolve) => {
  const worker = new Worker("app.js");
  worker.onmessage = ({ data }) => (worker.terminate(), resolve(data));
  const [bundle, runtime] = ["bundle/", "runtime/"].map((name) => new URL(name, location.href).href);
  worker.postMessage({ do: "measure", id: 1, bundle, runtime, order: { variant, threads: 2, warmup: 0, runs: 0, accelerator } });
})"""


@pytest.fixture(scope="module", params=VARIANTS)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Host]]:
    """An example's page; what was converted once is in the cache."""
    name = request.param
    out = tmp_path_factory.mktemp("example")
    site = builder.package(EXAMPLES / name / "builder.toml", target="web", out=out / "dist").files[0]
    variants = Bundle.open(site / "bundle").manifest.variants
    assert sorted(variant.id for variant in variants) == sorted(VARIANTS[name])
    with hosting(site) as host:
        yield name, host


@pytest.mark.parametrize("accelerator", ["wasm", "webgpu"])
def test_every_variant_gives_its_golden(example: tuple[str, Host], page: Page, accelerator: str) -> None:
    """In WebAssembly and by WebGPU, here in software, which takes each of them whole."""
    name, host = example
    opened(page, f"{host.url}bench.html")
    for variant in VARIANTS[name]:
        answer: dict[str, Any] = page.evaluate(RUN_ONCE, [variant, accelerator])
        assert answer["is"] == "measured", f"{variant}: {answer}"
        golden = answer["measured"]["golden"]
        assert golden["passed"], f"{variant}: {golden}"


def test_the_page_shows_what_becomes_of_a_photograph(example: tuple[str, Host], page: Page) -> None:
    """The preferred fp16 file is passed over in WebAssembly; a classifier names what it sees."""
    name, host = example
    photograph = sorted((EXAMPLES / "tiny_style" / "images" / "evaluation").iterdir())[0]
    opened(page, host.url)
    (said,) = processed(page, photograph)
    assert said.endswith(" ms")
    assert (page.locator("#labels li").count() == 5) == (name == "efficientnet_lite0")
    assert "fp16" not in page.inner_text("#status")
