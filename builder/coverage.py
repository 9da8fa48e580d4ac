"""The gate on what a delegate takes: the share of multiply-accumulates, and what is left with its layer and a cure."""

from __future__ import annotations

from builder.bundle import Coverage
from builder.errors import VerificationError

_NAMED = 5  # of the operators that are left; a sentence has to end


def require_coverage(coverage: Coverage, least: float | None) -> None:
    """Raises VerificationError when the delegate takes less than `least` (0..1) of the multiply-accumulates."""
    share = coverage.mac_share
    if least is None:
        return
    if share is None:
        raise VerificationError(
            f"how much of the multiply-accumulates the delegate {coverage.delegate} takes is not known for this file; remove 'require_coverage'."
        )
    if share >= least:
        return
    more = len(coverage.left) - _NAMED
    names = "; ".join(coverage.left[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
    word = "is predicted to take" if coverage.source == "predicted" else "takes"
    raise VerificationError(
        f"{coverage.delegate} {word} {share:.1%} of the multiply-accumulates, 'require_coverage' is {least:.1%}; left: {names or 'nothing by name'}."
    )
