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

from builder.bundle import OWNER_FILE, Bundle, hash_file
from builder.storage.cache import find_cache_root
from builder.storage.output import refuse_foreign
from builder.targets.android.signing.signature_check import check_signatures

ROUNDS = 50
LIMIT_S = 60.0
# What `builder package BUNDLE --target android --format apk` does. It packages once itself, so that all is loaded, then once for each
# line that it reads, in a child that tells its number when it begins: every moment of a kill is one of packaging, not of starting Python.
PROGRAM = """
import os, sys
import builder

def package(out):
    builder.package(sys.argv[1], target="android", formats=["apk"], out=out)

package(sys.argv[2])
print(0, flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.setsid()
        print(os.getpid(), flush=True)
        package(line.rstrip("\\n"))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Packager:
    """The program above; one package at a time."""

    def __init__(self, bundle: Bundle, first: Path, environment: dict[str, str]) -> None:
        argv = [sys.executable, "-c", PROGRAM, str(bundle.root), str(first)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(argv, env=environment, text=True, **pipes)  # type: ignore[call-overload]
        self._number()  # the first package is there

    def __enter__(self) -> Packager:
        return self

    def __exit__(self, *rest: object) -> None:
        self._process.communicate(timeout=LIMIT_S)

    def start(self, out: Path) -> int:
        """Begin a package; returns the number of the process group that makes it."""
        self._process.stdin.write(f"{out}\n")
        self._process.stdin.flush()
        return self._number()

    def ended(self) -> int:
        """The exit status of the package that was begun, negative for a signal."""
        return self._number()

    def _number(self) -> int:
        return int(self._process.stdout.readline())


def whole(out: Path) -> bool:
    """False when `out` is absent, True when it holds a complete package: every file as noted, both signatures right; else a failure."""
    if not out.exists():
        return False
    refuse_foreign(out, "packages")
    listed = json.loads((out / OWNER_FILE).read_text(encoding="utf-8"))
    assert set(listed) == {"", "small.apk"}
    assert hash_file(out / "small.apk") == listed["small.apk"]
    assert [r.problem for r in check_signatures(out / "small.apk")] == [None, None]
    return True


def test_killed_at_50_moments(bundle: Bundle, apk: Path, tmp_path: Path) -> None:
    """Whenever packaging is killed, the output is absent or complete; a kill late enough leaves it complete. `apk` made the host app."""
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("android-host", "keys"):
        (cache / name).symlink_to(find_cache_root() / name)
    environment = {**os.environ, "EDGEBUNDLE_CACHE": str(cache)}
    draw = random.Random(50)
    killed = finished = 0
    with Packager(bundle, tmp_path / "first", environment) as packager:
        takes = uninterrupted(packager, cache, tmp_path / "second")
        assert whole(tmp_path / "first")
        assert whole(tmp_path / "second")
        for _ in range(4 * ROUNDS):
            shutil.rmtree(cache / "package", ignore_errors=True)  # so that each round builds
            group = packager.start(tmp_path / "out")
            time.sleep(draw.uniform(0, 1.25 * takes))
            with contextlib.suppress(ProcessLookupError):  # it was faster this time
                os.killpg(group, signal.SIGKILL)
            status = packager.ended()
            assert status in (0, -signal.SIGKILL)
            killed += status != 0
            finished += whole(tmp_path / "out")
            if killed == ROUNDS:
                break
        uninterrupted(packager, cache, tmp_path / "out")
    assert whole(tmp_path / "out")
    assert killed == ROUNDS
    assert finished > 0
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".out.")]


def uninterrupted(packager: Packager, cache: Path, out: Path) -> float:
    """How many seconds one package takes."""
    shutil.rmtree(cache / "package", ignore_errors=True)
    packager.start(out)
    before = time.perf_counter()
    assert packager.ended() == 0
    return time.perf_counter() - before
