"""The page in a real browser: it checks what it loads, says what it runs, and works offline."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.web.site import Host, hosting, opened, processed, wait_for


@pytest.mark.parametrize(("query", "said"), [("", "WebAssembly, threads"), ("?accelerator=webgpu", "WebGPU")])
def test_a_picture_is_processed_and_saved(
    host: Host, page: Page, picture: Path, tmp_path: Path, query: str, said: str
) -> None:
    """The golden passed before, in WebAssembly with threads from a host that sets no headers, and by WebGPU where it is asked for."""
    opened(page, host.url + query)
    assert processed(page, picture)[0].endswith(" ms")
    assert said in page.inner_text("#status")
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as saved:
        assert saved.size == (128, 96) or saved.size[0] == saved.size[1]  # by tiles, or the network's own size
    assert download.value.suggested_filename == "noise-styled.png"


def test_nothing_of_the_network_is_loaded_before_the_first_picture(host: Host, page: Page) -> None:
    """A visit alone costs the page, not the runtime."""
    opened(page, host.url)
    page.wait_for_timeout(300)
    assert [path for path in host.asked if "runtime" in path or "bundle" in path] == []


def test_the_second_visit_asks_the_host_for_no_file(host: Host, page: Page, picture: Path) -> None:
    """Everything is kept, so that the page works without a network."""
    opened(page, host.url)
    processed(page, picture)
    host.asked.clear()
    page.context.set_offline(True)
    page.reload()
    assert processed(page, picture)[0].endswith(" ms")
    assert [path for path in host.asked if not path.startswith("/sw.js")] == []


@pytest.mark.parametrize("damage", ["cut", "altered", "missing"])
def test_a_damaged_artifact_is_not_run(
    site: Path, browser: Browser, picture: Path, tmp_path: Path, damage: str
) -> None:
    """A file that is not what the manifest names is told by name; no picture is made with it."""
    shutil.copytree(site, tmp_path / "site")
    file = next((tmp_path / "site" / "bundle" / "variants").glob("*.tflite"))
    content = bytearray(file.read_bytes())
    if damage == "missing":
        file.unlink()
    else:
        content[len(content) // 2] ^= 1
        file.write_bytes(content if damage == "altered" else content[:-100])
    context = browser.new_context()
    with hosting(tmp_path / "site") as host:
        page = opened(context.new_page(), host.url)
        said = processed(page, picture)[0]
        assert "no variant of this bundle works" in said
        assert file.name in said
        assert page.is_disabled("#save")
    context.close()


def test_a_wrong_golden_is_not_run(site: Path, browser: Browser, picture: Path, tmp_path: Path) -> None:
    """A browser that computes another picture than the bundle promises shows none."""
    shutil.copytree(site, tmp_path / "site")
    manifest = tmp_path / "site" / "bundle" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"min_psnr_db": 45.0', '"min_psnr_db": 201.0'))
    context = browser.new_context()
    with hosting(tmp_path / "site") as host:
        said = processed(opened(context.new_page(), host.url), picture)[0]
        assert "its golden picture came out wrong" in said
    context.close()


def test_what_is_no_picture_is_said_by_name_and_the_next_goes_on(
    host: Host, page: Page, picture: Path, tmp_path: Path
) -> None:
    """An empty file and a text among pictures stop nothing."""
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.png").write_text("no picture")
    opened(page, host.url)
    said = processed(page, tmp_path / "empty.jpg", picture, tmp_path / "text.png", picture)
    assert [text.endswith(" ms") for text in said] == [False, True, False, True]
    assert said[0].startswith("empty.jpg is not a picture")


def test_a_waiting_picture_can_be_cancelled(host: Host, page: Page, picture: Path) -> None:
    """Of many pictures those that wait leave the queue at a click, and the others are done."""
    opened(page, host.url)
    page.set_input_files("#files", [str(picture)] * 12)
    page.locator("#queue li").last.locator("button").click()
    wait_for(lambda: page.locator("#queue li.finished").count() == 12, "twelve pictures")
    assert page.locator("#queue li output").last.inner_text() == "cancelled"


def test_the_camera_is_shown_live(host: Host, page: Page) -> None:
    """Frames of a camera go through the network until it is stopped."""
    opened(page, host.url)
    page.click("#camera")
    wait_for(lambda: not page.is_disabled("#save"), "a frame")
    assert page.inner_text("#camera") == "Stop camera"
    page.click("#camera")
    wait_for(lambda: page.inner_text("#camera") == "Camera", "the end")


@pytest.mark.parametrize("width", [320, 3840])
def test_the_page_fits_every_width(host: Host, page: Page, picture: Path, width: int) -> None:
    """Nothing stands out to the side, from a small phone to a wall."""
    page.set_viewport_size({"width": width, "height": 700})
    opened(page, host.url)
    processed(page, picture)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_chinese_browser_gets_chinese(host: Host, browser: Browser) -> None:
    """The page follows the browser's language."""
    context = browser.new_context(locale="zh-CN")
    page = opened(context.new_page(), host.url)
    assert page.inner_text("#camera") == "相机"
    assert page.get_attribute("html", "lang") == "zh"
    context.close()


def test_every_control_has_a_name(host: Host, page: Page) -> None:
    """What a screen reader meets is named."""
    opened(page, host.url)
    for role in ("button", "slider", "checkbox", "combobox"):
        for control in page.get_by_role(role).all():  # type: ignore[arg-type]
            named = control.evaluate(
                "e => e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length)"
            )
            assert named, role


def test_the_page_loads_nothing_from_elsewhere(host: Host, page: Page, picture: Path) -> None:
    """Every request of a whole visit goes to the page's own host."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, host.url)
    processed(page, picture)
    assert [url for url in asked if not url.startswith((host.url, "blob:", "data:"))] == []
