"""What the played programs remember between calls, and the fault that is switched on."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

UDID = "569C0F94-5D53-40D2-AF8F-F4AA5BAA7D5E"
DEVICE = "00008130-0006284C3E40001C"


class State:
    def __init__(self) -> None:
        self.folder = Path(os.environ["EDGEBUNDLE_STANDIN"])
        self._path = self.folder / "state.json"
        self.values = json.loads(self._path.read_text()) if self._path.exists() else {"fault": "", "counts": {}}
        with (self.folder / "calls.jsonl").open("a") as log:
            log.write(json.dumps(sys.argv) + "\n")

    def fault(self, name: str, times: int | None = None) -> bool:
        """Whether a fault is on; with `times` for that many askings only."""
        if self.values["fault"] != name:
            return False
        count = self.values["counts"].get(name, 0) + 1
        self.values["counts"][name] = count
        self.save()
        return times is None or count <= times

    def save(self) -> None:
        work = self._path.with_suffix(".part")
        work.write_text(json.dumps(self.values))
        work.replace(self._path)

    def documents(self, identifier: str) -> Path:
        return self.folder / "containers" / identifier / "Documents"


def unknown() -> None:
    print(f"the stand-in knows no call {sys.argv[1:]}", file=sys.stderr)
    sys.exit(99)


def hang() -> None:
    import time

    time.sleep(3600)
