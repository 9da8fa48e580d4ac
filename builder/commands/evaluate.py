"""`builder evaluate`: pictures by every measure."""

from __future__ import annotations

from argparse import Namespace

from builder.command_line import print_json
from builder.command_line.console import add_row, make_table, print_line, results
from builder.commands.progress import listening


def evaluate(arguments: Namespace) -> None:
    from builder.pipeline.evaluate import Against, Evaluation
    from builder.pipeline.evaluate import evaluate as measure
    from builder.quality.measures import BY_NAME

    against = Against(content=arguments.content, style=arguments.style, lpips=arguments.lpips, video=arguments.video)
    with listening(quiet=arguments.quiet) as listener:
        evaluation = measure(
            arguments.reference,
            arguments.other,
            against=against,
            out=arguments.output,
            config=arguments.source,
            listener=listener,
        )
    if arguments.json:
        print_json(evaluation, Evaluation)
        return
    columns = [f"{each.name}>" for each in evaluation.sets]
    rows = make_table(
        f"{len(evaluation.pictures)} pictures against {evaluation.reference}: mean (worst)",
        "measure",
        *columns,
        "better",
    )
    for name in dict.fromkeys(figure.measure for each in evaluation.sets for figure in each.figures):
        cells = []
        for each in evaluation.sets:
            figure = next((f for f in each.figures if f.measure == name), None)
            cells.append("-" if figure is None else f"{figure.mean:.4g} ({figure.worst:.4g})")
        unit = BY_NAME[name].unit
        add_row(rows, f"{name} {unit}".strip(), *cells, BY_NAME[name].better)
    results.print(rows)
    for name, why in evaluation.left_out.items():
        print_line(f"{name}: left out, {why}")
    if arguments.output is not None:
        print_line(f"page: {arguments.output / 'page.html'}")
