"""Small source networks for backend tests, exported as the pipeline does, and calibration samples for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from builder.backends import BACKENDS
from builder.backends.support import SupportedPlan
from builder.bundle import TensorSpec
from builder.graph.model import Model
from builder.legalize.for_variant import find_needed
from builder.precision.layers import list_layers
from builder.precision.plan import Choice, ResolvedPlan
from builder.precision.scheme import SCHEMES
from builder.workers.messages import SharedKeys, VariantJob

if TYPE_CHECKING:
    from builder.graph.tensors import Tensors

SIZE = 32


class Mixed(nn.Module):
    """Every op with layers: head, depthwise, pointwise, residual, squeeze with linear, transposed convolution, tail."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.dw = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.pw = nn.Conv2d(8, 8, 1)
        self.squeeze = nn.Linear(8, 8)
        self.up = nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1)
        self.tail = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.head(image))
        x = x + torch.relu(self.pw(self.dw(x)))
        x = x * torch.sigmoid(self.squeeze(x.mean((2, 3))))[:, :, None, None]
        return torch.sigmoid(self.tail(torch.relu(self.up(x))))


class Normed(nn.Module):
    """Mixed's layers between norms of each kind: with weights, with those that training begins with and without any, one called
    twice, one written in the network itself."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.group = nn.GroupNorm(4, 8)
        self.dw = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.plain = nn.InstanceNorm2d(8)
        self.pw = nn.Conv2d(8, 8, 1)
        self.scaled = nn.InstanceNorm2d(8, affine=True)
        self.squeeze = nn.Linear(8, 8)
        self.layer = nn.LayerNorm(8)
        self.untrained = nn.GroupNorm(2, 8)
        self.tail = nn.Conv2d(8, 3, 3, padding=1)
        for norm in (self.group, self.scaled, self.layer):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, -0.5, 0.5)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.group(self.head(image)))
        x = x + torch.relu(self.plain(self.dw(x)))
        x = self.scaled(self.pw(x)) + self.plain(x)
        x = x * torch.sigmoid(self.layer(self.squeeze(x.mean((2, 3)))))[:, :, None, None]
        x = self.untrained(x) * 0.5 + 0.25
        x = x * torch.rsqrt((x * x).mean((2, 3), keepdim=True) + 0.1)
        return torch.sigmoid(self.tail(x))


class Twins(nn.Module):
    """Layers that values alone do not tell apart: two with equal weights and biases, one called twice, one scaled later."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.one = nn.Conv2d(8, 8, 1)
        self.two = nn.Conv2d(8, 8, 1)
        self.two.load_state_dict(self.one.state_dict())
        self.tied = nn.Conv2d(8, 8, 3, padding=1)
        self.scaled = nn.Conv2d(8, 8, 3, padding=1, groups=2, bias=False)
        self.last = nn.Conv2d(8, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.sigmoid(self.first(image))
        x = torch.sigmoid(self.two(torch.sigmoid(self.one(x))))
        x = torch.sigmoid(self.tied(torch.sigmoid(self.tied(x))))
        return torch.sigmoid(self.last(self.scaled(x) * 0.5))


class Conditional(nn.Module):
    """A picture and a style vector in, a picture and a score out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.style = nn.Linear(5, 4)
        self.out = nn.Conv2d(4, 3, 1)
        self.score = nn.Linear(4, 2)

    def forward(self, image: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.relu(self.conv(image) + self.style(style)[:, :, None, None])
        return torch.sigmoid(self.out(x)), self.score(x.mean((2, 3)))


def make_image_spec(name: str, size: int = SIZE) -> TensorSpec:
    return TensorSpec(
        name=name, kind="image", shape=(1, 3, size, size), color_order="RGB", range=(0.0, 1.0), resize="stretch"
    )


def export(network: nn.Module, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> Model:
    """The Model that the sources would make of a network in evaluation mode."""
    samples = tuple(torch.rand(spec.shape) for spec in inputs)
    program = torch.export.export(network.eval(), samples)
    return Model(program=program, inputs=inputs, outputs=outputs, layers=list_layers(program))


def make_picture_model(network: nn.Module, size: int = SIZE) -> Model:
    """A network from one picture to one."""
    return export(network, (make_image_spec("image", size),), (make_image_spec("stylized", size),))


def seeded(network: type[nn.Module], seed: int = 0) -> nn.Module:
    """The network with the random weights of a seed."""
    torch.manual_seed(seed)
    return network()


def samples(model: Model, count: int = 4, seed: int = 1) -> Iterator[Tensors]:
    """Random samples in 0..1, logical layout; the same for the same seed."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield {spec.name: generator.random(spec.shape, np.float32) for spec in model.inputs}


def expected(model: Model, inputs: Tensors) -> Tensors:
    """What the source network gives."""
    with torch.no_grad():
        result = model.program.module()(*(torch.from_numpy(np.asarray(inputs[spec.name])) for spec in model.inputs))
    values = result if isinstance(result, tuple | list) else (result,)
    return {spec.name: value.numpy() for spec, value in zip(model.outputs, values, strict=True)}


def plan_of(schemes: dict[str, str]) -> ResolvedPlan:
    """A plan that gives each layer the scheme named for it."""
    choices = {
        layer: Choice(scheme=SCHEMES[scheme], rule=number) for number, (layer, scheme) in enumerate(schemes.items())
    }
    return ResolvedPlan(rules=(), choices=choices, fallback=None)


def find_usual_delegate(backend: str) -> str:
    """The first one that it names."""
    return BACKENDS[backend].SPEC.delegates[0].name


def rewrites_for(backend: str, delegate: str = "", *, halves: bool = False) -> tuple[str, ...]:
    """Those that the delegate (the usual one, where none is named) needs; `halves`: a layer of the plan is fp16."""
    found = BACKENDS[backend].SPEC.delegate(delegate or find_usual_delegate(backend))
    return find_needed(found.list_traits(halves=halves))


def make_variant_job(
    backend: str, source: Path, plan: ResolvedPlan, *, calibration: tuple[Path, ...] = (), key: str = "key"
) -> VariantJob:
    """A job as a step makes it, for tests of its parts."""
    return VariantJob(
        backend=backend,
        delegate=find_usual_delegate(backend),
        source=source,
        plan=SupportedPlan(requested=plan, plan=plan, reasons={}),
        keys=SharedKeys(legalized=key, floats=key, observed=key),
        calibration=calibration,
        evaluation=(),
    )
