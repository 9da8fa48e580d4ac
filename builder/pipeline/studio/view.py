"""What the page is told. Pictures travel as the key of a PNG, which the page asks for by itself."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figures(_View):
    """Measured on the exported file, or predicted. `work` is relative to fp32, None where it is not known."""

    bytes: int
    psnr_db: float | None
    psnr_db_mean: float | None = None
    ssim: float | None = None
    work: float | None = None
    delegated: float | None = None
    measured: bool = True


class LayerView(_View):
    """`options` are the schemes that it can have, none where nothing can be changed; `alone_db` is what each would do by itself.

    `weight_bytes` are those of the scheme in use, `work` the layer's part of the multiply-accumulates.
    """

    name: str
    op: str
    scheme: str
    realised: str | None
    fallback: str | None = None
    weight_bytes: int | None = None
    work: float | None = None
    options: tuple[str, ...] = ()
    alone_db: dict[str, float] = {}


class Picture(_View):
    """`difference` is from what the source model gives, enlarged `times`."""

    title: str
    picture: str
    difference: str | None = None
    times: int = 1


class Times(_View):
    """Milliseconds of one inference as `harness profile` measured them; `measured` says where and how.

    `layers_ms` has the layers that the runtime's operators could be told to be of, `rest_ms` is all other operators'; `unnamed` says why no
    layer could be named.
    """

    total_ms: float
    layers_ms: dict[str, float]
    rest_ms: float
    measured: str
    unnamed: str | None = None


class TrialView(_View):
    """One plan that was exported: what became of it, its picture, and its times; until those are measured `untimed` is None too."""

    number: int
    what: str
    schemes: tuple[str, ...]
    state: Literal["running", "done", "failed"]
    seconds: float | None = None
    figures: Figures | None = None
    failure: str | None = None
    realised: dict[str, str] = {}
    picture: Picture | None = None
    times: Times | None = None
    untimed: str | None = None


class VariantView(_View):
    """`plan` is the file that 'write' replaces; without one, `fixed` says why nothing can be changed here.

    `simulating`: what each layer would do alone is not known yet. `absent` says which columns of the layers stay empty, and why.
    """

    id: str
    backend: str
    delegate: str
    layers: tuple[LayerView, ...]
    trials: tuple[TrialView, ...]
    plan: str | None = None
    fixed: str | None = None
    absent: str | None = None
    simulating: bool = False


class StudioView(_View):
    """All of the page. `reference` is what the source model gives for the first sample; `left_out` are sentences."""

    title: str
    source: str
    kind: Literal["config", "bundle"]
    reference: Picture | None
    variants: tuple[VariantView, ...]
    left_out: tuple[str, ...] = ()
