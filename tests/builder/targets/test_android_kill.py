"""kill -9 in the middle of packaging: never a partial or unsigned file under the final name, and the next build works."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from builder.bundle import OWNER_FILE, Bundle, file_sha256
from builder.output import refuse_foreign
from builder.targets.android.signature_check import check_signatures

ROUNDS = 50
LIMIT_S = 60.0
# What `builder package BUNDLE --target android --format apk` does, without the start of the command line, told by a line when it begins.
PROGRAM = """
import sys
from pathlib import Path
import builder
sys.stdout.write("ready\\n"); sys.stdout.flush()
builder.package(sys.argv[1], target="android", formats=["apk"], out=sys.argv[2])
"""


def start(bundle: Bundle, out: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", PROGRAM, str(bundle.root), str(out)]
    return subprocess.Popen(
        argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )


def begun(process: subprocess.Popen[str]) -> float:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return time.perf_counter()


def ended(process: subprocess.Popen[str]) -> int:
    """Its exit status, negative for a signal."""
    process.communicate(timeout=LIMIT_S)
    return process.returncode


def whole(out: Path) -> bool:
    """False when `out` is absent, True when it holds a complete package: every file as noted, both signatures right; else a failure."""
    if not out.exists():
        return False
    refuse_foreign(out)
    listed = json.loads((out / OWNER_FILE).read_text(encoding="utf-8"))
    assert list(listed) == ["small.apk"]
    assert file_sha256(out / "small.apk") == listed["small.apk"]
    assert [r.problem for r in check_signatures(out / "small.apk")] == [None, None]
    return True


def test_killed_at_50_moments(bundle: Bundle, apk: Path, tmp_path: Path) -> None:
    """Whenever packaging is killed, the output is absent or complete; a kill late enough leaves it complete. `apk` made the host app."""
    cache = tmp_path / "cache"
    cache.mkdir()
    shared = Path(os.environ.get("EDGEBUNDLE_CACHE") or Path.home() / ".cache" / "edgebundle")
    for name in ("android-host", "keys"):
        (cache / name).symlink_to(shared / name)
    environment = {**os.environ, "EDGEBUNDLE_CACHE": str(cache)}
    whole_run = start(bundle, tmp_path / "first", environment)
    before = begun(whole_run)
    assert ended(whole_run) == 0
    takes = time.perf_counter() - before
    assert whole(tmp_path / "first")
    draw = random.Random(50)
    finished = 0
    for _ in range(ROUNDS):
        shutil.rmtree(cache / "package", ignore_errors=True)  # so that each round builds
        running = start(bundle, tmp_path / "out", environment)
        begun(running)
        time.sleep(draw.uniform(0, 1.05 * takes))
        with contextlib.suppress(ProcessLookupError):  # it was faster this time
            os.killpg(running.pid, signal.SIGKILL)
        assert ended(running) in (0, -signal.SIGKILL)
        finished += whole(tmp_path / "out")
    last = start(bundle, tmp_path / "out", environment)
    begun(last)
    assert ended(last) == 0
    assert whole(tmp_path / "out")
    assert finished > 0
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".out.")]
