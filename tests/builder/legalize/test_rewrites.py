"""Each rewrite: it makes of a small network one that computes the same from the operators that it promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from builder.backends import BACKENDS
from builder.errors import SourceError, VerificationError
from builder.graph.equality import largest_change, outputs_of, random_inputs
from builder.graph.refusals import refuse_what_no_file_holds
from builder.legalize import REWRITES, rewriting
from builder.legalize.at_source import AFTER_THE_GATE, AT_SOURCE, plain
from builder.legalize.legalizer import legalize
from builder.legalize.rewrites import half_range
from tests.builder.models import rewrites_for

# torch's own, from within export and decomposition
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")

PICTURE = (1, 6, 10, 8)


class Does(nn.Module):
    """A function between two convolutions, whose names must survive."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.function, self.tail = nn.Conv2d(6, 6, 1), function, nn.Conv2d(6, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.function(self.head(x)))


SCALE = torch.linspace(0.5, 1.5, 6)
BANK = torch.randn(3, 6, 6, 3, 3, generator=torch.Generator().manual_seed(1))
KERNEL = torch.randn(6, 6, 3, 3, generator=torch.Generator().manual_seed(2))

VOLUME = torch.randn(2, 1, 3, 3, 3, generator=torch.Generator().manual_seed(4))
VOLUME_GRID = torch.rand(1, 3, 10, 8, 3, generator=torch.Generator().manual_seed(5)) * 2.4 - 1.2
GRU = nn.GRUCell(6, 6)
SEQUENCES = (
    nn.GRU(6, 6),
    nn.GRU(6, 3, num_layers=2, bidirectional=True, bias=False),
    nn.LSTM(6, 6, num_layers=2, batch_first=True),
    nn.LSTM(6, 3, bidirectional=True),
)
# Kernel and settings of transposed convolutions that backends do not have.
TRANSPOSED = (
    ((4, 4), {"stride": 2, "padding": 1, "groups": 2}),
    ((4, 4), {"stride": 2, "groups": 6}),
    ((5, 3), {"padding": (2, 1)}),
    ((3, 3), {"stride": 3, "dilation": 2, "padding": 1}),
    ((1, 1), {"stride": 2, "output_padding": 1}),
    ((3, 2), {"stride": 2, "padding": (1, 0), "output_padding": (1, 1)}),
    ((3, 3), {"stride": 1, "padding": 3, "dilation": 2}),
    ((3, 3), {"stride": 4, "padding": 1, "output_padding": 3}),
)


class Weighted(nn.Module):
    """A function of what it reads and a matrix of its own."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.matrix = function, nn.Parameter(KERNEL[:, :, 0, 0].clone())

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.matrix)


def written(x: Tensor, where: tuple[object, ...]) -> Tensor:
    """A fresh tensor, part of which is written from another."""
    y = torch.full_like(x, 0.5)
    y[where] = x[where] * 2
    y[:, 0, :2] = 0
    return y


def rows_first(x: Tensor) -> Tensor:
    """As nn.MultiheadAttention does: where the operator left its rows outermost, the view needs no copy."""
    return x.permute(2, 0, 1, 3).contiguous().view(20, 24).view(1, 6, 10, 8)


FILTERS = torch.randn(6, 6, 4, 3, dtype=torch.cfloat, generator=torch.Generator().manual_seed(1))


def fourier_unit(x: Tensor) -> Tensor:
    """As LaMa's authors write it (Suvorov et al. 2022), with a nonlinearity in place of their convolution."""
    f = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
    f = torch.stack((f.real, f.imag), dim=-1).permute(0, 1, 4, 2, 3).contiguous().view(1, 12, 10, 5)
    f = torch.relu(f).view(1, 6, 2, 10, 5).permute(0, 1, 3, 4, 2).contiguous()
    return torch.fft.irfftn(torch.complex(f[..., 0], f[..., 1]), s=(10, 8), dim=(-2, -1), norm="ortho")


def filtered(x: Tensor) -> Tensor:
    """As FNO: low frequencies times complex weights, between zeros."""
    f = torch.einsum("bixy,ioxy->boxy", torch.fft.rfft2(x)[:, :, :4, :3], FILTERS)
    zeros = torch.zeros(1, 6, 10, 5, dtype=torch.cfloat)
    f = torch.cat([torch.cat([f, zeros[:, :, :4, 3:]], 3), zeros[:, :, 4:]], 2)
    return torch.fft.irfft2(f, s=(10, 8))


