"""[train] of builder.toml: the recipe of a network. Losses with their weights, styles, data, schedule: all that decides its weights."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from builder.toml_file import Section

LITE0 = "efficientnet-lite0"


class TermSection(Section):
    """A term of features: how much it counts, and which layers it compares."""

    weight: float = Field(ge=0)
    """How much the term counts."""
    layers: tuple[str, ...] = ()
    """Layers of the feature network; without them those that suit the term."""


def _term(value: Any) -> Any:
    return {"weight": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


Term = Annotated[TermSection, BeforeValidator(_term)]
NOTHING = TermSection(weight=0.0)


class TrainLossSection(Section):
    """Weights of the terms. Those of features are a number, or `{ weight = 1.0, layers = ["block2"] }`."""

    content: Term = NOTHING
    """Squared distance of the features to the photograph's."""
    gram: Term = NOTHING
    """Distance of the features' Gram matrices to the style picture's."""
    statistics: Term = NOTHING
    """Distance of the features' means and standard deviations to the style picture's, as AdaIN has them."""
    wasserstein: Term = NOTHING
    """Sliced Wasserstein distance of the features to the style picture's."""
    palette: float = Field(default=0.0, ge=0)
    """Sliced Wasserstein distance of the colours to the style picture's, pixel by pixel and as means of 4 x 4 pixels."""
    tint: float = Field(default=0.0, ge=0)
    """Squared difference of mean colours of 4 x 4 pixels to those that the style has for the photograph's brightness."""
    tone: float = Field(default=0.0, ge=0)
    """Squared difference of mean brightness in windows of 8 pixels: light places stay light."""
    identity: float = Field(default=0.0, ge=0)
    """What the network makes of crops of its own style picture, or of the photograph where there is no style: they are to stay as they are."""
    variation: float = Field(default=0.0, ge=0)
    """Total variation: differences of neighbouring pixels."""
    edges: float = Field(default=0.0, ge=0)
    """Edges of the photograph that are weaker or stronger than they were."""
    temporal: float = Field(default=0.0, ge=0)
    """A photograph that is moved, stylized, against the stylized one moved in the same way: what flickers in a video."""

    @property
    def of_style(self) -> bool:
        """Whether a term needs a style picture."""
        return bool(self.gram.weight or self.statistics.weight or self.wasserstein.weight or self.palette or self.tint)

    @property
    def of_features(self) -> bool:
        """Whether a term needs the feature network."""
        return any(term.weight for term in (self.content, self.gram, self.statistics, self.wasserstein))


class TrainSection(Section):
    """How `builder train` trains the network of [model] anew."""

    data: tuple[str, ...] = ()
    """Photographs to train on, as globs relative to this file. Without them all pictures are drawn."""
    styles: tuple[str, ...] = ()
    """Style pictures, relative to this file. With several, the input of kind `vector` says how much of each."""
    style_side: int = Field(default=256, ge=16, le=4096)
    """The shorter side that style pictures are scaled to: the larger, the larger are strokes in the result."""
    features: str = LITE0
    """What pictures are compared by: `efficientnet-lite0`, or a file with torchvision's weights of a VGG."""
    loss: TrainLossSection
    """What the network is taught by."""
    start: str | None = None
    """Weights to begin with, a file such as `checkpoint` in [model]; without it those that the network is made with."""
    steps: int = Field(default=2000, ge=1, le=10_000_000)
    """Steps of the whole training."""
    batch: int = Field(default=4, ge=1, le=4096)
    """Pictures of one step, of all processes together."""
    accumulate: int = Field(default=1, ge=1, le=4096)
    """Parts of a batch that are computed one after the other, where memory is short. The result is that of the whole batch."""
    crop: int = Field(default=128, ge=8, le=4096)
    """The side of the crops that are trained on, in pixels."""
    drawn_every: int = Field(default=2, ge=0)
    """Every so manyth picture is drawn instead of photographed; 0 draws none."""
    vary: bool = True
    """Mirror pictures and change their light and colours now and then."""
    learning_rate: float = Field(default=1e-3, gt=0, lt=1)
    """The highest rate of learning; it rises at first and falls to zero."""
    average: float = Field(default=0.0, ge=0, lt=1)
    """Exponential moving average of the weights: what a step leaves of it, such as 0.999. The averaged weights are the result."""
    patience: int = Field(default=0, ge=0)
    """Looks at crops that no step sees, without a better one, after which training stops; 0 trains all steps."""
    look_every: int = Field(default=250, ge=1)
    """Steps between two looks."""
    seed: int = Field(default=1, ge=0)
    """Decides first weights, pictures and their order: the same seed gives the same weights on one machine."""
    save_every_s: float = Field(default=60, gt=0, le=60)
    """How often the state is kept, in seconds: an interruption loses no more."""
    time_s: float = Field(default=86_400, gt=0)
    """Seconds that training may take."""

    @model_validator(mode="after")
    def _check_terms(self) -> Self:
        loss = self.loss
        if loss.of_style and not self.styles:
            raise ValueError(
                "'gram', 'statistics', 'wasserstein', 'palette' and 'tint' compare with a style: name its picture in 'styles'"
            )
        if self.styles and not loss.of_style:
            raise ValueError(
                "nothing teaches 'styles': give 'gram', 'statistics', 'wasserstein', 'palette' or 'tint' a weight in 'loss'"
            )
        if not (loss.of_style or loss.content.weight or loss.tone or loss.identity):
            raise ValueError("a loss needs 'content', 'tone', 'identity', or a term of style")
        if self.batch % self.accumulate:
            raise ValueError(
                f"'batch' is {self.batch}, which {self.accumulate} parts do not divide: correct 'accumulate'"
            )
        if not self.data and not self.drawn_every:
            raise ValueError("there is nothing to train on: name photographs in 'data', or draw some by 'drawn_every'")
        return self
