"""What a worker refuses to hand over."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from builder.errors import VerificationError
from builder.workers.jobs.folder import refuse_paths_of_this_machine


def test_an_artifact_that_names_its_place_of_making_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory inside a file is found and named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "artifact").write_bytes(b"..." + str(Path.cwd()).encode() + b"...")
    with pytest.raises(VerificationError, match="contains a path of this machine"):
        refuse_paths_of_this_machine(tmp_path / "artifact")


@pytest.mark.parametrize("prefix", ["/usr", "/", "/app"])
def test_a_short_place_that_weights_hold_by_chance_is_no_reason_to_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """A container's /app or the system's /usr may stand among the bytes of any file."""
    monkeypatch.setattr(sys, "prefix", prefix)
    monkeypatch.chdir("/tmp")
    (tmp_path / "artifact").write_bytes(b"\x00/usr\x01/app\x02/tmp\x03/")
    refuse_paths_of_this_machine(tmp_path / "artifact")
