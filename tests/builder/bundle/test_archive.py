"""What is told of a folder that is no bundle, or not the one any more that the builder wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.bundle import MANIFEST, Bundle, BundleError, refuse_edited
from builder.storage.output import replacing


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))


def written(out: Path, inside: str) -> None:
    with replacing(out, "packages") as work:
        (work / inside).mkdir(parents=True, exist_ok=True)
        (work / inside / MANIFEST).write_text("{}")


def test_a_package_in_the_form_of_a_folder_names_the_bundle_inside(tmp_path: Path) -> None:
    """An iOS, Gradle or web package is verified by the bundle that it carries; the message says where that lies."""
    written(tmp_path / "ios", "app/edgebundle")
    for folder in ("ios", "ios/app"):
        with pytest.raises(BundleError, match=r"name the one inside, .*ios/app/edgebundle\.$"):
            Bundle.open(tmp_path / folder)


def test_a_folder_of_somebody_else_is_not_searched(tmp_path: Path) -> None:
    """It may be the whole home directory."""
    (tmp_path / "home" / "deep").mkdir(parents=True)
    (tmp_path / "home" / "deep" / MANIFEST).write_text("{}")
    with pytest.raises(BundleError, match="make one with 'builder convert"):
        Bundle.open(tmp_path / "home")


def test_a_manifest_that_was_edited_is_refused(tmp_path: Path) -> None:
    """Its claims of quality and coverage stand under no hash of its own, but under that of what wrote it."""
    written(tmp_path / "out", ".")
    refuse_edited(tmp_path / "out")
    (tmp_path / "out" / MANIFEST).write_text('{"psnr_db_worst": 99}')
    with pytest.raises(BundleError, match="was changed since the builder wrote it"):
        refuse_edited(tmp_path / "out")
