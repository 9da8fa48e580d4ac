"""What is kept between runs: damaged entries are made again, and the cache can be looked at, trimmed and cleared."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from builder.cli import main
from builder.storage.cache import find_whole, locate, publishing
from builder.storage.content import clear, look, trim


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("builder.storage.cache._WHOLE", set())
    return tmp_path / "cache"


def put(key: str, size: int = 1000) -> None:
    with publishing("step", key) as work:
        (work / "result.bin").write_bytes(bytes(size))
        (work / "more").mkdir()
        (work / "more" / "x.txt").write_text("x")


@pytest.mark.parametrize("damage", ["cut", "one bit", "missing", "more", "no listing"])
def test_a_damaged_entry_is_as_none(damage: str) -> None:
    """Whatever happened to it, it is removed, and the next who wants it makes it."""
    put("a")
    folder = locate("step", "a")
    if damage == "cut":
        (folder / "result.bin").write_bytes(bytes(10))
    elif damage == "one bit":
        (folder / "result.bin").write_bytes(bytes(999) + b"\1")
    elif damage == "missing":
        (folder / "result.bin").unlink()
    elif damage == "more":
        (folder / "stranger").write_text("")
    else:
        folder.with_name("a.contents.json").unlink()
    assert find_whole("step", "a") is None
    assert not folder.exists()
    put("a")
    assert find_whole("step", "a") == folder


def test_the_cache_is_looked_at_trimmed_and_cleared(own_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was not used for longest goes first; what is none of ours stays."""
    for number, key in enumerate("abc"):
        put(key)
        os.utime(locate("step", key).with_name(f"{key}.contents.json"), (number, number))
    (own_cache / "photographs").mkdir()
    (own_cache / "photographs" / "mine.png").write_text("mine")
    assert find_whole("step", "a") is not None  # used just now
    assert [step.results for step in look().steps] == [3]
    trim(look().bytes - 1)
    assert [find_whole("step", key) is not None for key in "abc"] == [True, False, True]
    assert main(["cache", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"][0]["results"] == 2
    clear()
    assert look().steps == ()
    assert (own_cache / "photographs" / "mine.png").is_file()
    assert main(["cache", "--limit", "lots"]) == 2
    assert main(["cache", "--limit", "1 KB", "--clear"]) == 2
