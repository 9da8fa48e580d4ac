"""The corpus on three backends: does it convert, how well does it agree with PyTorch, what does the delegate take, and what did
the rewrites bring; and the memory that a conversion of anime_style at 512 x 512 takes. About half an hour on two cores."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from bench.table import ROOT, Row

sys.path.insert(0, str(ROOT))

BACKENDS = ("tflite", "executorch", "coreml")
LEAST_DB, LEAST_PART = 80.0, 0.95
LIMIT_S = 3600.0
MEMORY_GB = 3.5


def judge(backend: str, names: tuple[str, ...], *, plain: bool = False) -> dict[str, dict[str, Any]]:
    """Verdicts by network, from one process for all (imports take longer than most networks)."""
    command = [sys.executable, "-m", "tests.corpus.judge", backend, *(["--plain"] if plain else []), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    lines = [line.removeprefix("VERDICT ") for line in done.stdout.splitlines() if line.startswith("VERDICT ")]
    found = {verdict["network"]: verdict for verdict in map(json.loads, lines)}
    if done.returncode or len(found) != len(names):
        sys.exit(f"{backend}: {len(found)} of {len(names)} networks were judged:\n{done.stderr[-2000:]}")
    for name, verdict in found.items():  # at once, so that a bench that is stopped has told what it knew
        print(f"{name}: {say(verdict)}", file=sys.stderr, flush=True)
    return found


def say(verdict: dict[str, Any]) -> str:
    if verdict["error"]:
        return f"{verdict['backend']}: {verdict['error']}"
    share = "" if verdict["mac_share"] is None else f", {verdict['mac_share']:.1%} of MACs"
    return f"{verdict['backend']} {verdict['psnr_db']:.1f} dB, {verdict['delegated_ops']}/{verdict['total_ops']} ops in {verdict['subgraphs']}{share}"


def is_good(verdict: dict[str, Any]) -> bool:
    return verdict["error"] is None and verdict["psnr_db"] >= LEAST_DB


def make_style_row(name: str, ours: dict[str, Any], plain: dict[str, Any]) -> Row:
    """What the rewrites bring to a style network on ExecuTorch."""
    reached = (
        ours["error"] is None
        and ours["mac_share"] >= 0.99
        and ours["subgraphs"] <= 3
        and (
            plain["error"] is not None
            or (ours["psnr_db"] >= plain["psnr_db"] and plain["rewritten_ms"] <= plain["latency_ms"])
        )
    )
    return Row(
        what=f"{name}, ExecuTorch",
        figure=">= 99 % of MACs, <= 3 subgraphs, not slower, not worse",
        measured=f"{say(ours)}, {plain['rewritten_ms'] or ours['latency_ms']} ms",
        reached=reached,
        instead=f"unlegalized: {say(plain)}, {plain['latency_ms']} ms",
    )


def make_transposes_row(name: str, verdict: dict[str, Any]) -> Row:
    """What XNNPACK leaves of a style network's TFLite file, by name."""
    left = "; ".join(verdict["left"])
    return Row(
        what=f"{name}, TFLite",
        figure="no op outside XNNPACK but named ones, no TRANSPOSE at the borders",
        measured=f"{left or 'none left'}, {verdict['border_transposes']} at the borders",
        reached=verdict["error"] is None
        and all("(" in text for text in verdict["left"])
        and verdict["border_transposes"] == 0,
    )


def measure_memory(backend: str, work: Path) -> Row:
    """Peak of one worker's process tree that converts anime_style at 512 x 512."""
    project = work / f"anime-{backend}"
    shutil.copytree(ROOT / "examples" / "anime_style", project, ignore=shutil.ignore_patterns("*.pt", "*.state*"))
    text = (project / "builder.toml").read_text(encoding="utf-8").replace("[1, 3, 256, 256]", "[1, 3, 512, 512]")
    text = text.replace("../tiny_style", str(ROOT / "examples" / "tiny_style"))
    (project / "builder.toml").write_text(text, encoding="utf-8")
    command = [
        Path(sys.executable).parent / "builder",
        "convert",
        project,
        "--backend",
        backend,
        "-o",
        work / f"out-{backend}",
    ]
    started = psutil.Popen(
        [str(word) for word in command],
        env={**os.environ, "EDGEBUNDLE_CACHE": str(work / f"cache-{backend}")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak, end = 0, time.monotonic() + LIMIT_S
    while started.poll() is None and time.monotonic() < end:
        for child in started.children(recursive=True):
            try:
                peak = max(peak, child.memory_info().rss)
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.2)
    return Row(
        what=f"anime_style at 512 x 512, {backend}: largest worker",
        figure=f"<= {MEMORY_GB} GB",
        measured=f"{peak / 1e9:.2f} GB" + ("" if started.returncode == 0 else f", ended with {started.returncode}"),
        reached=started.returncode == 0 and peak <= MEMORY_GB * 1e9,
    )


def measure() -> list[Row]:
    """The figures of conversion; the corpus first, then the style networks, then memory."""
    from tests.corpus import CORPUS, STYLE

    names = tuple(CORPUS)
    found = {backend: judge(backend, names) for backend in BACKENDS}
    plain = judge("executorch", STYLE, plain=True)
    rows = [
        Row(
            what=name,
            figure=f">= {LEAST_DB:g} dB on each",
            measured="; ".join(say(found[backend][name]) for backend in BACKENDS),
            reached=all(is_good(found[backend][name]) for backend in BACKENDS),
        )
        for name in names
    ]
    verdicts = [verdict for backend in BACKENDS for verdict in found[backend].values()]
    right, wrong = sum(map(is_good, verdicts)), [v for v in verdicts if v["error"] is None and v["psnr_db"] < LEAST_DB]
    rows.append(
        Row(
            what=f"corpus x {len(BACKENDS)} backends",
            figure=f">= {LEAST_PART:.0%} at >= {LEAST_DB:g} dB, none wrong",
            measured=f"{right} of {len(verdicts)} ({right / len(verdicts):.1%}), {len(wrong)} below without an error",
            reached=right / len(verdicts) >= LEAST_PART and not wrong,
        )
    )
    rows += [make_style_row(name, found["executorch"][name], plain[name]) for name in STYLE]
    rows += [make_transposes_row(name, found["tflite"][name]) for name in STYLE]
    with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as folder:
        rows += [measure_memory(backend, Path(folder)) for backend in BACKENDS]
    return rows
