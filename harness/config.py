"""The measurement protocols that `harness run --protocol` offers."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How one variant is measured: `warmup` inferences that are not counted, then `runs` that are, on `threads` threads."""

    name: str
    warmup: int
    runs: int
    threads: int
    timeout_s: float

    def counting(self) -> Protocol:
        """The same for devices that count instructions: counts repeat exactly on one thread, so one inference is enough."""
        return Protocol(name=self.name, warmup=1, runs=1, threads=1, timeout_s=self.timeout_s)


PROTOCOLS: dict[str, Protocol] = {
    "quick": Protocol(name="quick", warmup=5, runs=30, threads=2, timeout_s=300),
    "standard": Protocol(name="standard", warmup=20, runs=200, threads=2, timeout_s=1200),
}


def protocol_named(name: str) -> Protocol:
    """Raises UsageError, with the nearest known name, when there is no such protocol."""
    protocol = PROTOCOLS.get(name)
    if protocol is None:
        from difflib import get_close_matches

        near = get_close_matches(name, PROTOCOLS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the protocols are {', '.join(PROTOCOLS)}."
        raise UsageError(f"there is no protocol {name!r}; {hint}")
    return protocol
