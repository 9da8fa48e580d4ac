"""What a forward takes and gives, as builder.toml names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from builder.errors import SourceError
from builder.sources.binding import bind
from tests.builder.sources.onnx_files import config


class Gives(nn.Module):
    def __init__(self, make: Any) -> None:
        super().__init__()
        self.make = make

    def forward(self, image: Tensor) -> Any:
        return self.make(image)


@dataclass
class Result:
    loss: Tensor | None
    picture: Tensor


def run(module: nn.Module, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Any:
    names = {name: [1, 3, 4, 4] for name in inputs}
    return bind(module, config("net.ts", names, outputs))(
        *(torch.full((1, 3, 4, 4), float(n)) for n in range(len(inputs)))
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda x: (None, None, x + 1),
        lambda x: [None, [x + 1]],
        lambda x: Result(None, x + 1),
        lambda x: {"picture": x + 1, "features": [x, x]},
        lambda x: (x + 1,),
    ],
    ids=["none", "nested", "dataclass", "dict", "tuple"],
)
def test_outputs_are_taken_apart(make: Any) -> None:
    """None is no output, lists are in order, dicts and dataclasses by name."""
    assert torch.equal(run(Gives(make), ("image",), ("picture",)), torch.ones(1, 3, 4, 4))


def test_a_name_that_is_not_there_is_told() -> None:
    with pytest.raises(SourceError, match="returns no output 'sharp', its outputs are loss, picture"):
        run(Gives(lambda x: Result(None, x)), ("image",), ("sharp",))


class OfList(nn.Module):
    def forward(self, frames: list[Tensor]) -> Tensor:
        return torch.cat(frames, 1)


class OfPlainDict(nn.Module):
    """Without an annotation, as most are: its lines show what it takes."""

    def forward(self, batch):  # type: ignore[no-untyped-def]
        return batch["second"] - batch["first"]


class OfDict(nn.Module):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return batch["second"] - batch["first"]


def test_several_inputs_are_the_list_or_dict_that_forward_takes() -> None:
    """Burst and video networks take a list, others a batch by name."""
    assert run(OfList(), ("first", "second", "third"), ("y",)).shape == (1, 9, 4, 4)
    for taken in (OfDict(), OfPlainDict()):
        assert torch.equal(run(taken, ("first", "second"), ("y",)), torch.ones(1, 3, 4, 4))


class OfListAndMore(nn.Module):
    def forward(self, frames: list[Tensor], reference: Tensor, strength: float = 1.0) -> Tensor:
        return torch.cat([frames[0] * 0 + len(frames), frames[1] - reference], 1) * strength


def test_numbered_inputs_are_the_list_of_the_parameter_before_the_number() -> None:
    """`frames_0` and `frames_1` beside `reference`, in whichever order builder.toml has them."""
    for names in (("frames_0", "frames_1", "reference"), ("reference", "frames_1", "frames_0")):
        given = run(OfListAndMore(), names, ("y",))
        position = names.index("frames_1") - names.index("reference")
        assert torch.equal(given[:, :3], torch.full((1, 3, 4, 4), 2.0))
        assert torch.equal(given[:, 3:], torch.full((1, 3, 4, 4), float(position)))
