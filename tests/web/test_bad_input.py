"""Pictures, browsers and hosts as they come: each is processed, or refused with a sentence, and the next one goes on."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from harness.devices.browser.chromium import find_chromium
from tests.web.site import FLAGS, Host, hosting, opened, processed, wait_for

RED, BLUE = (220, 20, 20), (20, 20, 220)


def halves(size: tuple[int, int] = (64, 32)) -> Image.Image:
    """Red at the left, blue at the right."""
    picture = Image.new("RGB", size, BLUE)
    picture.paste(RED, (0, 0, size[0] // 2, size[1]))
    return picture


def colours(page: Page) -> list[str]:
    """What the shown original has in the middle of its top, left, bottom and right."""
    script = """() => {
      const canvas = document.getElementById("before"), { width, height } = canvas;
      const places = [[width / 2, 2], [2, height / 2], [width / 2, height - 3], [width - 3, height / 2]];
      return places.map(([x, y]) => {
        const [red, , blue] = canvas.getContext("2d").getImageData(x, y, 1, 1).data;
        return red > blue ? "red" : "blue";
      });
    }"""
    found: list[str] = page.evaluate(script)
    return found


def saved(path: Path, picture: Image.Image, **options: object) -> Path:
    picture.save(path, **options)  # type: ignore[arg-type]
    return path


def test_a_turned_photograph_is_upright(host: Host, page: Page, tmp_path: Path) -> None:
    """EXIF says to turn it by 90 degrees: what is left in the file is on top."""
    exif = Image.Exif()
    exif[0x0112] = 6
    opened(page, host.url)
    assert processed(page, saved(tmp_path / "turned.jpg", halves(), exif=exif))[0].endswith(" ms")
    top, _, bottom, _ = colours(page)
    assert (top, bottom) == ("red", "blue")


def test_of_an_animation_the_first_frame_is_taken(host: Host, page: Page, tmp_path: Path) -> None:
    """As the gallery of a phone shows it."""
    second = Image.new("RGB", (64, 32), BLUE)
    path = saved(tmp_path / "moving.gif", halves(), save_all=True, append_images=[second], duration=100)
    opened(page, host.url)
    assert processed(page, path)[0].endswith(" ms")
    assert colours(page)[1] == "red"


def test_print_colours_and_transparency_are_processed(host: Host, page: Page, tmp_path: Path) -> None:
    """A CMYK JPEG as printers send it, and a picture with holes, which are white."""
    holes = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    opened(page, host.url)
    said = processed(
        page, saved(tmp_path / "print.jpg", halves().convert("CMYK")), saved(tmp_path / "holes.png", holes)
    )
    assert [text.endswith(" ms") for text in said] == [True, True]
    white = page.evaluate("document.getElementById('before').getContext('2d').getImageData(5, 5, 1, 1).data.join()")
    assert white == "255,255,255,255"


def test_a_hundred_megapixels_are_made_smaller(host: Host, page: Page, tmp_path: Path) -> None:
    """The largest that phones' cameras give; the next picture goes on."""
    large = saved(tmp_path / "large.jpg", Image.new("L", (10_000, 10_000), 128), quality=20)
    opened(page, host.url)
    assert [text.endswith(" ms") for text in processed(page, large, saved(tmp_path / "small.png", halves()))] == [
        True
    ] * 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.jpg", b""),
        ("iphone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0"),
        ("text.png", b"no picture"),
        ("bomb.png", None),
    ],
)
def test_what_this_browser_cannot_read_is_named(
    host: Host, page: Page, picture: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    """HEIC, which Chromium does not read, empty, cut, and one that says it has a billion pixels; the next one is done."""
    if content is None:
        stream = io.BytesIO()
        Image.new("1", (1, 1)).save(stream, "PNG")
        head = bytearray(stream.getvalue())
        head[16:24] = (60_000).to_bytes(4, "big") * 2
        content = bytes(head)
    (tmp_path / name).write_bytes(content)
    opened(page, host.url)
    said = processed(page, tmp_path / name, picture)
    assert said[0].startswith(f"{name} is not a picture")
    assert said[1].endswith(" ms")


def test_without_service_workers_there_is_one_thread(host: Host, browser: Browser, picture: Path) -> None:
    """A private window: nothing is kept, and the page works."""
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    page.goto(host.url)
    assert processed(page, picture)[0].endswith(" ms")
    assert "threads" not in page.inner_text("#status")
    assert page.get_attribute("html", "data-isolated") == "false"
    context.close()


@contextmanager
def visited(browser: Browser, url: str, *flags: str, without: tuple[str, ...] = ()) -> Iterator[Page]:
    """The page in another Chromium with switches of its own."""
    kept = [flag for flag in FLAGS if not flag.startswith(without)] if without else [*FLAGS]
    other = browser.browser_type.launch(executable_path=str(find_chromium()), args=[*kept, *flags])
    try:
        yield opened(other.new_page(), url)
    finally:
        other.close()


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--js-flags=--jitless", "this browser has no WebAssembly: update it"),
        ("--js-flags=--no-enable-sse4-1", "the runtime does not start in this browser"),
    ],
)
def test_an_old_browser_is_told_to_be_updated(
    host: Host, browser: Browser, picture: Path, flag: str, said: str
) -> None:
    """Without WebAssembly, and without its SIMD, which V8 does not have on processors before SSE 4.1."""
    with visited(browser, host.url, flag) as page:
        assert said in processed(page, picture)[0]


