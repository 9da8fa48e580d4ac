"""`builder compress`: a smaller network as a project of its own."""

from __future__ import annotations

from argparse import Namespace

from builder.command_line import print_json
from builder.command_line.console import add_row, make_table, print_line, results
from builder.commands.progress import listening
from builder.compression.result import CompressReport
from builder.errors import VerificationError
from builder.pipeline.compress import PAGE
from builder.pipeline.compress import compress as run


def compress(arguments: Namespace) -> None:
    with listening(quiet=arguments.quiet) as listener:
        report = run(
            arguments.config,
            out=arguments.output,
            listener=listener,
            resume=arguments.resume,
            fresh=arguments.fresh,
        )
    if arguments.json:
        print_json(report, CompressReport)
    else:
        show_report(report)
        print_line(f"page: {arguments.output / PAGE}")
    if report.unmet is not None:
        raise VerificationError(f"the budget of [compress] is not met: {report.unmet}.")
    if not arguments.json:
        print_line(f"project: {arguments.output}; make its files with: builder convert {arguments.output} -o BUNDLE")


def show_report(report: CompressReport) -> None:
    """A row a stage: what is left of the network, and how near it is to the trained one."""
    rows = make_table(
        f"{report.name}: {report.pictures} training pictures{' and drawn ones' if report.drawn else ''}",
        "stage", "parameters>", "MACs>", "worst dB>", "mean dB>", "seconds>",
    )  # fmt: skip
    before = report.teacher
    add_row(rows, "the trained network", f"{before.parameters:,}", f"{before.macs:,}", "", "", "")
    for stage in report.stages:
        after = stage.after
        add_row(
            rows, stage.stage, f"{after.parameters:,}", f"{after.macs:,}", f"{after.psnr_db:.2f}", f"{after.psnr_db_mean:.2f}", f"{stage.seconds:.0f}",
        )  # fmt: skip
    results.print(rows)
    for file in report.files:
        quality = file.quality
        print_line(
            f"{file.backend} {file.scheme}: {file.bytes} bytes, {quality.psnr_db_worst} dB to the trained network on the worst of "
            f"{quality.images} samples, {quality.psnr_db_mean} dB on average"
        )
