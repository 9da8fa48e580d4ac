"""What was changed on a phone and is to be taken back: kept on the phone itself, so that any host repairs it, and beside the store.

It holds what was there before, never a command: a file on a phone is not to be executed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.cache import write_durably
from harness.devices.android.adb import Adb, quote_words
from harness.errors import DeviceError

ON_PHONE = "/data/local/tmp/.edgebundle-undo"
Pin = Literal["fixed performance", "stay awake", "airplane mode"]


class Change(BaseModel):
    """One setting: `before` is its value of before (None: it was not set), `held` whether it was set for certain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pin: Pin
    before: str | None = Field(default=None, pattern=r"^[0-9]{1,3}$")
    held: bool = False


CHANGES = TypeAdapter(tuple[Change, ...])


class Journal:
    """Of one phone. All methods raise DeviceError, and DeviceLost for a phone that went away."""

    def __init__(self, adb: Adb, beside: Path) -> None:
        self._adb, self._beside = adb, beside

    def write(self, changes: Sequence[Change]) -> None:
        """On this computer's disk, then on the phone's, before anything is changed."""
        text = json.dumps([change.model_dump() for change in changes])
        try:
            write_durably(self._beside, text.encode())
        except OSError as error:
            raise DeviceError(f"{self._beside} cannot be written ({error.strerror}); free the place.") from error
        self._adb.require_shell(
            f"printf %s {quote_words(text)} >{ON_PHONE}.new && sync && mv {ON_PHONE}.new {ON_PHONE}",
            doing="write down what is to be taken back",
        )

    def read(self) -> tuple[Change, ...]:
        """The phone's own, and what only this computer knows. A damaged one counts for nothing where the other tells it all."""
        printed = self._adb.shell(f"cat {ON_PHONE} 2>/dev/null", doing="tell what is to be taken back").stdout.strip()
        try:
            here = self._beside.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            here = ""
        there, ours = _parse(printed), _parse(here)
        if (there is None and ours is None) or (there is None and not here) or (ours is None and not printed):
            where = f"{ON_PHONE} on {self._adb.serial}" if there is None else str(self._beside)
            raise DeviceError(
                f"{where}, which tells what a measurement has changed on {self._adb.serial}, is damaged; look at 'Stay awake' in its developer "
                f"options, run 'adb -s {self._adb.serial} shell cmd power set-fixed-performance-mode-enabled false', and remove the file."
            )
        known = {change.pin: change for change in (*(ours or ()), *(there or ()))}
        return tuple(known.values())

    def clear(self) -> None:
        self._adb.require_shell(f"rm -f {ON_PHONE} {ON_PHONE}.new", doing="forget what was taken back")
        self._beside.unlink(missing_ok=True)


def _parse(text: str) -> tuple[Change, ...] | None:
    """Nothing for an empty text; None for a damaged one."""
    if not text:
        return ()
    try:
        return CHANGES.validate_json(text)
    except ValidationError:
        return None