def test_webgpu_that_is_not_there_is_told(host: Host, browser: Browser, picture: Path) -> None:
    """Asked for by the address, in a browser without it."""
    url, gpu = f"{host.url}?accelerator=webgpu", ("--enable-unsafe-webgpu", "--use-webgpu", "--enable-features")
    with visited(browser, url, "--disable-features=WebGPU,WebGPUService", without=gpu) as page:
        assert page.evaluate("navigator.gpu ? navigator.gpu.requestAdapter() : null") is None
        assert "no variant of this bundle works in this browser" in processed(page, picture)[0]


def test_an_accelerator_that_there_is_not_is_told(host: Host, page: Page, picture: Path) -> None:
    """A slip in the address is not passed over in silence, by the benchmark neither."""
    opened(page, f"{host.url}?accelerator=wsam")
    assert processed(page, picture)[0] == 'there is no accelerator "wsam": write wasm or webgpu.'
    opened(page, f"{host.url}bench.html?accelerator=wsam")
    page.click("#measure")
    wait_for(lambda: page.locator("tbody tr").count() == 1, "the row")
    assert "there is no accelerator" in page.inner_text("tbody")


def test_a_full_storage_costs_only_the_second_visit(host: Host, page: Page, picture: Path) -> None:
    """What cannot be kept is fetched again, by the service worker too."""
    tools = page.context.new_cdp_session(page)
    tools.send("Storage.overrideQuotaForOrigin", {"origin": host.url.rstrip("/"), "quotaSize": 1000})
    opened(page, host.url)
    assert processed(page, picture)[0].endswith(" ms")
    page.reload()
    assert processed(page, picture)[0].endswith(" ms")


def test_a_picture_that_is_chosen_at_once_is_not_lost(host: Host, page: Page, picture: Path) -> None:
    """The page reloads once for its threads, and not when it is in use already."""
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => setTimeout(() => {"
        "  const files = new DataTransfer();"
        "  files.items.add(new File([], 'chosen.png'));"
        "  const input = document.getElementById('files');"
        "  input.files = files.files;"
        "  input.dispatchEvent(new Event('change'));"
        "}))"
    )
    page.goto(host.url)
    wait_for(lambda: page.locator("#queue li.failed").count() == 1, "the picture")
    assert processed(page, picture)[0].endswith(" ms")
    assert page.get_attribute("html", "data-isolated") == "false"


def test_a_camera_that_is_refused_is_told(host: Host, browser: Browser, picture: Path) -> None:
    """Chromium without a window refuses when nobody answers; pictures go on."""
    with visited(browser, host.url, without=("--use-fake-ui",)) as page:
        page.click("#camera")
        wait_for(lambda: "The camera cannot be used" in page.inner_text("#status"), "the refusal")
        assert page.inner_text("#camera") == "Camera"
        assert processed(page, picture)[0].endswith(" ms")


def test_a_turned_device_keeps_what_is_shown(host: Host, page: Page, picture: Path) -> None:
    """The frame follows the new width."""
    page.set_viewport_size({"width": 360, "height": 740})
    opened(page, host.url)
    processed(page, picture)
    page.set_viewport_size({"width": 740, "height": 360})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.is_visible("#pair")


def test_a_page_that_is_opened_as_a_file_says_how_to_serve_it(site: Path, page: Page, picture: Path) -> None:
    """By a double click: browsers give such a page no worker and none of its files."""
    page.goto((site / "index.html").as_uri())
    assert "python3 -m http.server" in processed(page, picture)[0]
    page.goto((site / "bench.html").as_uri())
    page.click("#measure")
    wait_for(lambda: "python3 -m http.server" in page.inner_text("#status"), "the same sentence")


def test_a_change_while_pictures_wait_costs_none(host: Host, page: Page, picture: Path) -> None:
    """Another variant and strength in the middle of a queue, and the camera switched on and off: all are done, and the last wish holds."""
    opened(page, host.url)
    processed(page, picture)
    page.set_input_files("#files", [str(picture)] * 5)
    page.locator("#variant").evaluate("select => select.dispatchEvent(new Event('change'))")
    page.locator("#strength").fill("0")
    for _ in range(3):
        page.click("#camera")
    wait_for(lambda: page.locator("#queue li.finished").count() == 6, "six pictures")
    wait_for(lambda: page.inner_text("#camera") == "Stop camera" and page.is_enabled("#save"), "the camera")
    page.click("#camera")
    assert page.inner_text("#camera") == "Camera"
    assert page.locator("#queue li.failed").count() == 0


def test_a_bundle_of_another_origin_needs_its_word(site: Path, browser: Browser, picture: Path, tmp_path: Path) -> None:
    """A browser does not let a page read it otherwise; the sentence says so. Here its host redirects the bundle elsewhere."""
    shutil.copytree(site, tmp_path / "site")
    shutil.rmtree(tmp_path / "site" / "bundle")
    with hosting(site) as elsewhere, hosting(tmp_path / "site", moved={"/bundle/": f"{elsewhere.url}bundle/"}) as host:
        context = browser.new_context(service_workers="block")
        page = context.new_page()
        page.goto(host.url)
        assert "or that its server allows this page" in processed(page, picture)[0]
        context.close()
