"""`scripts/swift.sh` on machines where it cannot make its chroot: one sentence with what to do, and exit code 3; never a silent skip."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder import process
from builder.process import Completed
from tests.ios.swift import SCRIPT

# what the script needs before it looks for apt
PROGRAMS = ("bash", "env", "id", "mkdir", "flock", "df", "awk", "sed", "rm", "dirname")


@pytest.fixture
def place() -> Iterator[Path]:
    """A copy of the script with an empty cache, where every user may look."""
    folder = Path(tempfile.mkdtemp(prefix="edgebundle-swift-"))
    folder.chmod(0o755)
    shutil.copyfile(SCRIPT, folder / "swift.sh")
    (folder / "swift.sh").chmod(0o755)
    (folder / "cache").mkdir()
    (folder / "cache").chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def prepare(place: Path, *before: str, **environment: str) -> Completed:
    env = {"EDGEBUNDLE_CACHE": str(place / "cache"), **environment}
    return process.run([*before, place / "swift.sh", "prepare"], timeout_s=60, env=env, check=False)


def test_another_user_is_told_to_become_root(place: Path) -> None:
    """Without root nothing is made, and the command to run is named."""
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.geteuid() == 0 else ()
    done = prepare(place, *nobody)
    assert (done.returncode, "run 'sudo scripts/swift.sh prepare'" in done.stderr) == (3, True), done.stderr


def test_a_system_without_apt_is_told_to_install_swift(place: Path) -> None:
    """Without apt there is no archive to trust: Swift itself must be installed."""
    (place / "bin").mkdir()
    for name in PROGRAMS:
        found = shutil.which(name)
        assert found is not None, name
        (place / "bin" / name).symlink_to(found)
    done = prepare(place, PATH=str(place / "bin"))
    said = "install Swift 6 and put swift on PATH" in done.stderr or "only root" in done.stderr
    assert (done.returncode, said) == (3, True), done.stderr
    assert not list((place / "cache" / "swift").glob("trixie*"))


@pytest.mark.parametrize("words", [[], ["jump"], ["run", "/tmp"], ["run", "/absent", "/tmp", "--", "true"]])
def test_bad_words_are_usage(words: list[str]) -> None:
    """Unknown commands, missing words and absent directories end with status 2 and the usage or the directory's name."""
    done = process.run([SCRIPT, *words], timeout_s=60, check=False)
    assert done.returncode == 2
    assert "swift.sh" in done.stderr
