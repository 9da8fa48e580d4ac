"""Rewriting as a whole: every rewrite has its test and its delegate, and none moves an output."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from builder.backends import BACKENDS
from builder.errors import VerificationError
from builder.legalize import REWRITES, rewriting
from builder.legalize.at_source import AFTER_THE_GATE, AT_SOURCE
from builder.legalize.legalizer import legalize
from tests.builder.legalize.cases import PICTURE, export

# torch's own, from within export and decomposition
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def test_every_rewrite_has_its_test_beside_it_and_is_made_for_somebody() -> None:
    """Nothing is there that is not tried. A trait that no delegate has would leave its rewrite unmade without a word."""
    tests = {path.stem.removeprefix("test_") for path in (Path(__file__).parent / "rewrites").glob("test_*.py")}
    assert tests == set(REWRITES)
    traits = {t for b in BACKENDS.values() for d in b.SPEC.delegates for t in d.list_traits(halves=True)}
    assert {trait for rewrite in REWRITES.values() for trait in rewrite.NEEDED_BY} <= traits
    assert {name for name, rewrite in REWRITES.items() if not rewrite.NEEDED_BY} <= {*AT_SOURCE, *AFTER_THE_GATE}


@pytest.mark.parametrize("name", sorted(REWRITES))
def test_a_network_without_its_operators_is_left_as_it_is(name: str) -> None:
    """Zero places, and the very same program."""
    sample = (torch.rand(PICTURE),)
    program = export(torch.relu, sample)
    assert REWRITES[name].apply(program, [sample]) == (program, 0)


class Wrong:
    """A rewrite that is none."""

    BOUND = 1e-4

    def apply(self, program, samples):  # type: ignore[no-untyped-def]
        return rewriting.replace_calls(program, {"aten.relu.default": lambda x: x.clamp(min=0.01)})


def test_a_rewrite_that_moves_the_output_is_left_out() -> None:
    """What it would have moved is told, in no place; where it is required, the sentence names it, how far, and the line to change."""
    program = export(torch.relu)
    same, (told,) = legalize(program, ["wrong"], {"wrong": Wrong()})
    assert same is program
    assert told.places == 0
    assert told.error > told.bound
    with pytest.raises(
        VerificationError,
        match=r"the rewrite 'wrong' moves .* its bound of 0.0001; remove it from \[legalize\] require",
    ):
        legalize(program, ["wrong"], {"wrong": Wrong()}, required=["wrong"])


def amplified(x: Tensor) -> Tensor:
    """Right, but rounding grows a thousandfold."""
    y = F.instance_norm(x)
    return torch.sin(torch.sin(F.pixel_shuffle(y.repeat(1, 4, 1, 1), 2) * 300) * 100)[:, :6]


def test_a_rewrite_is_not_refused_because_the_network_is_sensitive() -> None:
    """What moves an output by more than its bound is decided in float64, and measured by what float32 does to this network."""
    program = export(amplified)
    _, applied = legalize(program, ["instance_norm", "pixel_shuffle"], REWRITES)
    assert [told.places for told in applied] == [1, 1]
    assert applied[0].bound > rewriting.ARITHMETIC

    class Near:
        """Another epsilon: wrong by a part in a million, which the network makes as large as its noise."""

        BOUND = 1e-6

        def apply(self, program, samples):  # type: ignore[no-untyped-def]
            norm = torch.ops.aten.rsqrt.default
            other = {
                "aten.instance_norm.default": lambda x, *_: (
                    centred(x) * norm(centred(x).square().mean((2, 3), True) + 1.1e-5)
                )
            }
            return rewriting.replace_calls(program, other)

    assert legalize(program, ["near"], {"near": Near()})[1][0].places == 0


def centred(x: Tensor) -> Tensor:
    return x - x.mean((2, 3), keepdim=True)


def test_source_lines_survive() -> None:
    """What a rewrite makes still says which line of the user's source it stands for."""
    from builder.graph.origins import list_origins

    program = export(lambda x: F.instance_norm(x))
    rewritten, _ = REWRITES["instance_norm"].apply(program, [])
    lines = {origin.line for origin in list_origins(rewritten.graph)}
    assert {str(line).partition(" line ")[0] for line in lines} == {"cases.py"}
