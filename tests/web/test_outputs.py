"""Networks that give labels, several pictures, or something that is no picture: the page and the package follow the manifest alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

import builder
from builder.bundle import Bundle
from tests.android.several import LABELS, classifier, make_several_outputs
from tests.web import looks
from tests.web.site import Host, hosting, opened, processed, wait_for
from tests.web.test_npm import unpacked

PAGE = """<!doctype html><title>another page</title><p id="said"></p>
<script type="importmap">{"imports": {"@edgebundle/web": "./node_modules/@edgebundle/web/index.js"}}</script>
<script type="module">
import { ImageModel } from "@edgebundle/web";
const file = await (await fetch("several/golden/image.png")).blob();
const picture = () => createImageBitmap(file, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
const message = (promise) => promise.then(() => "no error", (error) => error.message);
const told = {};
try {
  const several = await ImageModel.open("several/");
  const all = await several.run(await picture());
  told.values = Object.fromEntries(Object.entries(all).map(([name, values]) => [name, [...values]]));
  told.best = (await several.classify(await picture(), { most: 2 })).labels;
  told.width = (await several.process(await picture())).picture.width;
  told.unknown = await message(several.process(await picture(), { output: "mask" }));
  told.facts = several.facts;
  const labels = await ImageModel.open("classifier/");
  told.noPicture = await message(labels.process(await picture()));
  told.labels = (await labels.classify(await picture())).labels;
  labels.close();
  told.closed = await message(labels.classify(await picture()));
  const early = new AbortController();
  early.abort();
  told.aborted = await several.run(await picture(), { signal: early.signal }).catch((error) => error.name);
} catch (error) {
  told.failed = error.stack;
}
document.getElementById("said").textContent = JSON.stringify(told);
</script>
"""
PIXELS = "(id) => [...document.getElementById(id).getContext('2d').getImageData(0, 0, 64, 64).data]"


def golden(bundle: Path, name: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.frombuffer((bundle / "golden" / f"{name}.f32").read_bytes(), "<f4")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`classifier`, `several` (picture, mask, scores), `pair` (a picture and its negative) and `mask`."""
    folder = tmp_path_factory.mktemp("outputs")
    classifier(folder / "classifier")
    bundle = make_several_outputs(folder / "several")
    manifest, (variant,), (test,) = bundle.manifest, bundle.manifest.variants, bundle.manifest.goldens
    (expected,) = test.expected
    stylized, mask, _ = manifest.outputs
    negative = stylized.model_copy(update={"name": "negative", "range": (1.0, 0.0)})
    for name, outputs in (("pair", (stylized, negative)), ("mask", (mask,))):
        of = {"negative": "stylized"}
        bindings = {binding.name: binding for binding in variant.outputs}
        bound = tuple(bindings[of.get(spec.name, spec.name)].model_copy(update={"name": spec.name}) for spec in outputs)
        wanted = tuple(tensor for tensor in expected.tensors if tensor.name in {spec.name for spec in outputs})
        update = {
            "outputs": outputs,
            "variants": (variant.model_copy(update={"outputs": bound}),),
            "goldens": (test.model_copy(update={"expected": (expected.model_copy(update={"tensors": wanted}),)}),),
        }
        shutil.copytree(bundle.root, folder / name)
        (folder / name / "manifest.json").write_text(manifest.model_copy(update=update).to_json(), encoding="utf-8")
        Bundle.open(folder / name)
    return folder


@pytest.fixture
def visit(bundles: Path, page: Page, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Page, Host]]:
    """The page of one of the bundles."""
    site = builder.package(bundles / request.param, target="web", out=tmp_path / "dist").files[0]
    with hosting(site) as host:
        yield opened(page, host.url), host


@pytest.mark.parametrize("visit", ["classifier"], indirect=True)
def test_a_classifier_names_what_it_sees(visit: tuple[Page, Host], bundles: Path) -> None:
    """Five labels, best first, with the softmax of the scores; nothing that only pictures have is there, and the queue names the best."""
    page, _ = visit
    scores = golden(bundles / "classifier", "scores")
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    (said,) = processed(page, bundles / "classifier" / "golden" / "image.png")
    rows = [row.inner_text().split("\n") for row in page.locator("#labels li").all()]
    order = np.argsort(-scores, kind="stable")
    assert [row[0] for row in rows] == [LABELS[at] for at in order]
    assert [float(row[-1].rstrip("%")) for row in rows] == pytest.approx(100 * shares[order], abs=0.2)
    assert said.startswith(f"{LABELS[order[0]]}: ")
    assert said.endswith(" ms")
    for name in ("#strength", "#small", "#save", "#after", "#pair input"):
        assert not page.is_visible(name), name
    assert page.is_visible("#before")
    assert looks.unnamed(page) == []
    assert looks.find_faint_texts(page) == []
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.locator("#labels li span").first.evaluate("name => name.clientWidth") > 100  # room for a word
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#labels").evaluate("list => list.replaceChildren()")
    page.click("#camera")
    wait_for(lambda: page.locator("#labels li").count() == len(LABELS), "labels of the camera")
    page.click("#camera")


