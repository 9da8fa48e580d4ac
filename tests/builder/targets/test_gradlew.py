"""The project's own `gradlew`: what it downloads, what it refuses, and what it leaves behind. A server on loopback stands in for Gradle's."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from builder import process
from builder.targets.mobile import find_mobile_root

PROJECT = find_mobile_root() / "android"
PROPERTIES = "gradle/wrapper/gradle-wrapper.properties"
PROGRAM = '#!/bin/sh\necho "ran with $*"\nexit 3\n'
MOST_S = 60.0


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A folder `served` on loopback that holds a distribution whose `gradle` says how it was started and ends with 3."""
    folder = tmp_path / "served"
    folder.mkdir()
    with zipfile.ZipFile(folder / "gradle-9.1.0-bin.zip", "w") as archive:
        entry = zipfile.ZipInfo("gradle-9.1.0/bin/gradle")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, PROGRAM)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http\\://127.0.0.1\\:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def make_project(tmp_path: Path, url: str, sha256: str | None = None) -> Path:
    """The script with properties that name the served distribution, in a folder with a space in its name."""
    project = tmp_path / "my project"
    (project / PROPERTIES).parent.mkdir(parents=True)
    shutil.copy(PROJECT / "gradlew", project)
    archive = tmp_path / "served" / "gradle-9.1.0-bin.zip"
    digest = sha256 or hashlib.sha256(archive.read_bytes()).hexdigest()
    text = f"distributionUrl={url}/gradle-9.1.0-bin.zip\ndistributionSha256Sum={digest}\n"
    (project / PROPERTIES).write_text(text)
    return project


def gradlew(project: Path, tmp_path: Path, *words: str) -> process.Completed:
    home = {"GRADLE_USER_HOME": str(tmp_path / "home of gradle")}
    return process.run([project / "gradlew", *words], timeout_s=MOST_S, check=False, env=home)


def test_the_pinned_distribution_is_the_one_of_the_catalogue() -> None:
    """The wrapper's file names a distribution and its hash as Gradle's own tools read them, and the script may be executed."""
    lines = (PROJECT / PROPERTIES).read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines)
    assert values["distributionUrl"].endswith("/gradle-9.1.0-bin.zip")
    assert len(bytes.fromhex(values["distributionSha256Sum"])) == 32
    assert os.access(PROJECT / "gradlew", os.X_OK)


def test_gradle_is_downloaded_once_and_started(served: str, tmp_path: Path) -> None:
    """The first run downloads, both hand on their words and Gradle's exit code; nothing but Gradle is left in its home."""
    project = make_project(tmp_path, served)
    first = gradlew(project, tmp_path, ":app:installRelease", "--name=a b")
    assert (first.returncode, first.stdout) == (3, "ran with :app:installRelease --name=a b\n")
    assert "Downloading" in first.stderr
    shutil.rmtree(tmp_path / "served")
    second = gradlew(project, tmp_path)
    assert (second.returncode, second.stderr) == (3, "")
    files = [path for path in (tmp_path / "home of gradle").rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["gradle"]


def test_a_distribution_of_another_hash_is_not_used(served: str, tmp_path: Path) -> None:
    """A changed distribution is refused in a sentence with both hashes, and nothing of it stays."""
    done = gradlew(make_project(tmp_path, served, "0" * 64), tmp_path)
    assert done.returncode == 1
    assert f"instead of {'0' * 64}; nothing of it was used" in done.stderr
    assert not [path for path in (tmp_path / "home of gradle").rglob("*") if path.is_file()]


def test_a_server_without_the_distribution_is_told(served: str, tmp_path: Path) -> None:
    """A download that fails, and properties that are missing, are one sentence each."""
    project = make_project(tmp_path, f"{served}/nowhere")
    done = gradlew(project, tmp_path)
    assert done.returncode == 1
    assert "could not download http://127.0.0.1" in done.stderr
    (project / PROPERTIES).unlink()
    assert "gradle-wrapper.properties is missing" in gradlew(project, tmp_path).stderr
