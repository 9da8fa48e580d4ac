"""Where a command's output goes: a table or JSON on stdout, anything else into a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.commands import Harness, stored
from tests.harness.runs import make_run


@pytest.mark.parametrize("words", [("-o", "z.txt"), ("--json", "--format", "junit", "-o", "z.txt")])
def test_an_output_that_would_stay_unwritten_is_refused(
    harness: Harness, words: tuple[str, ...], tmp_path: Path
) -> None:
    """Tables and JSON go to stdout; what to add is said, and works."""
    runs = stored(tmp_path / "runs.jsonl", make_run())
    for command in (("check", runs), ("compare", runs, runs)):
        done = harness(*command, *words, cwd=tmp_path)
        assert done.returncode == 2
        assert "add e.g. --format markdown, or leave -o out" in done.stderr
    assert not (tmp_path / "z.txt").exists()
    assert harness("check", runs, "-o", "z.txt", "--format", "markdown", cwd=tmp_path).returncode == 0
    assert "tflite-fp32" in (tmp_path / "z.txt").read_text(encoding="utf-8")
