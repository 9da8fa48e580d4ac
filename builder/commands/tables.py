"""Tables that several commands print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from builder.bundle import Coverage, Manifest
from builder.command_line.console import add_row, make_table, print_line, results

if TYPE_CHECKING:
    from builder.targets.base import Finding


# Of the operators that a delegate leaves; a line has to end.
_NAMED = 5


def show_variants(manifest: Manifest) -> None:
    """The variants of a bundle as a table: size, precision, quality, coverage."""
    rows = make_table(
        f"{manifest.model.name}: {len(manifest.variants)} variants",
        "variant",
        "bytes>",
        "precision",
        "worst dB>",
        "mean dB>",
        "of own range>",
        "SSIM>",
        "top-1>",
        "delegated>",
        "run by",
    )
    for variant in manifest.variants:
        quality, coverage = variant.quality, variant.coverage
        add_row(
            rows,
            variant.id,
            f"{variant.bytes:,}",
            summarize_precision([layer.realised for layer in variant.layers]),
            quality.worst_text,
            "-" if quality.psnr_db_mean is None else f"{quality.psnr_db_mean:.1f}",
            "-" if quality.psnr_db_worst_own is None else f"{quality.psnr_db_worst_own:.1f}",
            "-" if quality.ssim_worst is None else f"{quality.ssim_worst:.4f}",
            "-" if quality.top1_agreement is None else f"{quality.top1_agreement:.1%}",
            f"{coverage.delegated_ops}/{coverage.total_ops}",
            quality.runtime,
        )
    results.print(rows)


def summarize_precision(schemes: list[str]) -> str:
    """`static_wi8_ai8 x9, fp16 x1`: realised schemes by number of layers."""
    counts = {scheme: schemes.count(scheme) for scheme in dict.fromkeys(schemes)}
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{scheme} x{count}" for scheme, count in sorted(counts.items(), key=lambda item: -item[1]))


def show_findings(findings: Sequence[Finding], *, verbose: bool) -> None:
    """What an audit found, the grave first; mere information only when asked for."""
    for level in ("error", "warning", "info") if verbose else ("error", "warning"):
        for finding in (f for f in findings if f.level == level):
            print_line(f"{level}: {finding.file} {finding.message}")


def describe_coverage(coverage: Coverage) -> str:
    verb = "would take" if coverage.source == "predicted" else "takes"
    share = "" if coverage.mac_share is None else f", {coverage.mac_share:.1%} of the multiply-accumulates"
    more = len(coverage.left) - _NAMED
    left = f"; left: {', '.join(coverage.left[:_NAMED])}" if coverage.left else ""
    left += f" and {more} more, all named with --json" if more > 0 else ""
    return (
        f"{coverage.delegate} {verb} {coverage.delegated_ops} of {coverage.total_ops} ops in {coverage.subgraphs} subgraphs{share} "
        f"({coverage.source}){left}"
    )
