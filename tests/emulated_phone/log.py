"""The phone's log as `logcat` gives it: lines in the order in which they were written, each with what the wall clock said then.

`-T TIME` begins at the first line that is not older, and from there on goes by the order alone (AOSP: logd's LogReader): a clock that is
set back while one reads hides nothing, but lines that were written before it was set back come again.
"""

from __future__ import annotations

import re
import shlex

from tests.emulated_phone.faults import Faults

BOOTED_S, BETWEEN_S = (
    1_800_000_000.0,
    10.0,
)  # the wall clock at the start, and by how much it goes on with each look at it


class Log:
    """What apps wrote; `faults` may lose or cut lines and move the wall clock."""

    def __init__(self, faults: Faults) -> None:
        self._faults, self._lines, self._looks = faults, list[tuple[float, str]](), 0

    def read_now_s(self) -> float:
        """What the wall clock says."""
        self._looks += 1
        return BOOTED_S + self._looks * BETWEEN_S + self._faults.clock_ahead_s

    def position(self, since_s: float) -> int:
        """Where `-T` begins to read."""
        return next((n for n, (at_s, _) in enumerate(self._lines) if at_s >= since_s), len(self._lines))

    def write(self, text: str) -> None:
        if self._faults.log != "lost":
            self._lines.append((self.read_now_s(), text[: len(text) // 3] if self._faults.log == "cut" else text))

    def first(self, position: int, command: str) -> str | None:
        """The first line from `position` on that fits the `-e` of a command line's logcat; None where it would wait for ever."""
        words = shlex.split(command[command.index("logcat ") :].splitlines()[0])
        wanted = re.compile(words[words.index("-e") + 1], re.MULTILINE)
        return next((text for _, text in self._lines[position:] if wanted.search(text)), None)
