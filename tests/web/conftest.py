"""One page and one browser for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

import builder
from tests.harness.small_bundle import make_small_bundle
from tests.web.site import Host, chromium, hosting


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the small bundle."""
    folder = tmp_path_factory.mktemp("web")
    bundle = make_small_bundle(folder / "bundle")
    return builder.package(bundle, target="web", out=folder / "dist").files[0]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def host(site: Path) -> Iterator[Host]:
    with hosting(site) as host:
        yield host


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a new visitor, who has nothing kept."""
    context = browser.new_context(accept_downloads=True, locale="en-GB")
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of noise, larger than the network's input."""
    path = tmp_path_factory.mktemp("pictures") / "noise.png"
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    Image.fromarray(noise).save(path)
    return path
