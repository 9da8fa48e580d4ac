"""Output directories appear whole or not at all, and never over somebody else's files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from builder.bundle import OWNER_FILE
from builder.errors import OutputError
from builder.storage.output import check_output, replacing


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))


def put(out: Path, **files: str) -> None:
    with replacing(out, "a bundle") as work:
        for name, text in files.items():
            (work / name).write_text(text)


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_an_earlier_output_of_ours_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Files of the earlier output that the new one lacks are gone."""
    out = tmp_path / "out"
    put(out, a="1", b="1")
    put(out, b="2")
    assert names(out) == {"b", OWNER_FILE}
    assert (out / "b").read_text() == "2"
    assert names(tmp_path) == {"cache", "out"}


@pytest.mark.parametrize("prepare", ["foreign", "edited", "beside", "file"])
def test_files_that_are_not_ours_are_refused_and_kept(tmp_path: Path, prepare: str) -> None:
    """A foreign file, an edited file of ours, or a plain file in the way stops the build with its name."""
    out = tmp_path / "out"
    if prepare == "foreign":
        out.mkdir()
        (out / "thesis.tex").write_text("years of work")
    elif prepare == "file":
        out.write_text("years of work")
    else:
        put(out, a="1")
        (out / ("a" if prepare == "edited" else "thesis.tex")).write_text("years of work")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and "cache" not in p.parts}
    with pytest.raises(OutputError, match="choose another -o"):
        put(out, a="2")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and "cache" not in p.parts} == before


def test_an_error_in_the_block_leaves_the_earlier_output(tmp_path: Path) -> None:
    """What was there before a failed build is untouched, and nothing else remains."""
    out = tmp_path / "out"
    put(out, a="1")

    def break_off() -> None:
        with replacing(out, "a bundle") as work:
            (work / "a").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert (out / "a").read_text() == "1"
    assert names(tmp_path) == {"cache", "out"}


def test_an_empty_directory_is_accepted(tmp_path: Path) -> None:
    """A directory that the user made beforehand is used."""
    out = tmp_path / "out"
    out.mkdir()
    put(out, a="1")
    assert (out / "a").read_text() == "1"


def test_two_builds_at_once_into_one_directory_are_refused(tmp_path: Path) -> None:
    """The second build says so at once; the first one is not disturbed."""
    out = tmp_path / "out"
    with replacing(out, "a bundle") as work:
        (work / "a").write_text("first")
        with pytest.raises(OutputError, match="another build is writing"):
            put(out, a="second")
    assert (out / "a").read_text() == "first"


def test_a_killed_build_leaves_nothing_under_the_final_name_and_the_next_one_works(tmp_path: Path) -> None:
    """kill -9 in the middle of writing: no output, and the leftovers go away with the next build."""
    out = tmp_path / "out"
    code = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        from builder.storage.output import replacing
        with replacing(Path({str(out)!r}), "a bundle") as work:
            (work / "a").write_text("half")
            print("ready", flush=True)
            sys.stdin.read()
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGKILL)
    assert not out.exists()
    put(out, a="whole")
    assert (out / "a").read_text() == "whole"
    assert names(tmp_path) == {"cache", "out"}


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A path below a file, as on a read-only place, is an OutputError."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        put(tmp_path / "file" / "out", a="1")


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    """ENOSPC while writing ends as an OutputError, and the earlier output stays."""
    out = tmp_path / "out"
    put(out, a="1")

    def write_to_a_full_disk() -> None:
        with replacing(out, "a bundle") as work:
            (work / "link").symlink_to("/dev/full")
            (work / "link").write_text("x" * 10_000)

    with pytest.raises(OutputError, match="No space left on device"):
        write_to_a_full_disk()
    assert (out / "a").read_text() == "1"


def package(out: Path, **files: str) -> None:
    with replacing(out, "packages") as work:
        for name, text in files.items():
            (work / name).mkdir()
            (work / name / "x").write_text(text)


def test_packages_of_another_target_stay_beside_the_new_ones(tmp_path: Path) -> None:
    """Each is an entry of its own: the same one is replaced as a whole, the others are kept, and all stay ours."""
    out = tmp_path / "dist"
    package(out, apk="1", maven="1")
    package(out, web="1")
    package(out, apk="2")
    assert {p.name: (p / "x").read_text() for p in out.iterdir() if p.is_dir()} == {
        "apk": "2",
        "maven": "1",
        "web": "1",
    }


def test_no_output_takes_the_place_of_another_kind(tmp_path: Path) -> None:
    """Packages over the bundle that they are made of would end it; a marker from before kinds were written is taken."""
    out = tmp_path / "bundle"
    put(out, a="1")
    with pytest.raises(OutputError, match="holds a bundle of this tool, and packages would take its place"):
        package(out, apk="1")
    assert (out / "a").read_text() == "1"
    listed = json.loads((out / OWNER_FILE).read_text())
    del listed[""]
    (out / OWNER_FILE).write_text(json.dumps(listed))
    put(out, a="2")


def test_nothing_is_put_inside_an_output(tmp_path: Path) -> None:
    """A bundle with somebody else's folder inside is no bundle any more."""
    put(tmp_path / "bundle", a="1")
    with pytest.raises(OutputError, match=r"lies inside .*bundle, which this tool wrote as a whole"):
        check_output(tmp_path / "bundle" / "deep" / "site", "packages")


def test_what_stays_beside_new_packages_is_whole(tmp_path: Path) -> None:
    """A file, a folder in a folder, and a program that can still be started."""
    out = tmp_path / "dist"
    with replacing(out, "packages") as work:
        (work / "app.apk").write_text("apk")
        (work / "project" / "deep" / "er").mkdir(parents=True)
        (work / "project" / "deep" / "er" / "run").write_text("#!/bin/sh\n")
        (work / "project" / "deep" / "er" / "run").chmod(0o755)
    package(out, web="1")
    assert (out / "app.apk").read_text() == "apk"
    assert os.access(out / "project" / "deep" / "er" / "run", os.X_OK)
    assert not os.access(out / "app.apk", os.X_OK)
    assert (out / "web" / "x").read_text() == "1"
