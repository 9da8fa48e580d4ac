"""Milliseconds by layer on this computer, as `harness profile` measures them: once for an artifact, then kept by content."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from pydantic import BaseModel, ConfigDict, ValidationError

from builder import process
from builder.errors import EdgebundleError, Interrupted
from builder.pipeline.studio.view import Times
from builder.plan_search.measured import hash_harness
from builder.storage.cache import keep_entry, make_content_key

DEVICE = "host"
# Enough for a median by layer; more would keep a user waiting who changes one layer.
INFERENCES = 20
# Of a large network on a slow machine: what takes longer hangs.
MEASURE_S = 1200.0
# A runtime that runs away must not take the whole machine.
MEMORY_BYTES = 16_000_000_000
STEP, KEPT = "profile", "profile.json"
# Nanoseconds, in which the harness tells times, of the milliseconds that the page shows.
MS = 1e6


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Operator(_Told):
    layer: str | None
    ns: float


class _Profile(_Told):
    runtime: str
    runtime_version: str
    threads: int
    inferences: int
    total_ns: float
    operators: tuple[_Operator, ...]
    unnamed: str | None


class _Skipped(_Told):
    reason: str


class _Document(_Told):
    """What the studio reads of `harness profile --json` (harness/records/profile.py)."""

    profiles: tuple[_Profile, ...]
    skipped: tuple[_Skipped, ...]


class Untimed(Exception):
    """Why there are no times; a sentence."""


@dataclass(frozen=True, kw_only=True)
class Timer:
    """Setting `stop` ends what is measured."""

    stop: Event

    def measure(self, sha256: str, variant: str, bundle: Callable[[Path], Path]) -> Times:
        """Of an artifact with this hash, that is `variant` of the bundle that `bundle` gives, with a folder for what it must write.

        Raises Untimed where this computer does not execute it or the harness fails, Interrupted.
        """
        computer = [platform.node(), platform.machine(), platform.processor()]
        key = make_content_key(
            {"artifact": sha256, "on": [DEVICE, *computer], "runs": INFERENCES, "by": hash_harness()}
        )

        def make(work: Path) -> None:
            (work / KEPT).write_text(self._profile(bundle(work), variant, work).model_dump_json(), encoding="utf-8")

        try:
            folder, _ = keep_entry(STEP, key, make)
        except Interrupted:
            raise
        except EdgebundleError as error:
            raise Untimed(str(error)) from error
        return _times(_Profile.model_validate_json((folder / KEPT).read_bytes()))

    def _profile(self, bundle: Path, variant: str, work: Path) -> _Profile:
        words = ["profile", bundle, "-d", DEVICE, "--variant", variant, "--inferences", str(INFERENCES), "--json", "-q"]
        log = work / "log.txt"
        try:
            process.run_limited(
                [sys.executable, "-m", "harness", *map(str, words)], log=log, timeout_s=MEASURE_S, memory_bytes=MEMORY_BYTES, poll=self._hear
            )  # fmt: skip
            told = _read(log.read_text(encoding="utf-8", errors="replace"))
        except (process.ToolError, ValueError) as error:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] if log.is_file() else []
            raise Untimed(f"'harness profile -d {DEVICE}' gave no times: {said[0] if said else error}") from error
        if not told.profiles:
            raise Untimed(
                f"this computer does not execute it: {told.skipped[0].reason if told.skipped else 'no reason was told'}"
            )
        return told.profiles[0]

    def _hear(self) -> None:
        if self.stop.is_set():
            raise Interrupted("the measurement was stopped.")


def _read(text: str) -> _Document:
    """The one JSON document of an output, which warnings and an error may stand around. Raises ValueError."""
    start = 0 if text.startswith("{") else text.index("\n{") + 1
    try:
        return _Document.model_validate(json.JSONDecoder().raw_decode(text, start)[0])
    except ValidationError as error:
        raise ValueError(f"it is not what is known of it ({error.error_count()} fields)") from error


def _times(profile: _Profile) -> Times:
    layers: dict[str, float] = {}
    for operator in profile.operators:
        if operator.layer is not None:
            layers[operator.layer] = layers.get(operator.layer, 0.0) + operator.ns / MS
    total = profile.total_ns / MS
    return Times(
        total_ms=total,
        layers_ms=layers,
        rest_ms=max(total - sum(layers.values()), 0.0),
        unnamed=profile.unnamed,
        measured=f"{profile.runtime} {profile.runtime_version} on this computer, "
        f"{profile.threads} {'thread' if profile.threads == 1 else 'threads'}, median of {profile.inferences} inferences",
    )
