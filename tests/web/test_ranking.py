"""The order in which browsers of this kind measured the variants decides what a page runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.web.site import hosting, opened, processed
from tests.web.test_goldens import RUN_ONCE

AGAIN = "tflite-again"


def double(site: Path) -> tuple[dict[str, Any], str]:
    """The manifest of a page with a second variant, which is worse by the builder's order; and the first one's id."""
    manifest = json.loads((site / "bundle" / "manifest.json").read_text())
    (first,) = manifest["variants"]
    manifest["variants"].append({**first, "id": AGAIN})
    for golden in manifest["goldens"]:
        golden["expected"] += [{**one, "variant": AGAIN} for one in golden["expected"] if one["variant"] == first["id"]]
    return manifest, first["id"]


def test_what_was_faster_in_such_browsers_is_run(site: Path, browser: Browser, picture: Path, tmp_path: Path) -> None:
    """In those of another kind the builder's order stays."""
    shutil.copytree(site, tmp_path / "site")
    manifest, first = double(tmp_path / "site")
    file = tmp_path / "site" / "bundle" / "manifest.json"
    with hosting(tmp_path / "site") as host:
        context = browser.new_context()
        page = opened(context.new_page(), f"{host.url}bench.html")
        gpu = page.evaluate(RUN_ONCE, [first, "wasm"])["measured"]["gpu"]
        context.close()
        ways = [{"variant": name, "accelerator": "wasm"} for name in (AGAIN, "of no file", first)]
        for kind, expected in (("Headless Chrome", AGAIN), ("Firefox", first)):
            file.write_text(json.dumps({**manifest, "browser_rankings": [{"browser": kind, "gpu": gpu, "ways": ways}]}))
            context = browser.new_context(locale="en-GB")
            page = opened(context.new_page(), host.url)
            assert processed(page, picture)[0].endswith(" ms")
            assert f": {expected}, WebAssembly" in page.inner_text("#status")
            context.close()
