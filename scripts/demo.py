"""The main job on the smallest example: package, measure on the host and on an emulated arm64 device, report.

Every line is a command that a user can type; the last lines say what came out, read from the files that were written.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
DIST = "dist"
EXAMPLE = "examples/tiny_style"
TIME_LIMIT_S = 1800.0


def step(*words: str) -> None:
    """Run one command in the repository's root; its failure is the demo's failure."""
    print(f"\n$ {shlex.join(words)}", flush=True)
    start = time.monotonic()
    status = subprocess.run([BIN / words[0], *words[1:]], cwd=ROOT, timeout=TIME_LIMIT_S, check=False).returncode
    print(f"  ({time.monotonic() - start:.1f} s)", flush=True)
    if status:
        sys.exit(status)


def read(*words: str) -> object:
    """The JSON document that a command prints."""
    done = subprocess.run(
        [BIN / words[0], *words[1:]], cwd=ROOT, timeout=TIME_LIMIT_S, check=False, stdout=subprocess.PIPE
    )
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def main() -> None:
    start = time.monotonic()
    step("builder", "convert", EXAMPLE, "-o", f"{DIST}/bundle")
    step("builder", "package", EXAMPLE, "--target", "android", "-o", f"{DIST}/android")
    runs = ROOT / DIST / "runs.sqlite"
    runs.unlink(missing_ok=True)
    package = sorted((ROOT / DIST / "android").glob("*.apk"))[0].relative_to(ROOT)
    step(
        "harness", "run", str(package), "-d", "host", "-d", "arm64", "--protocol", "quick", "-o", f"{DIST}/runs.sqlite"
    )
    step("harness", "report", f"{DIST}/runs.sqlite", "-o", f"{DIST}/report.html")
    summary(package, time.monotonic() - start)


def summary(package: Path, seconds: float) -> None:
    print("\nMade:")
    for path in (package, Path(DIST, "report.html")):
        print(f"  {path}  {(ROOT / path).stat().st_size:,} bytes")
    print(f"\nDone in {seconds:.0f} s. Open {DIST}/report.html in a browser.")


if __name__ == "__main__":
    main()