def rephased(x: Tensor) -> Tensor:
    """Length and angle apart, put together in both of torch's ways."""
    f = torch.fft.fft2(x, norm="forward")
    length, angle = torch.abs(f), torch.angle(f)
    f = length * torch.exp(1j * angle) * 0.9 + torch.polar(length, angle * 0.5)
    return torch.fft.ifft2(f, norm="forward").real


def shifted(x: Tensor) -> Tensor:
    """Lowest frequencies in the middle; parts of the spectrum divided by others."""
    f = torch.fft.fftshift(torch.fft.fftn(x, dim=(-2, -1)), dim=(-2, -1))
    f = torch.cat([f[:, :3], f[:, 3:] / (2 + f[:, :3])], 1)
    return torch.abs(torch.fft.ifft2(torch.fft.ifftshift(f, dim=(-2, -1))))


def rows_transformed(x: Tensor) -> Tensor:
    """One axis, cut to another length."""
    return torch.view_as_real(torch.fft.rfft(x.flatten(2), n=64, norm="ortho"))[..., :32, :].flatten(2)[..., None]


def weighted(x: Tensor) -> Tensor:
    """Complex weights in real storage, conjugates, an odd size back."""
    f, w = torch.fft.rfft2(x, norm="ortho"), torch.view_as_complex(torch.view_as_real(FILTERS)[:, :1, :1, 0])
    return torch.fft.irfft2(f * w[:, :, None].view(1, 6, 1, 1) - f.conj() * 1j, s=(11, 7), norm="ortho")


def unpooled(x: Tensor) -> Tensor:
    """As SegNet, with ties from a ReLU, other values than those that were pooled, and a size that is no multiple."""
    y, places = F.max_pool2d(torch.relu(x), 2, return_indices=True)
    z, deeper = F.max_pool2d(y * 2, 3, 3, return_indices=True)
    return F.max_unpool2d(F.max_unpool2d(z - 1, deeper, 3, 3, output_size=(5, 4)), places, 2, 2)


