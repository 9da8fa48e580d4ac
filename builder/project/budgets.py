"""[variant.search] of builder.toml: budgets of a search."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from builder.toml_file import Section

SIZE_UNITS = {"B": 1, "KB": 1000, "MB": 1000_000, "GB": 1000_000_000, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}


def parse_size(value: int | str) -> int:
    """Bytes from a number or from text such as '270 KB' (1000 bytes) or '1.5 MiB' (1024 * 1024). Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", str(value).strip())
    unit = match[2].upper() or "B" if match else ""
    if match is None or unit not in SIZE_UNITS or float(match[1]) <= 0:
        raise ValueError(f"{value!r} is not a size; write bytes as a number, or a text such as '270 KB' or '1.5 MiB'")
    return int(float(match[1]) * SIZE_UNITS[unit])


def _size(value: int | str) -> int | str:
    parse_size(value)
    return value


class SearchSection(Section):
    """Budgets of a search: one `objective`, the limits that must hold, and what may be tried.

    `max_bytes` is of the artifact, `max_cost` a ratio to the fp32 artifact of the same backend, `min_top1` the share of
    evaluation samples whose class stays the same. All qualities are those of the worst evaluation sample but top-1.
    `min_perceptual` is a similarity of features (1 is equal); `lpips` names a file with LPIPS' weights to take instead.
    `min_coverage`: the part of the multiply-accumulates that the delegate must take; without it nearly what it takes of the stock
    recipe that it takes most of.
    `device`: KIND[:ID] as in `harness devices`, whose latency is the cost; without it cost is counted arm64 instructions.
    """

    objective: Literal["psnr", "ssim", "perceptual", "top1", "bytes", "cost"]
    """What the search makes as good as it can within the limits."""
    min_psnr_db: float | None = Field(default=None, gt=0, lt=200)
    """The lowest PSNR in dB that the worst evaluation sample may have."""
    min_ssim: float | None = Field(default=None, gt=0, le=1)
    """The lowest SSIM that the worst evaluation sample may have; 1 is equal."""
    min_perceptual: float | None = Field(default=None, gt=0, le=1)
    """The lowest similarity of features that the worst evaluation sample may have; 1 is equal."""
    min_top1: float | None = Field(default=None, gt=0, le=1)
    """The lowest share of evaluation samples whose class stays the same."""
    min_coverage: float | None = Field(default=None, ge=0, le=1)
    """The lowest part of the multiply-accumulates, 0 to 1, that the delegate must take."""
    max_bytes: Annotated[int | str, AfterValidator(_size)] | None = None
    """The largest artifact, in bytes or as text such as `270 KB`."""
    max_cost: float | None = Field(default=None, gt=0)
    """The highest cost, as a ratio to the fp32 artifact of the same backend."""
    device: str | None = Field(default=None, min_length=1)
    """The device whose latency is the cost, as `harness devices` names it. Without it, arm64 instructions are counted."""
    lpips: str | None = None
    """A file with the weights of LPIPS, to judge perceptual similarity with."""
    schemes: tuple[str, ...] | None = Field(default=None, min_length=2)
    """The schemes that the search may use; without it, all that the backend has."""
    max_trials: int = Field(default=40, ge=10, le=10_000)
    """How many artifacts the search may export at the most."""

    @model_validator(mode="after")
    def _a_trade_to_make(self) -> Self:
        qualities = (self.min_psnr_db, self.min_ssim, self.min_perceptual, self.min_top1)
        if self.objective in ("bytes", "cost"):
            if not any(limit is not None for limit in qualities):
                raise ValueError(
                    f"the objective {self.objective!r} needs a quality to keep: set 'min_psnr_db', 'min_ssim', 'min_perceptual' or 'min_top1'"
                )
        elif self.max_bytes is None and self.max_cost is None:
            raise ValueError(
                f"the objective {self.objective!r} alone is met by fp32: set 'max_bytes' or 'max_cost' as its limit"
            )
        if self.device is not None and not self.needs_cost:
            raise ValueError("'device' measures cost, of which no budget speaks: set 'max_cost' or objective = 'cost'")
        if self.lpips is not None and not self.needs_perceptual:
            raise ValueError("'lpips' is for a perceptual budget: set 'min_perceptual' or objective = 'perceptual'")
        return self

    @property
    def needs_perceptual(self) -> bool:
        return self.objective == "perceptual" or self.min_perceptual is not None

    @property
    def needs_cost(self) -> bool:
        return self.objective == "cost" or self.max_cost is not None
