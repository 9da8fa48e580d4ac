"""`builder evaluate`: pictures of several makers by every measure that there is something to compare with for."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import TypeAdapter

from builder.bundle import TensorSpec
from builder.bundle.pictures import read_rgb
from builder.errors import DataError, InputError
from builder.pipeline.evaluate_page import render_pages
from builder.pipeline.pictures import run_pictures
from builder.quality import fidelity, style, video
from builder.quality.frechet import frechet
from builder.quality.measures import BY_NAME
from builder.quality.perceptual import Perceptual
from builder.steps.listener import Listener
from builder.storage.output import check_output, replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.float64]

RESULT = "evaluation.json"
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
# A motion is between two frames, and a variance between two pictures.
LEAST_FRAMES = 2
# Pixels of a side that the features' strides leave something of.
SMALLEST = 32


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measure over all pictures: the mean and the worst, by name of a picture where it is of pictures."""

    measure: str
    mean: float
    worst: float
    each: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """One maker's pictures."""

    name: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """`reference` is what the pictures are compared with. `left_out`: measures that could not be taken, and why."""

    reference: str
    pictures: tuple[str, ...]
    sets: tuple[Evaluated, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Against:
    """What `evaluate` may compare with beside the reference. `video`: the pictures are frames in the order of their names."""

    content: Path | None = None
    style: Path | None = None
    lpips: Path | None = None
    video: bool = False


@dataclass(frozen=True, kw_only=True)
class Sets:
    """Picture files by name: the reference's, each maker's, and the photographs that they were made of, where known."""

    reference: str
    wanted: Mapping[str, Path]
    made: Mapping[str, Mapping[str, Path]]
    content: Mapping[str, Path] | None


def evaluate(
    source: Path, others: Sequence[Path], *, against: Against, out: Path | None, config: Path | None, listener: Listener
) -> Evaluation:
    """Compare pictures, or what a bundle makes of photographs; with `out`, a directory with the data and two pages.

    `source`: the reference, a picture or a directory of them, and `others` the same of each maker; or a bundle, and `others` are
    photographs. Raises InputError, DataError, BundleError, MissingToolError, OutputError.
    """
    if out is not None:
        check_output(out, "pictures")
    if not others:
        raise InputError(
            f"nothing is named beside {source}; name what to compare with it, or photographs for a bundle."
        )
    with tempfile.TemporaryDirectory(prefix="edgebundle-evaluate-") as scratch:
        if _is_bundle(source):
            sets = _of_bundle(source, others, Path(scratch) / "pictures", config, listener)
        else:
            if config is not None:
                raise InputError("--source is for a bundle, and these are pictures; leave it out.")
            sets = _of_pictures(source, others)
        if against.content is not None:
            sets = Sets(reference=sets.reference, wanted=sets.wanted, made=sets.made, content=_files(against.content))
        evaluation = _measure_all(sets, against, listener)
        if out is not None:
            with replacing(out, "pictures") as work:
                text = TypeAdapter(Evaluation).dump_json(evaluation, indent=1).decode()
                (work / RESULT).write_text(text + "\n", encoding="utf-8")
                for name, page in render_pages(evaluation, sets.wanted, sets.made).items():
                    (work / name).write_text(page, encoding="utf-8")
    return evaluation


def _is_bundle(path: Path) -> bool:
    return path.suffix == ".zip" or (path / "manifest.json").is_file()


def _of_bundle(bundle: Path, photographs: Sequence[Path], place: Path, config: Path | None, listener: Listener) -> Sets:
    ran = run_pictures(bundle, photographs, out=place, config=config, listener=listener)
    wanted: dict[str, Path] = {}
    made: dict[str, dict[str, Path]] = {}
    outputs = {shot.output for shot in ran.shots}
    for shot in ran.shots:
        name = shot.picture if len(outputs) == 1 else f"{shot.picture}.{shot.output}"
        file = place / shot.file.name
        (wanted if shot.psnr_db is None else made.setdefault(shot.variant, {}))[name] = file
    if not made:
        raise InputError(
            f"{bundle} has one variant, and nothing to compare it with; name its builder.toml with --source."
        )
    same = len(outputs) == 1 and len({path.stem for path in photographs}) == len(photographs)
    content = {path.stem: path for path in photographs} if same else None
    return Sets(reference=ran.reference, wanted=wanted, made=made, content=content)


def _of_pictures(reference: Path, others: Sequence[Path]) -> Sets:
    wanted = _files(reference)
    made = {}
    for path in others:
        name = path.name if path.is_dir() else path.stem
        while name in made:
            name = f"{path.parent.name}/{name}" if f"{path.parent.name}/{name}" not in made else f"{name}-again"
        files = _files(path)
        if path.is_file() and len(wanted) == 1:
            files = {next(iter(wanted)): path}
        made[name] = files
    return Sets(reference=str(reference.name), wanted=wanted, made=made, content=None)


def _files(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {path.stem: path}
    if not path.is_dir():
        raise InputError(f"{path} does not exist; name a picture, a directory of pictures, or a bundle.")
    files: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        if file.suffix.lower() in PICTURES and file.is_file():
            if file.stem in files:
                raise InputError(
                    f"{path} has {files[file.stem].name} and {file.name}, which have one name; remove one."
                )
            files[file.stem] = file
    if not files:
        raise InputError(f"{path} holds no pictures ({', '.join(PICTURES)}); name a directory that does.")
    return files


def read_picture(path: Path, size: tuple[int, int] | None = None) -> Picture:
    """RGB in 0..1, `[h, w, 3]`; `size` (height, width) is what a photograph is brought to. Raises BundleError."""
    from PIL import Image

    picture = read_rgb(path)
    if size is not None and picture.size != size[::-1]:
        picture = picture.resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(picture, np.float64) / 255


def _measure_all(sets: Sets, against: Against, listener: Listener) -> Evaluation:
    names = tuple(sets.wanted)
    for maker, files in sets.made.items():
        lacking = next((name for name in names if name not in files), None)
        if lacking is not None:
            raise DataError(
                f"{maker!r} has no picture {lacking!r}, which the reference has; make both of the same photographs."
            )
    if sets.content is not None and (lacking := next((name for name in names if name not in sets.content), None)):
        raise DataError(
            f"the content has no picture {lacking!r}; name the photographs that the pictures were made of with --content."
        )
    left_out = _leave_out(sets, against, len(names))
    tools = _Tools(against)
    sets_measured = []
    for maker, files in sets.made.items():
        listener.stage(maker, "measure")
        values: dict[str, dict[str, float]] = {}
        for name in names:
            for measure, value in _of_picture(name, files[name], sets, tools).items():
                if value is None:
                    left_out.setdefault(measure, f"{name!r} is too small, or has nothing to compare")
                else:
                    values.setdefault(measure, {})[name] = value
        figures = [_figure(measure, each) for measure, each in values.items()]
        figures += _of_set(names, files, sets, tools)
        if against.video and "warping_error" not in left_out:
            figures += _of_video(maker, names, files, sets, tools, listener)
        listener.finish(maker, cached=False)
        sets_measured.append(Evaluated(name=maker, figures=tuple(figures)))
    taken = {figure.measure for each in sets_measured for figure in each.figures}
    return Evaluation(
        reference=sets.reference,
        pictures=names,
        sets=tuple(sets_measured),
        left_out={measure: why for measure, why in left_out.items() if measure not in taken},
    )


class _Tools:
    """The networks and what is asked of them once."""

    def __init__(self, against: Against) -> None:
        self.perceptual = Perceptual()
        self.lpips = Perceptual(against.lpips) if against.lpips is not None else None
        from builder.quality.features import Features

        self.features = Features()
        self.style = (
            None if against.style is None else style.compute_feature_maps(self.features, read_picture(against.style))
        )

    def unlike(self, one: Picture, other: Picture) -> float:
        """LPIPS where its weights were given, else 1 - the perceptual similarity."""
        return 1 - (self.lpips or self.perceptual)(_tensor(one), _tensor(other), _spec(one))


def _tensor(picture: Picture) -> NDArray[np.float32]:
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)


def _spec(picture: Picture) -> TensorSpec:
    return TensorSpec(
        name="picture", kind="image", shape=(1, 3, *picture.shape[:2]), color_order="RGB", range=(0.0, 1.0)
    )


def _of_picture(name: str, file: Path, sets: Sets, tools: _Tools) -> dict[str, float | None]:
    got, want = read_picture(file), read_picture(sets.wanted[name])
    if got.shape != want.shape:
        raise DataError(
            f"{file.name} is {got.shape[1]}x{got.shape[0]} and the reference {sets.wanted[name].name} is {want.shape[1]}x{want.shape[0]}; "
            "compare pictures of one size."
        )
    values: dict[str, float | None] = {
        "psnr": fidelity.psnr(got, want),
        "ssim": fidelity.ssim(got, want),
        "ms_ssim": fidelity.ms_ssim(got, want),
    }
    if min(got.shape[:2]) < SMALLEST:
        return values | {"perceptual": None}
    values["perceptual"] = tools.perceptual(_tensor(got), _tensor(want), _spec(got))
    if tools.lpips is not None:
        values["lpips"] = tools.unlike(got, want)
    maps = style.compute_feature_maps(tools.features, got)
    if tools.style is not None:
        values["style_gram"] = style.measure_gram_distance(maps, tools.style)
        values["style_wasserstein"] = style.wasserstein(maps, tools.style)
    if sets.content is not None:
        content = read_picture(sets.content[name], (got.shape[0], got.shape[1]))
        values["content_distance"] = style.measure_content_distance(
            maps, style.compute_feature_maps(tools.features, content)
        )
        values["edges_kept"] = style.measure_edges_kept(got, content)
    return values


def _of_set(names: Sequence[str], files: Mapping[str, Path], sets: Sets, tools: _Tools) -> list[Figure]:
    import torch

    rows = []
    for source in (files, sets.wanted):
        with torch.no_grad():
            pooled = [tools.features.pool(torch.from_numpy(_tensor(read_picture(source[name])))) for name in names]
        rows.append(torch.cat(pooled).numpy().astype(np.float64))
    value = frechet(*rows)
    return [] if value is None else [_figure("frechet_lite0", {"all": value})]


def _of_video(
    maker: str, names: Sequence[str], files: Mapping[str, Path], sets: Sets, tools: _Tools, listener: Listener
) -> list[Figure]:
    order = sorted(names)
    frames = [read_picture(files[name]) for name in order]
    clip_files = sets.content or sets.wanted
    clip = [read_picture(clip_files[name], (frames[0].shape[0], frames[0].shape[1])) for name in order]
    motion = video.estimate_motion(clip, lambda done: listener.stage(maker, f"motion {done}/{len(order) - 1}"))
    error, own = video.measure_warping_error(frames, motion), video.measure_warping_error(clip, motion)
    values = {"warping_error": error, "tof": video.tof(frames, motion), "tlp": video.tlp(frames, clip, tools.unlike)}
    if own > 0:
        values["warping_ratio"] = error / own
    return [_figure(measure, {"all": value}) for measure, value in values.items()]


def _figure(measure: str, each: Mapping[str, float]) -> Figure:
    rounded = {name: float(f"{value:.6g}") for name, value in each.items()}
    worst = min(rounded.values()) if BY_NAME[measure].better == "higher" else max(rounded.values())
    return Figure(measure=measure, mean=float(f"{np.mean(list(each.values())):.6g}"), worst=worst, each=rounded)


def _leave_out(sets: Sets, against: Against, count: int) -> dict[str, str]:
    reasons = {}
    if against.lpips is None:
        reasons["lpips"] = "its weights are not given: --lpips FILE"
    if count < LEAST_FRAMES:
        reasons["frechet_lite0"] = "it needs two pictures"
    if against.style is None:
        reasons |= dict.fromkeys(("style_gram", "style_wasserstein"), "no style picture is given: --style PICTURE")
    if sets.content is None:
        reasons |= dict.fromkeys(("content_distance", "edges_kept"), "no photographs are given: --content DIR")
    videos = ("warping_error", "warping_ratio", "tof", "tlp")
    if not against.video:
        reasons |= dict.fromkeys(videos, "the pictures are not said to be frames: --video")
    elif count < LEAST_FRAMES:
        reasons |= dict.fromkeys(videos, "a video has two frames")
    return reasons
