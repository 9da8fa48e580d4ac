"""What a dex refers to but neither it nor a framework has: R8's own tracer, against the classes of one Android version."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from builder import process
from builder.targets.android import tools
from builder.targets.android.host import compiler

LIMIT_S = 300.0


def find_missing_references(dex: Sequence[Path], *, r8: Path, framework: Path, work: Path) -> set[str]:
    """Classes, methods and fields that are nowhere, as `method float android.os.PowerManager.getThermalHeadroom(int)`."""
    source = work / "dex.zip"  # a bare dex is refused
    with zipfile.ZipFile(source, "w") as archive:
        for path in dex:
            archive.write(path, path.name)
    argv: list[str | Path] = [
        "java",
        *compiler.JVM,
        "-cp",
        r8,
        "com.android.tools.r8.tracereferences.TraceReferences",
        "--check",
    ]
    argv += ["--lib", framework, "--lib", tools.find_java_home(), "--source", source]
    done = process.run(argv, timeout_s=LIMIT_S, check=False)
    text = done.stdout + done.stderr
    found = set(
        re.findall(r"^(?:Error: )?Missing ((?:class|method|field) .+?) \(referenced from: ", text, re.MULTILINE)
    )
    assert bool(found) == (done.returncode != 0), text[-3000:]
    return found
