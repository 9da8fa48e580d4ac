"""The main job on the smallest example: package, measure on the host and on an emulated arm64 device, report.

Every line is a command that a user can type; the last lines say what came out, read from the files that were written.
"""

from __future__ import annotations

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


def run_step(*words: str) -> None:
    """Run one command in the repository's root; its failure is the demo's failure."""
    print(f"\n$ {shlex.join(words)}", flush=True)
    start = time.monotonic()
    status = subprocess.run([BIN / words[0], *words[1:]], cwd=ROOT, timeout=TIME_LIMIT_S, check=False).returncode
    print(f"  ({time.monotonic() - start:.1f} s)", flush=True)
    if status:
        sys.exit(status)


def main() -> None:
    start = time.monotonic()
    run_step("builder", "convert", EXAMPLE, "-o", f"{DIST}/bundle")
    run_step("builder", "package", EXAMPLE, "--target", "android", "-o", f"{DIST}/android")
    run_step(
        "harness",
        "run",
        f"{DIST}/bundle",
        "-d",
        "host",
        "-d",
        "arm64",
        "--protocol",
        "quick",
        "-o",
        f"{DIST}/runs.sqlite",
    )
    run_step("harness", "report", f"{DIST}/runs.sqlite", "-o", f"{DIST}/report.html")
    apk = next((ROOT / DIST / "android").glob("*.apk")).relative_to(ROOT)
    verify_signature(apk)
    print("\nMade:")
    for path in (apk, Path(DIST, "bundle", "manifest.json"), Path(DIST, "report.html")):
        print(f"  {path}  {(ROOT / path).stat().st_size:,} bytes")
    print(f"\nDone in {time.monotonic() - start:.0f} s. Open {DIST}/report.html in a browser.")


def verify_signature(apk: Path) -> None:
    """Ask Android's own tool, which had no part in making the package."""
    command = ["apksigner", "verify", "--verbose", str(apk)]
    print(f"\n$ {shlex.join(command)}", flush=True)
    done = subprocess.run(command, cwd=ROOT, timeout=TIME_LIMIT_S, check=False, capture_output=True, text=True)
    print(
        "\n".join(
            line for line in done.stdout.splitlines() if "Verifie" in line or ("scheme" in line and "true" in line)
        )
    )
    if done.returncode:
        sys.exit(f"apksigner does not accept {apk}: {done.stderr}")


if __name__ == "__main__":
    main()