# rewrite -> functions it takes, and the operators that must be gone (by a part of their names)
CASES: dict[str, tuple[tuple[Callable[[Tensor], Tensor], ...], tuple[str, ...]]] = {
    "reflection_padding": (
        (lambda x: F.pad(x, (3, 1, 0, 2), "reflect"), lambda x: F.pad(x, (7, 7, 7, 7), "reflect")),
        ("aten.pad",),
    ),
    "replication_padding": ((lambda x: F.pad(x, (2, 7, 1, 0), "replicate"),), ("aten.pad",)),
    "padding_merge": ((lambda x: F.conv2d(F.pad(x, (1, 1, 2, 2)), KERNEL),), ("aten.pad",)),
    "instance_norm": (
        (lambda x: F.instance_norm(x), lambda x: F.instance_norm(x, weight=SCALE, bias=SCALE - 1)),
        ("instance_norm",),
    ),
    "half_range": (
        (
            lambda x: F.instance_norm(300 * x, eps=1e-4),
            lambda x: F.group_norm(300 * x, 2),
            lambda x: F.layer_norm(300 * x, (8,), SCALE.new_ones(8)),
            lambda x: F.layer_norm(300 * x, (6, 10, 8)),
        ),
        (),
    ),
    "group_norm": (
        tuple(lambda x, g=g: F.group_norm(x, g, SCALE, SCALE - 1) for g in (1, 2, 3, 6)),
        ("group_norm",),
    ),
    "layer_norm": (
        (
            lambda x: F.layer_norm(x, (8,), SCALE.new_ones(8), SCALE.new_zeros(8)),
            lambda x: F.layer_norm(x, (6, 10, 8)),
        ),
        ("layer_norm",),
    ),
    "reductions": (
        (
            lambda x: x - x.mean(1, keepdim=True),
            lambda x: x - x.mean((1, 2, 3), keepdim=True),
            lambda x: x + x.flatten(2).mean(2)[:, :, None, None],
            lambda x: x * x.sum(3, keepdim=True).sum(2, keepdim=True),
            lambda x: x / x.var((2, 3), keepdim=True),
            lambda x: x * x.flatten(2).std(2, unbiased=False)[:, :, None, None],
            lambda x: F.normalize(x, dim=1),
        ),
        ("aten.sum", "aten.var", "vector_norm"),
    ),
    "splits": (
        (
            lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
            lambda x: torch.cat(torch.split(x, (1, 5), 1)[::-1], 1),
            lambda x: torch.stack(x.unbind(1)[::-1], 1),
            lambda x: torch.roll(x, (3, -1), (2, 3)),
            lambda x: x * x.select(1, -1)[:, None],
        ),
        ("aten.split", "aten.chunk", "aten.unbind", "aten.select", "aten.roll"),
    ),
    "nearest_upsampling": (
        (lambda x: F.interpolate(x, scale_factor=2.0), lambda x: F.interpolate(x, size=(30, 8))),
        ("upsample",),
    ),
    "nearest_rows": (
        (lambda x: F.interpolate(x, scale_factor=2.0), lambda x: F.interpolate(x, size=(10, 24))),
        ("upsample",),
    ),
    "attention": (
        (
            lambda x: F.scaled_dot_product_attention(x, x, x).transpose(1, 2).reshape(1, 10, 48).view(1, 6, 10, 8),
            lambda x: x @ (x.transpose(2, 3) @ x),
            lambda x: rows_first(F.scaled_dot_product_attention(*[x.reshape(10, 2, 3, 8).permute(1, 2, 0, 3)] * 3)),
        ),
        ("dot_product", "aten.matmul"),
    ),
    "activations": (
        (
            F.hardsigmoid,
            F.elu,
            F.selu,
            F.mish,
            lambda x: F.softplus(9 * x, 2),
            lambda x: x.abs() ** 0.5,
            lambda x: x**3,
            lambda x: (x * x + 1) ** -0.5,
        ),
        ("aten.elu", "hardsigmoid", "aten.pow"),
    ),
    "transposed_convolution": (
        (
            lambda x: F.conv_transpose2d(x, KERNEL, stride=2, padding=1, output_padding=1),
            lambda x: F.conv_transpose2d(x, KERNEL, SCALE, padding=1),
        ),
        (),
    ),
    "pixel_shuffle": (
        (
            lambda x: F.pixel_unshuffle(F.pixel_shuffle(x.repeat(1, 4, 1, 1), 2), 2)[:, ::4],
            lambda x: F.pixel_shuffle(F.pixel_unshuffle(x, 2), 2),
        ),
        ("pixel_",),
    ),
    "selected_filters": (
        (lambda x: F.conv2d(x, BANK[(x.sum() * 0).long()], padding=1, stride=1),),
        (),
    ),
    "aliases": (
        (lambda x: torch.subtract(torch.multiply(x, 2), torch.clip(x, 0.1, 0.9)),),
        ("subtract", "multiply", "clip"),
    ),
    "half_precision": ((lambda x: F.conv2d((x * 0).half(), KERNEL.half()).float() + x[:, :, 1:-1, 1:-1],), ()),
    "memory_layout": ((lambda x: x.contiguous(memory_format=torch.channels_last) * 2,), ()),
    "mutations": (
        (
            lambda x: written(x, (slice(None), slice(None), slice(0, None, 2))),
            lambda x: written(x, (slice(None), slice(None), slice(1, 9, 3))),
            lambda x: written(x, (slice(None), slice(None), slice(0, None, 4))),
            lambda x: written(x, (slice(None), 2)),
            lambda x: written(x, (slice(None), slice(None), slice(2, 5), slice(None, None, 2))),
            lambda x: x.clone().mul_(2).clamp_(0, 1),
        ),
        ("scatter", "copy", "fill", "mul_", "clamp_"),
    ),
    "complex_numbers": (
        (fourier_unit, filtered, rephased, shifted, rows_transformed, weighted),
        ("fft", "complex", "polar"),
    ),
    "unpooling": ((unpooled,), ("unpool", "with_indices")),
    "sorting": (
        (
            lambda x: x.sort(1).values - x.sort(3, descending=True).values,
            lambda x: x - x.median(1, keepdim=True).values - x[:, :5].median(1).values[:, None],
            lambda x: x.topk(2, 1, largest=False).values.repeat(1, 3, 1, 1) * x.topk(1, 2).indices,
        ),
        ("sort", "median"),
    ),
    "pooling": (
        (
            lambda x: F.max_pool2d(x, 2),
            lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
            lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True),
            lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
            lambda x: F.avg_pool2d(x, 4, 3, 2, ceil_mode=True, divisor_override=5),
            lambda x: F.adaptive_max_pool2d(x, 1),
            lambda x: F.adaptive_max_pool2d(x, (3, 5)),
            lambda x: F.adaptive_avg_pool2d(x, (3, 4)),
            lambda x: F.adaptive_avg_pool2d(x, (5, 4)),
            lambda x: x - x.max(1, keepdim=True)[0] + x.min(3, keepdim=True).values,
            lambda x: F.max_pool1d(x.flatten(2), 3, 2, 1)[:, :, :, None],
            lambda x: F.avg_pool1d(x.flatten(2), 4)[:, :, :, None] + F.adaptive_avg_pool1d(x.flatten(2), 20)[..., None],
            lambda x: F.max_pool3d(x[:, None], 2).squeeze(1).repeat(1, 2, 1, 1),
            lambda x: F.avg_pool3d(x[:, None], (3, 2, 2), (1, 2, 2)).squeeze(1).repeat(1, 2, 1, 1)[:, :6],
        ),
        ("adaptive_max", "max.dim", "min.dim", "pool1d", "pool3d"),
    ),
    "convolutions": (
        (
            lambda x: F.conv1d(x.flatten(2), KERNEL[:, :, 0], SCALE, 2, 1)[..., None],
            lambda x: F.conv1d(x.flatten(2), KERNEL[:, :3, 0], None, 1, "same", 2, 2)[..., None],
            lambda x: F.conv_transpose1d(x.flatten(2), KERNEL[:, :, 0], SCALE, 2, 1, 1)[..., None],
            lambda x: F.conv3d(x[:, None], VOLUME, SCALE[:2], 1, 1).mean(1).repeat(1, 1, 1, 1),
            lambda x: (
                F.conv3d(x[:, None], VOLUME, None, (2, 1, 2), (0, 1, 2), (2, 1, 1)).flatten(1, 2).repeat(1, 3, 1, 1)
            ),
            lambda x: F.conv3d(x[:, None], VOLUME, padding="same").mean(1),
        ),
        ("conv1d", "conv3d", "transpose1d"),
    ),
    "transposed_forms": (
        tuple(
            lambda x, k=k, o=o: F.conv_transpose2d(
                x, KERNEL.repeat(1, 1, 2, 2)[:, : 6 // o.get("groups", 1), : k[0], : k[1]], SCALE, **o
            )
            for k, o in TRANSPOSED
        ),
        ("conv_transpose",),
    ),
    "products": (
        (
            Weighted(lambda x, w: (x.transpose(1, 3) @ w).transpose(1, 3)),
            Weighted(lambda x, w: (w @ x.flatten(2)).reshape(x.shape)),
            Weighted(lambda x, w: torch.einsum("oc,bchw->bohw", w, x)),
            Weighted(lambda x, w: torch.einsum("bchw,cd->bhwd", x, w).permute(0, 3, 1, 2)),
            lambda x: x + GRU(x[:, :, 0, 0], x[:, :, 1, 1])[:, :, None, None],
        ),
        ("matmul", "einsum", "gru_cell"),
    ),
    "recurrences": (
        tuple(
            lambda x, layer=layer: (
                x[..., 0].transpose(1, 2)[..., None]
                + layer(x[..., 0].transpose(1, 2))[0].unsqueeze(3)
                + sum(state.sum() for state in (layer(x[..., 1].transpose(1, 2))[1],) if not isinstance(state, tuple))
            ).transpose(1, 2)
            for layer in SEQUENCES
        ),
        ("gru", "lstm"),
    ),
    "linear_rows": (
        (Weighted(lambda x, w: F.linear(x.transpose(1, 3), w.T).transpose(1, 3)),),
        (),
    ),
    "volume_sampling": (
        (lambda x: F.grid_sample(x[:, None], VOLUME_GRID, align_corners=True).mean(1).repeat(1, 2, 1, 1),),
        ("grid_",),
    ),
    "grid_sampling": (
        tuple(
            lambda x, o=o: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1) * 3, **o)
            for o in (
                {"align_corners": False},
                {"padding_mode": "border", "align_corners": True},
                {"padding_mode": "reflection", "align_corners": False},
            )
        ),
        ("grid_sampler",),
    ),
    "softmax": (
        (lambda x: x.permute(0, 2, 3, 1).softmax(-1).permute(0, 3, 1, 2), lambda x: x.softmax(1) * x.softmax(3)),
        (),
    ),
    "single_values": (
        (
            lambda x: x - x.mean((1, 2, 3), keepdim=True),
            lambda x: x.amax() - x,
            lambda x: torch.add(x, x.mean((1, 2, 3), keepdim=True), alpha=0.5),
        ),
        (),
    ),
    "scalars": ((lambda x: (x + 2) / 3, lambda x: x / x.mean(1, keepdim=True).expand_as(x)), ("aten.expand",)),
    "unfolding": (
        (
            lambda x: F.fold(F.unfold(x, 3, padding=1), (10, 8), 3, padding=1),
            lambda x: F.fold(F.unfold(x, (4, 3), stride=(2, 1)), (10, 8), (4, 3), stride=(2, 1)),
        ),
        ("im2col", "col2im"),
    ),
    "checks": ((lambda x: x * F.one_hot((x[:, :1] > 0.5).long(), 2)[..., 0],), ("_assert",)),
    "padding_rank": (
        (
            lambda x: F.pad(x.view(-1, 10, 1, 8, 1, 1), [0, 0, 0, 1, 0, 0, 0, 1]).view(1, -1, 20, 16)[:, :, ::2, ::2],
            lambda x: F.pad(x[None], (1, 2, 3, 0, 0, 0, 0, 0, 1, 0), value=0.5)[1, :, :, :10, :8],
        ),
        (),
    ),
    "matrix_resizing": (
        (
            lambda x: F.interpolate(F.interpolate(x, scale_factor=2, mode="bicubic"), scale_factor=0.5, mode="bicubic"),
            lambda x: F.interpolate(x, (7, 19), mode="bicubic", align_corners=True),
            lambda x: F.interpolate(x, (7, 5), mode="bicubic", antialias=True),
            lambda x: F.interpolate(x, scale_factor=0.6, mode="bilinear", antialias=True),
        ),
        ("upsample",),
    ),
    "nearest_indices": (
        (
            lambda x: F.interpolate(F.interpolate(x, (19, 13)), (7, 9)),
            lambda x: F.interpolate(x, (10, 13)),
            lambda x: F.interpolate(x, scale_factor=(1.3, 0.7)),
            lambda x: F.interpolate(x, (7, 19), mode="nearest-exact"),
        ),
        ("upsample",),
    ),
    "constant_folding": ((lambda x: x * (SCALE.exp() + 1).view(1, 6, 1, 1),), ("aten.exp",)),
}


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name, (functions, _) in CASES.items() for number in range(len(functions))]
)
def test_a_rewrite_computes_the_same_from_other_operators(name: str, number: int) -> None:
    """Outputs agree within the rewrite's own bound, layers keep their names, and the operators it is for are gone."""
    functions, gone = CASES[name]
    sample = (torch.rand(PICTURE, generator=torch.Generator().manual_seed(3)),)
    program = torch.export.export(Does(functions[number]).eval(), sample)
    rewritten, places = REWRITES[name].apply(program, [sample])
    assert places >= 1
    assert largest_change(outputs_of(program, sample), outputs_of(rewritten, sample)) <= REWRITES[name].BOUND
    assert {"head.weight", "tail.weight"} <= set(rewritten.graph_signature.inputs_to_parameters.values())
    left = [str(node.target) for node in rewritten.graph.nodes if node.op == "call_function"]
    assert not [target for target in left if any(part in target for part in gone)]


