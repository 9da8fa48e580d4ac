"""The child process that profiles one artifact on this computer: `python -m harness.devices.host.profiler FOLDER`.

As the benchmark's (`worker.py`): `request.json` and the inputs in, `profile.json` out, with one text for each inference as
`harness.devices.runner.operators` reads them.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

from harness.devices.host.worker import read_request


def main(folder: Path) -> None:
    request, engine, functions, inputs = read_request(folder)
    texts = functions.profile(request.artifact, request.threads, inputs, request.runs)
    answer = {"runtime": engine.name, "runtime_version": version(engine.package), "texts": texts}
    (folder / "profile.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
