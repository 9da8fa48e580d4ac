"""`builder convert --watch`: convert again whenever a file changes that decides the bundle, with everything warm in between."""

from __future__ import annotations

import glob
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from builder.bundle import Bundle, Manifest, Variant
from builder.errors import EdgebundleError
from builder.pipeline import story
from builder.pipeline.watch_page import Side, render_page
from builder.project.config import load_config
from builder.project.model_files import list_model_files
from builder.steps.listener import Listener

# An editor's change is seen at once to the eye, and the disk is not kept busy.
LOOK_S = 0.3
TEXTS = (".toml", ".py")  # plans, settings, the network's code

Stamp = dict[Path, tuple[int, int]]
"""Time of the last change in nanoseconds, and bytes, by file."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One variant now and before; None where it is new or gone."""

    variant: str
    now: Variant | None
    before: Variant | None


@dataclass(frozen=True, kw_only=True)
class Round:
    """One conversion: its manifest and what it changed, or the sentence of its error."""

    manifest: Manifest | None = None
    changes: tuple[Change, ...] = ()
    error: str = ""


def watch(
    config: Path, *, out: Path, backends: Sequence[str] = (), listener: Listener, told: Callable[[Round], None]
) -> NoReturn:
    """Convert, tell, wait for a change, for ever. `OUT.html` beside the bundle shows pictures of now and before and refreshes itself."""
    before: tuple[Side, ...] = ()
    last: Manifest | None = None
    while True:
        seen = take_stamp(config)
        try:
            bundle = story.convert(config, out=out, backends=backends, listener=listener)
        except EdgebundleError as error:
            _write(out, render_page(before, before, str(error)))
            told(Round(error=str(error)))
        else:
            sides = _sides(bundle)
            _write(out, render_page(sides, before, ""))
            told(Round(manifest=bundle.manifest, changes=compare(bundle.manifest, last)))
            before, last = sides, bundle.manifest
        while take_stamp(config) == seen:
            time.sleep(LOOK_S)


def place_page(out: Path) -> Path:
    """The page beside a bundle that shows what changed; the pictures of each round are on that of `builder convert`."""
    return out.with_name(f"{out.name}.watch.html")


def take_stamp(config: Path) -> Stamp:
    """The state of all files that decide the bundle, as far as a wrong builder.toml names them."""
    folder = (config if config.is_dir() else config.parent).resolve()
    files = {path for path in folder.rglob("*") if path.suffix in TEXTS}
    try:
        settings = load_config(config)
        source = folder / settings.model.weights if settings.model.weights is not None else None
        files.update(list_model_files(source) if source is not None and source.exists() else ())
        patterns = (settings.data.calibration, settings.data.evaluation)
        files.update(Path(name) for p in patterns if p for name in glob.glob(str(folder / p), recursive=True))
    except (EdgebundleError, OSError):
        pass  # the conversion says what is wrong, and a change of the file is seen
    times = {}
    for path in files:
        try:
            status = path.stat()
        except OSError:
            continue  # an editor replaces it at this moment
        times[path] = (status.st_mtime_ns, status.st_size)
    return times


def compare(now: Manifest, before: Manifest | None) -> tuple[Change, ...]:
    """Every variant of either, in the order of now."""
    new = {variant.id: variant for variant in now.variants}
    old = {variant.id: variant for variant in before.variants} if before is not None else {}
    return tuple(Change(variant=name, now=new.get(name), before=old.get(name)) for name in {**new, **old})


def _sides(bundle: Bundle) -> tuple[Side, ...]:
    """The first picture of each variant's first golden, with the figures that go with it."""
    sides = []
    for variant in bundle.manifest.variants:
        golden = next(g for g in bundle.manifest.goldens if any(e.variant == variant.id for e in g.expected))
        mine = next(e.tensors for e in golden.expected if e.variant == variant.id)
        pictures = [
            next((bundle.root / tensor.file for tensor in tensors if tensor.encoding == "png"), None)
            for tensors in (golden.reference, mine)
        ]
        sides.append(
            Side(
                variant=variant.id,
                psnr_db=variant.quality.psnr_db_worst,
                file_bytes=variant.bytes,
                delegated=f"{variant.coverage.delegated_ops}/{variant.coverage.total_ops}",
                reference=pictures[0].read_bytes() if pictures[0] else b"",
                picture=pictures[1].read_bytes() if pictures[1] else b"",
            )
        )
    return tuple(sides)


def _write(out: Path, text: str) -> None:
    target = place_page(out.absolute())
    target.parent.mkdir(parents=True, exist_ok=True)
    work = target.with_name(f".{target.name}.new")
    work.write_text(text, encoding="utf-8")
    work.replace(target)
