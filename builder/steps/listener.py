"""Who hears what the steps do."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Hears what the pipeline does; the command line draws progress bars from it."""

    def stage(self, step: str, text: str) -> None: ...

    def finish(self, step: str, *, cached: bool) -> None: ...

    def warn(self, text: str) -> None: ...


class Silent:
    """A listener that hears nothing, for use from Python."""

    def stage(self, step: str, text: str) -> None:
        pass

    def finish(self, step: str, *, cached: bool) -> None:
        pass

    def warn(self, text: str) -> None:
        pass
