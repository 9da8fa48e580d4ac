"""Names of a network's parts that torch's own graph modules keep for themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.export import ExportedProgram


def rename_clashes(program: ExportedProgram) -> ExportedProgram:
    """The program with another name for a part at its root that is named as an attribute of `torch.fx.GraphModule`.

    `code` is what many networks call their codebook. A graph module has a property of that name, finds no weight in it, and every
    pass that makes a module of the program fails. The part is called `code_` instead, in layer tables and plans too.
    """
    import torch
    from torch.export import ExportedProgram
    from torch.export.graph_signature import ExportGraphSignature

    taken = set(dir(torch.fx.GraphModule(torch.nn.Module(), torch.fx.Graph()))) - set(dir(torch.nn.Module()))
    known = {*program.state_dict, *program.constants}
    roots = {name.partition(".")[0] for name in known}
    new = {root: _free(root, roots | taken) for root in roots & taken}
    if not new:
        return program

    def name(old: str) -> str:
        root, dot, rest = old.partition(".")
        return f"{new.get(root, root)}{dot}{rest}"

    signature = program.graph_signature
    return ExportedProgram(
        root=program.graph_module,
        graph=program.graph,
        graph_signature=ExportGraphSignature(
            input_specs=[
                replace(spec, target=name(spec.target)) if spec.target in known else spec
                for spec in signature.input_specs
            ],
            output_specs=[
                replace(spec, target=name(spec.target)) if spec.target in known else spec
                for spec in signature.output_specs
            ],
        ),
        state_dict={name(key): value for key, value in program.state_dict.items()},
        range_constraints=program.range_constraints,
        module_call_graph=program.module_call_graph,
        example_inputs=program.example_inputs,
        constants={name(key): value for key, value in program.constants.items()},
        verifiers=program.verifiers,
    )


def _free(root: str, taken: set[str]) -> str:
    while root in taken:
        root += "_"
    return root
