"""Chromium without a window, for pages that a person would open."""

from __future__ import annotations

import subprocess
from pathlib import Path

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr",
]  # fmt: skip


def chromium(page: Path, profile: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    argv = ["chromium", *FLAGS, f"--user-data-dir={profile}", *words, page.as_uri()]
    return subprocess.run(argv, capture_output=True, timeout=120, check=True)
