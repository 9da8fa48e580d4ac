"""The Kotlin SDK's last resort against the real server target, over loopback."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

import builder
from tests.android.jvm import compile_tests
from tests.harness.small_bundle import make_small_bundle
from tests.server.test_server import picture, running


def test_kotlin_and_the_server_agree(tmp_path: Path) -> None:
    """The user is asked, the picture comes back in the network's size, and what was sent is told."""
    folder = builder.package(make_small_bundle(tmp_path / "bundle"), target="server", out=tmp_path / "dist").files[0]
    work = tmp_path / "work"
    work.mkdir()
    (work / "picture.png").write_bytes(picture())
    with running(folder, tmp_path / "log") as server:
        (work / "address.txt").write_text(f"http://127.0.0.1:{server.port}")
        done = compile_tests().run_limited("org.edgebundle.sdk.core.RemoteModelTestKt", work, 100_000)
    told = done.stdout.splitlines()
    assert told[:1] == [f"asked: 127.0.0.1:{server.port}"], done.stdout + done.stderr
    with Image.open(work / "made.png") as made:
        assert told[1] == f"size: {made.width} x {made.height}"
    bytes_sent = (work / "picture.png").stat().st_size
    assert told[2].startswith(f"sent: {bytes_sent} bytes were sent to 127.0.0.1:{server.port}")
    assert "picture" not in (tmp_path / "log").read_text()
