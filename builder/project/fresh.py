"""`--fresh`: what earlier runs have kept is not believed, and is made and kept again, once in a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from builder.storage import cache


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """`made` are the entries that this run has already made."""

    wanted: bool = False
    made: set[tuple[str, str]] = field(default_factory=set)

    def first(self, step: str, key: str) -> bool:
        """Whether this run has yet to make the entry, whatever earlier runs have kept; from then on it is made."""
        if not self.wanted or (step, key) in self.made:
            return False
        self.made.add((step, key))
        return True

    def drop(self, step: str, key: str) -> None:
        """Forget what an earlier run kept; call it under the lock of the entry."""
        if self.first(step, key):
            cache.drop(step, key)
