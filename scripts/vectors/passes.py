"""A video file, frame by frame: which frames the network sees, what is written for each, and at which time."""

from __future__ import annotations

import hashlib
from typing import Any

from scripts.vectors.carrying import Carrier, draw_texture_frame, stylize
from scripts.vectors.files import Case

ABOUT = (
    "Whole videos (docs/sdk-rules.md, 'Video files'): frames of `size` [height, width] as carrying.json makes them (origin, patch, inverted), each with its `time` in "
    "microseconds, through the network of carrying.json on every `every`-th. For each frame: whether it is a `key`, the time `written` with it, and the `sha256` of the "
    "RGB bytes of its picture."
)
# A file may say one time twice, and start below zero.
TIMES = (-10, 33_366, 66_733, 66_733, 66_732, 166_833, 200_200, 233_566, 266_933, 300_300, 333_666)
CUT = 7  # from here on another scene


def make_cases() -> list[Case]:
    return [_case((40, 48), 1), _case((40, 48), 3), _case((37, 51), 5)]


def _case(size: tuple[int, int], every: int) -> Case:
    carrier = Carrier(*size)
    since, last, frames = 0, -(2**62), []
    for number, time in enumerate(TIMES):
        told: dict[str, Any] = {
            "origin": [60 + number, 90 - 3 * number],
            "patch": [8 + 2 * number % 5, 6 + number, size[0] // 4, size[1] // 4, 100, 20],
            "inverted": number >= CUT,
        }
        frame = draw_texture_frame(size, told["origin"], told["patch"], told["inverted"])
        carrier.advance(frame)
        own = carrier.key is None or carrier.is_cut or every == 1
        picture = stylize(frame) if own else carrier.picture(every)
        since += 1
        key = own or since >= every
        if key:
            carrier.begin()
            carrier.finish(stylize(frame))
            since = 0
        last = max(time, last + 1)
        digest = hashlib.sha256(picture.tobytes()).hexdigest()
        frames.append({**told, "time": time, "key": key, "written": last, "sha256": digest})
    return {"size": list(size), "every": every, "frames": frames}
