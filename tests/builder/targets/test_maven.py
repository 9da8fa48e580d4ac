"""Libraries that Maven cannot get: the artifact is named, and the exit code says that something is missing, not that conversion failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import MissingToolError
from builder.process import Completed
from builder.targets.android.host import maven

# The end of what Maven 3.8.7 prints in batch mode with colours, for an artifact of a repository that nobody reaches.
SAID = (
    "\x1b[1;31m[ERROR]\x1b[m Failed to execute goal on project main: Could not resolve dependencies for project a:b:pom:1: "
    "Could not find artifact org.pytorch:executorch-android:aar:1.5.1 in central\n"
    "\x1b[1;31m[ERROR]\x1b[m \x1b[1;31mRe-run Maven using the -X switch to enable full debug logging.\x1b[m"
)


def test_an_artifact_that_maven_does_not_find_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program that plays Maven here prints what Maven printed and fails; exit code 3."""
    program = tmp_path / "mvn"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{SAID}\nEND\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(MissingToolError, match=r"cannot get org\.pytorch:executorch-android:aar:1\.5\.1; check"):
        maven._run(tmp_path)


def test_a_tools_last_words_have_no_escape_codes() -> None:
    """They are colours of a terminal, and a sentence is not one."""
    assert Completed(returncode=1, stdout=SAID, stderr="").quote_last_lines(1).startswith("[ERROR] Re-run")
