"""`builder evaluate`: figures as data, pages that show and vote, and what is wrong with the pictures said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

import builder
from builder.cli import main
from builder.errors import DataError, InputError
from tests.builder.quality.test_measures import noisy, photograph


def save(folder: Path, name: str, picture: np.ndarray) -> None:  # type: ignore[type-arg]
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)).save(folder / f"{name}.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frames of a clip, what is compared with, a near and a far maker."""
    made = tmp_path_factory.mktemp("pictures")
    whole = photograph(120)
    for number in range(2):
        frame = whole[10:106, 10 + 2 * number : 106 + 2 * number]
        save(made / "want", f"{number}", frame)
        save(made / "near", f"{number}", noisy(frame, 0.02))
        save(made / "far", f"{number}", noisy(frame[:, ::-1], 0.2))
    return made


def test_the_nearer_maker_is_nearer_by_every_measure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the command line, as one document; what was not asked for is named with the option that adds it."""
    words = ["evaluate", str(folder / "want"), str(folder / "near"), str(folder / "far"), "--json", "--video"]
    assert main([*words, "--content", str(folder / "want"), "--style", str(folder / "want" / "0.png")]) == 0
    found = json.loads(capsys.readouterr().out)
    near, far = ({f["measure"]: f for f in each["figures"]} for each in found["sets"])
    assert set(near) == set(far)
    assert set(found["left_out"]) == {"lpips", "ms_ssim"}
    assert "--lpips" in found["left_out"]["lpips"]
    for measure in ("psnr", "ssim", "perceptual", "edges_kept"):
        assert near[measure]["worst"] > far[measure]["worst"], measure
    for measure in (
        "frechet_lite0",
        "style_gram",
        "style_wasserstein",
        "content_distance",
        "warping_error",
        "tof",
        "tlp",
    ):
        assert near[measure]["mean"] < far[measure]["mean"], measure
    assert near["psnr"]["each"].keys() == {"0", "1"}


def test_a_vote_is_blind_and_its_result_is_data(folder: Path, tmp_path: Path) -> None:
    """In a browser: no name is shown, each choice is an entry, and the file is what the person chose."""
    found = builder.evaluate(folder / "want", [folder / "near", folder / "far"], out=tmp_path / "out")
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["reference"] == found.reference == "want"
    assert (tmp_path / "out" / "page.html").read_text().count("<figure>") == 6
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        page.goto((tmp_path / "out" / "vote.html").as_uri())
        assert "near" not in page.inner_text("body")
        near = json.loads(page.text_content("#data") or "")["pictures"]["near"]
        for _ in range(2):
            left = page.get_attribute("#a", "src")
            page.keyboard.press("ArrowLeft" if left in near.values() else "ArrowRight")
        votes = json.loads(page.input_value("#result"))["votes"]
        with page.expect_download() as download:
            page.click("#save")
        assert json.loads(Path(download.value.path()).read_text())["votes"] == votes
        browser.close()
    assert [vote["chosen"] for vote in votes] == ["near", "near"]
    assert sorted(vote["picture"] for vote in votes) == ["0", "1"]


def test_what_cannot_be_compared_is_said(folder: Path, tmp_path: Path) -> None:
    """Other sizes, other names, no pictures, and a picture that is not there."""
    save(tmp_path / "small", "0", photograph(64))
    save(tmp_path / "small", "1", photograph(64))
    save(tmp_path / "one", "0", photograph(96))
    (tmp_path / "empty").mkdir()
    for other, message in (
        ("small", "0.png is 64x64 and the reference 0.png is 96x96"),
        ("one", "'one' has no picture '1'"),
    ):
        with pytest.raises(DataError, match=message):
            builder.evaluate(folder / "want", [tmp_path / other])
    for other, message in (("empty", "holds no pictures"), ("gone", "does not exist")):
        with pytest.raises(InputError, match=message):
            builder.evaluate(folder / "want", [tmp_path / other])
    with pytest.raises(DataError, match=r"the content has no picture '1'.*--content"):
        builder.evaluate(folder / "want", [folder / "near"], content=tmp_path / "one")
