"""The command in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from tests.harness.commands import Done, Harness


@pytest.fixture
def harness(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Harness:
    """What `python -m harness WORDS` does, in the directory `cwd` from its call on."""

    def run(*words: str | Path, cwd: Path | None = None) -> Done:
        if cwd is not None:
            monkeypatch.chdir(cwd)
        capsys.readouterr()
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return Done(returncode=code, stdout=printed.out, stderr=printed.err)

    return run
