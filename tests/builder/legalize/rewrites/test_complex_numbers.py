"""The rewrite `complex_numbers` on the forms that it takes, and what is named where there is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from builder.errors import SourceError
from builder.graph.refusals import refuse_what_no_file_holds
from builder.legalize.at_source import make_plain
from tests.builder.legalize.cases import check_rewrite, export

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


def transform_rows(x: Tensor) -> Tensor:
    """One axis, cut to another length."""
    return torch.view_as_real(torch.fft.rfft(x.flatten(2), n=64, norm="ortho"))[..., :32, :].flatten(2)[..., None]


def weighted(x: Tensor) -> Tensor:
    """Complex weights in real storage, conjugates, an odd size back."""
    f, w = torch.fft.rfft2(x, norm="ortho"), torch.view_as_complex(torch.view_as_real(FILTERS)[:, :1, :1, 0])
    return torch.fft.irfft2(f * w[:, :, None].view(1, 6, 1, 1) - f.conj() * 1j, s=(11, 7), norm="ortho")


@pytest.mark.parametrize("function", [fourier_unit, filtered, rephased, shifted, transform_rows, weighted])
def test_it_computes_the_same_from_other_operators(function: Callable[[Tensor], Tensor]) -> None:
    """Within its own bound, and with layers under their names."""
    check_rewrite("complex_numbers", function, gone=("fft", "complex", "polar"))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_an_operator_without_a_real_form_is_the_one_that_is_named() -> None:
    """Not the transform before it, which has one."""
    program = export(lambda x: torch.linalg.inv(torch.fft.fft2(x[..., :8, :])).real)
    with pytest.raises(SourceError, match=r"complex numbers \(linalg_inv\w*\) .* line \d"):
        refuse_what_no_file_holds(make_plain(program))
