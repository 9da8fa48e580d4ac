"""What running a package's own libraries found, as findings of its audit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from builder.bundle import Bundle
from builder.targets.android.execute.run import Execution, execute_package
from builder.targets.base import Finding


def execute_and_judge(packages: Sequence[Path], bundle: Bundle) -> tuple[Finding, ...]:
    """Of the first app or app bundle: all carry the same libraries. A library takes its runtime from whoever uses it."""
    carrying = [path for path in packages if path.suffix in (".apk", ".aab")]
    if not carrying:
        return ()
    return tuple(_findings(carrying[0].name, bundle, execute_package(carrying[0], bundle)))


def _findings(file: str, bundle: Bundle, executions: Sequence[Execution]) -> Iterator[Finding]:
    unproven: dict[str, None] = {}
    for execution in executions:
        if execution.unproven:
            unproven[f"has variant {execution.variant} not run by its own library: {execution.unproven}."] = None
        elif not execution.passed:
            yield Finding(level="error", code="executed", file=file, message=describe_failure(execution, bundle))
        else:
            took = f"{execution.delegated} operators by " if execution.delegated else "by "
            ran = took + execution.runtime + (f"; {execution.remark}" if execution.remark else "")
            yield Finding(
                level="info",
                code="executed",
                file=file,
                message=f"gives {execution.variant}'s golden {execution.golden} to {execution.psnr_db} dB, {ran}.",
            )
    for message in unproven:
        yield Finding(level="warning", code="unproven", file=file, message=message)


def describe_failure(execution: Execution, bundle: Bundle) -> str:
    """`carries ..., which ...` with the runtime that was seen to run it."""
    variant = bundle.variant(execution.variant)
    what = (
        f"cannot run variant {execution.variant}: {execution.failure}"
        if execution.failure
        else f"gives variant {execution.variant}'s golden {execution.golden} to {execution.psnr_db} dB only, {execution.min_psnr_db:g} dB is required"
    )
    return (
        f"carries {execution.runtime.replace(' of the package', '')}, which {what}; give the variant another scheme or delegate "
        f"({variant.quality.runtime} was seen to run it)."
    )
