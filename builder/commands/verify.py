"""`builder verify`: every variant of a bundle run again."""

from __future__ import annotations

from argparse import Namespace

from builder.bundle.tensors import EQUAL_DB
from builder.command_line import print_json
from builder.command_line.console import add_row, make_table, print_line, results
from builder.commands.progress import listening

NOTE = (
    "goldens are pictures of 8 bits: two that differ by rounding alone agree to about 59 dB. convert's worst is that of all evaluation "
    "samples, against the source model's own floats."
)


def verify(arguments: Namespace) -> None:
    from builder.pipeline.verify import Verification, verify_bundle

    with listening(quiet=arguments.quiet) as listener:
        verification = verify_bundle(arguments.bundle, listener)
    if arguments.json:
        print_json(verification, Verification)
        return
    unexecuted = any(check.psnr_db is None for check in verification.checks)
    rows = make_table(
        f"{verification.model}: every hash and every golden {'that can be executed here ' if unexecuted else ''}agrees",
        "variant",
        "golden",
        "own golden dB>",
        "8-bit source dB>",
        "convert's worst dB>",
        "run by",
        "tiles of large pictures",
        "seam>",
        "remark",
    )
    for check in verification.checks:
        add_row(
            rows,
            check.variant,
            check.golden,
            _decibels(check.psnr_db),
            _decibels(check.source_psnr_db),
            "-" if check.worst_psnr_db is None else f"{check.worst_psnr_db:.1f}",
            check.runtime,
            check.tiles,
            "-" if check.seam_error is None else f"{check.seam_error:.1g}",
            check.remark,
        )
    results.print(rows)
    print_line(NOTE)


def _decibels(psnr_db: float | None) -> str:
    if psnr_db is None:
        return "-"
    return "equal" if psnr_db >= EQUAL_DB else f"{psnr_db:.1f}"
