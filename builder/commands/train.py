"""`builder train`: a network from its recipe, as a project of its own."""

from __future__ import annotations

from argparse import Namespace

from builder.command_line import print_json
from builder.command_line.console import add_row, make_table, print_line, results
from builder.commands.progress import listening
from builder.pipeline.train import PAGE, Instead
from builder.pipeline.train import train as run
from builder.training.result import TrainReport


def train(arguments: Namespace) -> None:
    with listening(quiet=arguments.quiet) as listener:
        report = run(
            arguments.config,
            out=arguments.output,
            listener=listener,
            instead=Instead(style=arguments.style, data=arguments.data),
            resume=arguments.resume,
            fresh=arguments.fresh,
        )
    if report is None:  # a process of torchrun that helped
        return
    if arguments.json:
        print_json(report, TrainReport)
        return
    rows = make_table(
        f"{report.name}: {report.parameters:,} parameters, {report.steps} steps in {report.seconds:.0f} s",
        "term of the loss", "on crops that no step saw>",
    )  # fmt: skip
    for name, value in report.terms.items():
        add_row(rows, name, f"{value:.4f}")
    results.print(rows)
    print_line(f"page: {arguments.output / PAGE}")
    print_line(f"project: {arguments.output}; make its files with: builder convert {arguments.output} -o BUNDLE")