def test_every_rewrite_has_a_case_and_is_made_for_somebody() -> None:
    """Nothing is there that is not tried. A trait that no delegate has would leave its rewrite unmade without a word."""
    assert set(CASES) == set(REWRITES)
    traits = {t for b in BACKENDS.values() for d in b.SPEC.delegates for t in d.traits_with(halves=True)}
    assert {trait for rewrite in REWRITES.values() for trait in rewrite.NEEDED_BY} <= traits
    assert {name for name, rewrite in REWRITES.items() if not rewrite.NEEDED_BY} <= {*AT_SOURCE, *AFTER_THE_GATE}


def test_a_complex_operator_without_a_real_form_is_the_one_that_is_named() -> None:
    """Not the transform before it, which has one."""
    sample = (torch.rand(PICTURE),)
    program = torch.export.export(Does(lambda x: torch.linalg.inv(torch.fft.fft2(x[..., :8, :])).real).eval(), sample)
    with pytest.raises(SourceError, match=r"complex numbers \(linalg_inv\w*\) .*test_rewrites.py line"):
        refuse_what_no_file_holds(plain(program))


def test_windows_that_overlap_are_not_unpooled() -> None:
    """Whoever converts it names its operator."""
    sample = (torch.rand(PICTURE),)

    def overlapping(x: Tensor) -> Tensor:
        values, places = F.max_pool2d(x, 3, 2, 1, return_indices=True)
        return F.max_unpool2d(values, places, 3, 2, 1, (10, 8))

    program = torch.export.export(Does(overlapping).eval(), sample)
    assert REWRITES["unpooling"].apply(program, [sample]) == (program, 0)


