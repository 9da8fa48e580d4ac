"""A bundle as the page shows it: what was made, and nothing to change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event

from builder.bundle import Bundle, Variant
from builder.errors import Interrupted
from builder.pipeline.studio.pictures import Pictures
from builder.pipeline.studio.stored import Unread, read_layer_bytes
from builder.pipeline.studio.timing import Timer, Untimed
from builder.pipeline.studio.view import Figures, LayerView, Picture, StudioView, Times, TrialView, VariantView

ABSENT = (
    "a bundle holds neither what each layer does alone nor its part of the work: 'builder studio CONFIG' shows them"
)
FIXED = "this is a bundle: open its builder.toml by 'builder studio CONFIG' to change a layer's scheme"


class BundleDesk:
    """Its files are read, and its variants timed, one after the other in a thread of its own; all else stays as it is."""

    def __init__(self, bundle: Bundle) -> None:
        self.pictures = Pictures()
        self._made = _make_view(bundle, self.pictures)
        self._times: dict[str, Times | str] = {}
        self._bytes: dict[str, dict[str, int] | str] = {}
        self._stop = Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="studio")
        timer = Timer(stop=self._stop)
        for variant in bundle.manifest.variants:
            self._thread.submit(self._read, bundle, variant)
        for variant in bundle.manifest.variants:
            self._thread.submit(self._time, timer, bundle, variant)

    def view(self) -> StudioView:
        variants = (_with_times(variant, self._times.get(variant.id)) for variant in self._made.variants)
        sized = tuple(_with_bytes(variant, self._bytes.get(variant.id)) for variant in variants)
        return self._made.model_copy(update={"variants": sized})

    def close(self) -> None:
        """Ends what is measured; what was measured is in the cache."""
        self._stop.set()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _read(self, bundle: Bundle, variant: Variant) -> None:
        try:
            self._bytes[variant.id] = read_layer_bytes(bundle, variant)
        except Unread as error:
            self._bytes[variant.id] = str(error)

    def _time(self, timer: Timer, bundle: Bundle, variant: Variant) -> None:
        with suppress(Interrupted):  # the page is closed
            try:
                self._times[variant.id] = timer.measure(variant.sha256, variant.id, lambda work: bundle.root)
            except Untimed as error:
                self._times[variant.id] = str(error)


def _with_times(variant: VariantView, found: Times | str | None) -> VariantView:
    (trial,) = variant.trials
    update = {"untimed": found} if isinstance(found, str) else {"times": found}
    return variant.model_copy(update={"trials": (trial.model_copy(update=update),)})


def _with_bytes(variant: VariantView, found: dict[str, int] | str | None) -> VariantView:
    if not isinstance(found, dict):
        absent = ABSENT if found is None else f"{ABSENT}. No bytes by layer either: {found}"
        return variant.model_copy(update={"absent": absent})
    layers = tuple(layer.model_copy(update={"weight_bytes": found[layer.name]}) for layer in variant.layers)
    return variant.model_copy(update={"layers": layers, "absent": ABSENT})


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
