"""A server as a page's last resort: off without an address, asked for before anything is sent, and what went where is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route

import builder
from builder.bundle import Bundle
from builder.errors import ConfigError
from builder.targets.base import PackageRequest
from builder.targets.web import check_section
from builder.targets.web.packaging import package
from builder.targets.web.settings import WebSection
from tests.harness.small_bundle import make_small_bundle, write_manifest
from tests.server.test_server import Running, running
from tests.web.site import Host, hosting, opened, processed, wait_for


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_small_bundle(tmp_path_factory.mktemp("remote") / "bundle")


@pytest.fixture(scope="module")
def pair(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Running]]:
    """The server target, and a page that may ask it, whose variants cannot pass: their goldens ask for more than equal pictures."""
    work = tmp_path_factory.mktemp("pair")
    folder = builder.package(bundle, target="server", out=work / "server").files[0]
    (work / "host").mkdir()
    with hosting(work / "host") as host, running(folder, work / "log", origins=host.url.rstrip("/")) as server:
        broken = work / "broken"
        shutil.copytree(bundle, broken)
        write_manifest(broken, min_psnr_db=201.0)
        request = PackageRequest(
            bundle=Bundle.open(broken),
            application_id="org.example.small",
            version_name="1.0",
            version_code=1,
            formats=("site",),
            out=work / "dist",
            remote=f"http://127.0.0.1:{server.port}",
        )
        (work / "dist").mkdir()
        made = package(request)
        assert [finding.code for finding in made.findings if finding.code == "remote"] == ["remote"]
        shutil.copytree(made.files[0], work / "host", dirs_exist_ok=True)
        yield host, server


@contextmanager
def answering(page: Page, *, agree: bool) -> Iterator[list[str]]:
    """What the page asks, each answered so."""
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept() if agree else dialog.dismiss()

    page.on("dialog", answer)
    yield asked
    page.remove_listener("dialog", answer)


def count_pictures_taken(server: Running) -> int:
    """By the server's own count."""
    metrics = server.ask("GET", "/metrics")[2].decode()
    return sum(
        int(float(line.split()[-1])) for line in metrics.splitlines() if line.startswith("edgebundle_requests_total")
    )


def test_whoever_agrees_gets_the_servers_picture_and_is_told(
    pair: tuple[Host, Running], page: Page, picture: Path
) -> None:
    """The question names the place and the reason; nothing goes there before; each picture says how much went where."""
    host, server = pair
    place = f"127.0.0.1:{server.port}"
    asked_of_server: list[str] = []
    page.on(
        "request", lambda request: asked_of_server.append(request.url) if f":{server.port}/" in request.url else None
    )
    opened(page, host.url)
    before = count_pictures_taken(server)
    with answering(page, agree=True) as asked:
        said = processed(page, picture, picture)
    assert len(asked) == 1
    assert place in asked[0]
    assert "its golden picture came out wrong" in asked[0]
    assert all(f"bytes sent to {place}" in text for text in said), said
    assert f"your pictures are sent to {place}" in page.inner_text("#status")
    assert count_pictures_taken(server) - before == 2
    assert {url.rsplit("/", 1)[1] for url in asked_of_server} == {"model", "process"}
    size = page.evaluate("[document.getElementById('after').width, document.getElementById('after').height]")
    assert size == [64, 64]
    assert page.is_enabled("#save")


def test_whoever_does_not_agree_sends_nothing(pair: tuple[Host, Running], page: Page, picture: Path) -> None:
    """The sentence says why there is no picture."""
    host, server = pair
    opened(page, host.url)
    before = count_pictures_taken(server)
    with answering(page, agree=False) as asked:
        (said,) = processed(page, picture)
    assert len(asked) == 1
    assert "nobody agreed" in said
    assert "its golden picture came out wrong" in said
    assert count_pictures_taken(server) == before


@pytest.mark.parametrize(("refusals", "done"), [(1, True), (2, False)])
def test_a_busy_server_is_asked_once_more(
    pair: tuple[Host, Running], page: Page, picture: Path, refusals: int, done: bool
) -> None:
    """After the time that it says; a second 429 is told."""
    host, server = pair
    left = [refusals]

    def busy(route: Route) -> None:
        if route.request.method == "POST" and left[0] > 0:
            left[0] -= 1
            origin = {
                "Access-Control-Allow-Origin": host.url.rstrip("/"),
                "Access-Control-Expose-Headers": "Retry-After",
            }
            route.fulfill(status=429, headers={**origin, "Retry-After": "0"}, json={"detail": "the queue is full."})
            return
        route.fallback()

    page.route(f"http://127.0.0.1:{server.port}/**", busy)
    opened(page, host.url)
    with answering(page, agree=True):
        (said,) = processed(page, picture)
    assert ("bytes sent to" in said) is done
    assert done or "answered 429: the queue is full." in said
    assert left == [0]


def test_a_server_that_does_not_know_the_page_is_told_with_the_cure(
    pair: tuple[Host, Running], browser: Browser, picture: Path
) -> None:
    """The same page at another origin, which SERVER_ORIGINS does not list: the browser forbids it."""
    context = browser.new_context()
    page = context.new_page()
    with hosting(pair[0].folder) as other:
        opened(page, other.url)
        with answering(page, agree=True):
            (said,) = processed(page, picture)
    assert "$SERVER_ORIGINS" in said
    assert other.url.rstrip("/") in said
    context.close()


def test_a_server_that_serves_another_network_is_not_used(
    pair: tuple[Host, Running], page: Page, picture: Path
) -> None:
    """Its pictures would be others than the page promises."""
    host, server = pair

    def renamed(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "name": "other"})

    page.route(f"http://127.0.0.1:{server.port}/v1/model", renamed)
    opened(page, host.url)
    with answering(page, agree=True):
        (said,) = processed(page, picture)
    assert 'serves "other", not "small"' in said
    wait_for(lambda: page.is_disabled("#save"), "no picture to save")


@pytest.mark.parametrize(
    "address",
    ["http://example.org/", "https://user:word@example.org", "https://example.org/?key=1", "ftp://example.org", "https://", "x"],
)  # fmt: skip
def test_an_address_that_others_could_listen_to_is_refused(address: str, tmp_path: Path) -> None:
    """Before anything is built; https, or this computer."""
    with pytest.raises(ConfigError, match="write an https address"):
        check_section(WebSection(remote=address), tmp_path)


@pytest.mark.parametrize("address", ["https://example.org:8443/model", "http://localhost:8080/", "http://[::1]:8080"])
def test_addresses_that_are_safe_are_taken(address: str, tmp_path: Path) -> None:
    check_section(WebSection(remote=address), tmp_path)
