"""[compress] of builder.toml: the stages that make a network smaller, and the budgets that it is made for."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from builder.project.budgets import parse_size
from builder.toml_file import Section

StageName = Literal["separable", "prune", "distill", "qat"]
STAGES: tuple[StageName, ...] = ("separable", "prune", "distill", "qat")
SMALLER: tuple[StageName, ...] = ("separable", "prune")
"""Stages that take weights away."""


def _size(value: int | str) -> int | str:
    parse_size(value)
    return value


class CompressBudget(Section):
    """Shares are of the trained network; qualities are those of the exported file against it, on the worst evaluation sample."""

    max_parameters: float | None = Field(default=None, gt=0, le=1)
    """The largest share of the trained network's parameters that may be left; `separable` and `prune` meet it."""
    max_macs: float | None = Field(default=None, gt=0, le=1)
    """The largest share of the trained network's multiply-accumulates that may be left; `separable` and `prune` meet it."""
    max_bytes: Annotated[int | str, AfterValidator(_size)] | None = None
    """The largest exported file, in bytes or as text such as `16 KB`."""
    min_psnr_db: float | None = Field(default=None, gt=0, lt=200)
    """The lowest PSNR in dB that the worst evaluation sample may have."""
    min_ssim: float | None = Field(default=None, gt=0, le=1)
    """The lowest SSIM that the worst evaluation sample may have; 1 is equal."""
    min_top1: float | None = Field(default=None, gt=0, le=1)
    """The lowest share of evaluation samples whose class stays the same."""


class LossSection(Section):
    """Weights of the terms between the outputs of the smaller network and those of the trained one."""

    output: float = Field(default=1.0, ge=0)
    """Squared error and a tenth of the absolute error, in units of the output's range."""
    kl: float = Field(default=0.0, ge=0)
    """Divergence of the classes that a classifier gives, or of the channels of each pixel of a picture."""
    temperature: float = Field(default=4.0, gt=0)
    """The temperature of `kl`."""
    ce: float = Field(default=0.0, ge=0)
    """Cross-entropy with the class that the trained network gives."""
    content: float = Field(default=0.0, ge=0)
    """Distance of features of pictures, by EfficientNet-Lite0."""
    gram: float = Field(default=0.0, ge=0)
    """Distance of Gram matrices of these features: the style."""
    variation: float = Field(default=0.0, ge=0)
    """Total variation of pictures."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.output or self.kl or self.ce or self.content or self.gram):
            raise ValueError("a loss needs 'output', 'kl', 'ce', 'content' or 'gram'")
        return self


def _check_loss(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[\w.]+:\w+", value):
        raise ValueError(f"{value!r} is no loss; write weights, {{ output = 1.0 }}, or 'module:callable' of your own")
    return value


class CompressSection(Section):
    """How `builder compress` makes the network smaller."""

    stages: tuple[StageName, ...] = Field(min_length=1)
    """What is done, in this order: `separable`, `prune`, `distill`, `qat`. Each may be left out."""
    budget: CompressBudget = CompressBudget()
    """What the result must meet; without a budget the result is taken as it is."""
    data: str | None = None
    """Pictures to train on, as a glob relative to this file; without it the calibration pictures. Drawn pictures are added to few."""
    loss: Annotated[LossSection | str, BeforeValidator(_check_loss)] = LossSection()
    """What the smaller network is taught by: weights of terms, or `module:callable` of your own beside this file, called with the smaller network's output, the trained one's and the batch."""
    backend: str | None = None
    """The backend whose exported file is judged; without it the first variant's."""
    steps: int = Field(default=2000, ge=1, le=10_000_000)
    """Steps of each stage that trains."""
    batch: int = Field(default=4, ge=1, le=4096)
    """Pictures of one step."""
    crop: int = Field(default=96, ge=8, le=4096)
    """The side of the crops that are trained on, in pixels; the input's own where the network takes no other."""
    learning_rate: float = Field(default=1e-3, gt=0, lt=1)
    """The highest rate of learning; it rises at first and falls to zero."""
    seed: int = Field(default=1, ge=0)
    """Decides pictures and their order: the same seed gives the same result on one machine."""
    multiple: int = Field(default=1, ge=1, le=64)
    """`prune` leaves widths that are multiples of this."""
    save_every_s: float = Field(default=30, gt=0, le=60)
    """How often the state is kept, in seconds: an interruption loses no more."""
    time_s: float = Field(default=14_400, gt=0)
    """Seconds that training may take."""

    @property
    def limited(self) -> bool:
        """Whether there is a size that the network must come down to."""
        return self.budget.max_parameters is not None or self.budget.max_macs is not None

    @model_validator(mode="after")
    def _check_stages(self) -> Self:
        if list(self.stages) != [stage for stage in STAGES if stage in self.stages]:
            raise ValueError(f"'stages' are done once each, in this order: {', '.join(STAGES)}")
        shrinks = self.limited
        if "prune" in self.stages and not shrinks:
            raise ValueError("'prune' needs to know how far: set 'max_parameters' or 'max_macs' in 'budget'")
        smaller = any(stage in self.stages for stage in SMALLER)
        if shrinks and not smaller:
            raise ValueError(
                "only 'prune' takes parameters away, and 'separable': add one to 'stages', or remove 'max_parameters' and 'max_macs'"
            )
        if self.loss != LossSection() and not {"distill", "qat"} & set(self.stages):
            raise ValueError(
                "'loss' is what 'distill' and 'qat' teach by: add one of them to 'stages', or remove 'loss'"
            )
        if "distill" in self.stages and not smaller:
            raise ValueError(
                "'distill' teaches a smaller network, and nothing makes one: add 'prune' or 'separable' to 'stages'"
            )
        return self