@pytest.mark.parametrize("visit", ["pair"], indirect=True)
def test_a_second_picture_can_be_chosen(visit: tuple[Page, Host], bundles: Path) -> None:
    """The shown picture changes at once: here it is the negative of the first one."""
    page, _ = visit
    processed(page, bundles / "several" / "golden" / "image.png")
    first = np.array(page.evaluate(PIXELS, "after")).reshape(-1, 4)[:, :3]
    assert page.locator("#output option").all_inner_texts() == ["stylized", "negative"]
    page.select_option("#output", "negative")
    wait_for(
        lambda: np.abs(np.array(page.evaluate(PIXELS, "after")).reshape(-1, 4)[:, :3] + first - 255).max() <= 1,
        "the other picture",
    )


@pytest.mark.parametrize("visit", ["several"], indirect=True)
def test_what_is_not_shown_is_named(visit: tuple[Page, Host], bundles: Path) -> None:
    """Beside the picture: a mask and scores; with one picture there is nothing to choose."""
    page, _ = visit
    assert processed(page, bundles / "several" / "golden" / "image.png")[0].endswith(" ms")
    assert "It also gives mask (4096 values), scores (5 values)" in page.inner_text("#status")
    assert not page.is_visible("#output")


@pytest.mark.parametrize("visit", ["mask"], indirect=True)
def test_a_network_without_picture_and_labels_is_told(visit: tuple[Page, Host], bundles: Path) -> None:
    """There is nothing to show; the sentence says what there is."""
    page, _ = visit
    (said,) = processed(page, bundles / "several" / "golden" / "image.png")
    assert said.startswith("This network gives mask (4096 values): neither a picture nor labels")


@pytest.mark.parametrize("visit", ["several"], indirect=True)
def test_a_changed_strength_is_seen_at_once(visit: tuple[Page, Host], bundles: Path) -> None:
    """Without choosing the picture again; nothing is left of the result at 0, and no row comes into the queue."""
    page, _ = visit
    processed(page, bundles / "several" / "golden" / "image.png")
    assert page.evaluate(PIXELS, "after") != page.evaluate(PIXELS, "before")
    page.locator("#strength").fill("0")
    wait_for(lambda: page.evaluate(PIXELS, "after") == page.evaluate(PIXELS, "before"), "the original")
    assert page.locator("#queue li").count() == 1


def test_the_package_gives_labels_and_every_output(bundles: Path, browser: Browser, tmp_path: Path) -> None:
    """As the SDKs of phones do, in the order of the source model; what cannot be given is a sentence."""
    packed = builder.package(bundles / "several", target="web", formats=("npm",), out=tmp_path / "npm").files[0]
    unpacked(packed, tmp_path)
    for name in ("several", "classifier"):
        shutil.copytree(bundles / name, tmp_path / name)
    (tmp_path / "index.html").write_text(PAGE)
    page = browser.new_page()
    with hosting(tmp_path) as host:
        page.goto(host.url)
        wait_for(lambda: page.inner_text("#said") != "", "the other page's result")
        told = json.loads(page.inner_text("#said"))
    page.close()
    assert "failed" not in told, told["failed"]
    for name in ("stylized", "mask", "scores"):
        assert told["values"][name] == pytest.approx(golden(bundles / "several", name), abs=1e-4)
    scores = golden(bundles / "several", "scores")
    assert [label["name"] for label in told["best"]] == [LABELS[at] for at in np.argsort(-scores)[:2]]
    assert told["best"][0]["score"] == pytest.approx(scores.max(), abs=1e-4)
    assert sum(label["probability"] for label in told["labels"]) == pytest.approx(1)
    assert told["width"] == 64
    assert told["facts"]["pictures"] == ["stylized"]
    assert told["facts"]["isClassifier"]
    assert told["facts"]["outputs"] == {"stylized": 3 * 64 * 64, "mask": 64 * 64, "scores": 5}
    assert told["unknown"] == 'this network gives no picture "mask"; it gives stylized, mask, scores.'
    assert told["noPicture"] == "this network gives no picture, but scores: use classify or run."
    assert told["closed"] == "the model was closed: open it again."
    assert told["aborted"] == "AbortError"
