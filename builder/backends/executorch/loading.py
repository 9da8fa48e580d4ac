"""Whether a file loads and runs, found out before anything is said of its quality; and which layers must stay fp32 so that it does.

XNNPACK decides at load time what it takes of the integers that a file describes, and says so by a number alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from builder.errors import ConversionError, find_reason
from builder.graph.model import Model
from builder.precision.plan import ResolvedPlan
from builder.precision.scheme import SCHEMES

# Layers that may stay fp32.
MOST = 3
# Any one will do; a fixed one gives the same inputs every time.
RANDOM_SEED = 0

Attempt = Callable[[ResolvedPlan], str | None]
"""Makes the file of a plan; why it cannot be made, loaded or run, or None."""


def find_refusal(content: bytes, model: Model) -> str | None:
    """What the runtime says of the file, loaded and run once on random numbers; None where it takes it."""
    import torch
    from executorch.runtime import Runtime

    generator = torch.Generator().manual_seed(RANDOM_SEED)
    arguments = [
        torch.rand(spec.shape, generator=generator)
        if spec.dtype == "float32"
        else torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype))
        for spec in model.inputs
    ]
    try:
        method = Runtime.get().load_program(content).load_method("forward")
    except RuntimeError as error:
        return f"does not load: {find_reason(error)}"
    try:
        method.execute(arguments)
    except RuntimeError as error:
        return f"does not run: {find_reason(error)}"
    return None


def keep_least(plan: ResolvedPlan, reason: str, attempt: Attempt) -> tuple[ResolvedPlan, dict[str, str]]:
    """The plan with as few layers in fp32 as it takes, and those with the reason: the first that fails, by halves, and again.

    `reason` is what the whole plan gave. Raises ConversionError where the layers are not to blame, or too many are.
    """
    asked = [name for name, choice in plan.choices.items() if choice.scheme.has_integers]
    if (floats := attempt(_in_fp32(plan, asked))) is not None:
        raise ConversionError(f"the file {floats}, with all layers in fp32 too.")
    kept: dict[str, str] = {}
    while len(kept) < MOST:
        low, high = 0, len(asked)  # the first `low` layers in integers pass, the first `high` do not
        while high - low > 1:
            middle = (low + high) // 2
            failed = attempt(_in_fp32(plan, [*asked[middle:], *kept]))
            low, high = (middle, high) if failed is None else (low, middle)
        kept[asked[high - 1]] = f"with it in {plan.scheme(asked[high - 1]).name} the file {reason}"
        trial = _in_fp32(plan, kept)
        again = attempt(trial)
        if again is None:
            return trial, kept
        reason = again
    names = ", ".join(repr(name) for name in kept)
    raise ConversionError(f"the file {reason}, with {names} in fp32 as well; use fp16 or fp32 for all layers.")


def _in_fp32(plan: ResolvedPlan, names: list[str] | dict[str, str]) -> ResolvedPlan:
    choices = {
        name: replace(choice, scheme=SCHEMES["fp32"]) if name in names else choice
        for name, choice in plan.choices.items()
    }
    return replace(plan, choices=choices)