@pytest.mark.parametrize("name", sorted(REWRITES))
def test_a_network_without_its_operators_is_left_as_it_is(name: str) -> None:
    """Zero places, and the very same program."""
    sample = (torch.rand(PICTURE),)
    program = torch.export.export(Does(torch.relu).eval(), sample)
    assert REWRITES[name].apply(program, [sample]) == (program, 0)


class Wrong:
    """A rewrite that is none."""

    BOUND = 1e-4

    def apply(self, program, samples):  # type: ignore[no-untyped-def]
        return rewriting.replace_calls(program, {"aten.relu.default": lambda x: x.clamp(min=0.01)})


def test_a_rewrite_that_moves_the_output_is_left_out() -> None:
    """What it would have moved is told, in no place; where it is required, the sentence names it, how far, and the line to change."""
    program = torch.export.export(Does(torch.relu).eval(), (torch.rand(PICTURE),))
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
    program = torch.export.export(Does(amplified).eval(), (torch.rand(PICTURE),))
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


def test_source_lines_survive(tmp_path: object) -> None:
    """What a rewrite makes still says which line of the user's source it stands for."""
    from builder.graph.origins import origins

    program = torch.export.export(Does(lambda x: F.instance_norm(x)).eval(), random_inputs_of(PICTURE))
    rewritten, _ = REWRITES["instance_norm"].apply(program, [])
    lines = {origin.line for origin in origins(rewritten.graph)}
    assert all(line is not None and line.startswith("test_rewrites.py line ") for line in lines)


