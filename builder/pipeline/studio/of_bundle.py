"""A bundle as the page shows it: what was made, and nothing to change."""

from __future__ import annotations

from builder.bundle import Bundle, Variant
from builder.pipeline.studio.pictures import Pictures
from builder.pipeline.studio.view import Figures, LayerView, Picture, StudioView, TrialView, VariantView

FIXED = "this is a bundle: open its builder.toml by 'builder studio CONFIG' to change a layer's scheme"


class BundleDesk:
    """`view` is the same each time."""

    def __init__(self, bundle: Bundle) -> None:
        self.pictures = Pictures()
        self._view = _make_view(bundle, self.pictures)

    def view(self) -> StudioView:
        return self._view

    def close(self) -> None:
        """Nothing runs."""


def _make_view(bundle: Bundle, pictures: Pictures) -> StudioView:
    manifest = bundle.manifest
    golden = manifest.goldens[0] if manifest.goldens else None
    first = next((t.file for t in golden.reference if t.encoding == "png"), None) if golden else None
    reference = bundle.path(first) if first else None
    shown: dict[str, Picture] = {}
    for expected in golden.expected if golden else ():
        for tensor in expected.tensors:
            if tensor.encoding == "png":
                file = bundle.path(tensor.file)
                shown.setdefault(expected.variant, pictures.add(expected.variant, file, reference))
    return StudioView(
        title=manifest.model.name,
        source=bundle.root.name,
        kind="bundle",
        reference=pictures.add("the source model", reference, None) if reference else None,
        variants=tuple(_variant(variant, shown.get(variant.id)) for variant in manifest.variants),
    )


def _variant(variant: Variant, picture: Picture | None) -> VariantView:
    quality, coverage = variant.quality, variant.coverage
    figures = Figures(
        bytes=variant.bytes,
        psnr_db=quality.psnr_db_worst,
        psnr_db_mean=quality.psnr_db_mean,
        ssim=quality.ssim_worst,
        delegated=coverage.mac_share,
    )
    layers = tuple(
        LayerView(name=row.layer, op=row.op, scheme=row.requested, realised=row.realised, fallback=row.fallback)
        for row in variant.layers
    )
    trial = TrialView(
        number=1, what="in the bundle", schemes=tuple(row.requested for row in variant.layers), state="done",
        figures=figures, picture=picture, realised={row.layer: row.realised for row in variant.layers},
    )  # fmt: skip
    return VariantView(
        id=variant.id, backend=variant.backend, delegate=variant.delegate, layers=layers, trials=(trial,), fixed=FIXED
    )