def random_inputs_of(shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    return (torch.rand(shape),)


def test_random_inputs_stay_in_the_range_of_real_ones() -> None:
    """Noise as bright as the pictures, and indices that are valid."""

    class Two(nn.Module):
        def forward(self, x: Tensor, index: Tensor) -> Tensor:
            return x + index

    like = (torch.rand(1, 3, 4, 4) * 2 - 1, torch.tensor([2]))
    program = torch.export.export(Two(), like)
    noise, index = random_inputs(program, [like])
    assert like[0].min() <= noise.min() < 0 < noise.max() <= like[0].max()
    assert torch.equal(index, like[1])


def test_norms_are_scaled_where_fp16_would_overflow_and_nowhere_else() -> None:
    """Sums of squares over a block stay below half of fp16's range behind it; a network of small values is left alone."""
    sample = (torch.rand(PICTURE, generator=torch.Generator().manual_seed(3)),)
    large, small = (
        torch.export.export(Does(lambda x, scale=scale: F.instance_norm(scale * x)).eval(), sample)
        for scale in (300.0, 1.0)
    )
    before = half_range._largest_sums(large, [sample])
    rewritten, places = half_range.apply(large, [sample])
    after = half_range._largest_sums(rewritten, [sample])
    assert places == len(before) == 1
    assert min(before.values()) > half_range.HALF_MAX
    assert half_range.LIMIT / 4 <= max(after.values()) <= half_range.LIMIT
    assert half_range.apply(small, [sample]) == (small, 0)


def test_norms_are_scaled_where_something_computes_in_fp16() -> None:
    """The GPU delegate always, ExecuTorch where the plan has fp16 layers."""
    assert "half_range" in rewrites_for("tflite", "gpu")
    assert rewrites_for("executorch", halves=True)[0] == "half_range"
    assert "half_range" not in rewrites_for("executorch")
    assert "half_range" not in rewrites_for("tflite", halves=True)
