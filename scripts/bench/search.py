"""The search given each stock recipe's bytes and cost as budgets: quality, exports and time; and against all plans there are."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.table import ROOT, Row, run

EXAMPLES = {"tiny_style": 120.0, "anime_style": 900.0}  # seconds that a search may take
TRIALS = 40
STOCK = {
    "fp16": 'scheme = "fp16"',
    "weight-only 8": 'scheme = "weight_only_wi8_afp32"',
    "dynamic 8": 'scheme = "dynamic_wi8_afp32"',
    "static 8 convs": 'plan = "preset:int8-convs"',
    "static 8 all": 'plan = "preset:int8-all"',
}
GAIN_DB, MORE_BYTES, MORE_COST, AIM_DB = 8.0, 1.10, 1.25, 38.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    psnr_db: float
    bytes: int
    cost: float
    coverage: float


def copy_project(example: str, work: Path, variants: str) -> Path:
    """A copy of the example with these variants in place of its own."""
    folder = work / "examples" / example
    if not folder.exists():
        shutil.copytree(ROOT / "examples", work / "examples", dirs_exist_ok=True)
    head = (ROOT / "examples" / example / "builder.toml").read_text(encoding="utf-8").split("[[variant]]")[0]
    (folder / "builder.toml").write_text(head + variants, encoding="utf-8")
    return folder


def write_variant(name: str, line: str) -> str:
    return f'[[variant]]\nbackend = "tflite"\ndelegate = "xnnpack"\nid = "{name}"\n{line}\n'


def measure_recipes(example: str, work: Path, cache: Path) -> dict[str, Recipe]:
    """What each stock recipe measures, with arm64 instructions relative to fp32."""
    lines = {"fp32": 'scheme = "fp32"', **STOCK}
    folder = copy_project(
        example, work, "".join(write_variant(name.replace(" ", "-"), line) for name, line in lines.items())
    )
    bundle = work / f"{example}-bundle"
    run("builder", "convert", folder, "-o", bundle, cache=cache)
    manifest = json.loads((bundle / "manifest.json").read_text())
    runs = work / f"{example}.jsonl"
    protocol = work / "counting.toml"  # one round: counts repeat
    protocol.write_text("warmup = 1\nruns = 1\ntimeout_s = 3600\n", encoding="utf-8")
    run("harness", "run", bundle, "-d", "arm64", "-o", runs, "--protocol", protocol, "--json", cache=cache)
    counts = {
        record["variant"]: record["instructions"]["value"]
        for record in (json.loads(line) for line in runs.read_text().splitlines())
    }
    made = {v["id"]: v for v in manifest["variants"]}
    return {
        name: Recipe(
            psnr_db=made[name.replace(" ", "-")]["quality"]["psnr_db_worst"],
            bytes=made[name.replace(" ", "-")]["bytes"],
            cost=counts[name.replace(" ", "-")] / counts["fp32"],
            coverage=compute_share(made[name.replace(" ", "-")]["coverage"]),
        )
        for name in STOCK
    }


def compute_share(coverage: dict[str, int]) -> float:
    """The delegate's part of the multiply-accumulates."""
    return coverage["delegated_macs"] / coverage["total_macs"]


def search(
    example: str, work: Path, cache: Path, bytes_: float, cost: float, coverage: float
) -> tuple[float, dict[str, Any]]:
    budgets = f'[variant.search]\nobjective = "psnr"\nmax_bytes = {int(bytes_)}\nmax_cost = {cost:.4f}\nmax_trials = {TRIALS}\nmin_coverage = {coverage}'
    folder = copy_project(example, work, write_variant("found", budgets))
    seconds, done = run("builder", "search", folder, "--json", cache=cache)
    result: dict[str, Any] = json.loads(done.stdout)["searches"][0]
    return seconds, result


def measure() -> list[Row]:
    """Two hours on two cores; the counts of anime_style under QEMU are most of it."""
    from bench.exhaustive import search_all

    rows = [search_all()]
    for example, limit in EXAMPLES.items():
        with tempfile.TemporaryDirectory(prefix="edgebundle-bench-") as name:
            work, cache = Path(name), Path(name) / "cache"
            stock = measure_recipes(example, work, cache)
            asked = {f"its bytes and cost: {name}": (recipe, 1.0, 1.0, 0.0) for name, recipe in stock.items()}
            if example == "anime_style":
                asked["1.10 of the bytes and 1.25 of the cost of static 8 all"] = (
                    stock["static 8 all"], MORE_BYTES, MORE_COST, GAIN_DB,
                )  # fmt: skip
            for what, (recipe, more_bytes, more_cost, gain) in asked.items():
                # A ten-thousandth of the cost is what rounding may take.
                seconds, result = search(
                    example,
                    work,
                    cache,
                    recipe.bytes * more_bytes,
                    recipe.cost * more_cost + 1e-4,
                    math.floor(recipe.coverage * 1000) / 1000,
                )
                best = result["trials"][result["chosen"] - 1]["measures"]
                trials = len(result["trials"])
                aim = f" (aim {AIM_DB:g} dB)" if gain else ""
                rows.append(
                    Row(
                        what=f"{example}, {what}",
                        figure=f">= {recipe.psnr_db + gain:.1f} dB{aim}, <= {TRIALS} exports, <= {limit:.0f} s",
                        measured=f"{best['psnr_db']:.1f} dB, {best['bytes']:,} B, cost {best['cost']:.3f}; {trials} exports, {seconds:.0f} s",
                        reached=best["psnr_db"] >= recipe.psnr_db + gain and trials <= TRIALS and seconds <= limit,
                        instead=f"the recipe: {recipe.psnr_db:.1f} dB, {recipe.bytes:,} B, cost {recipe.cost:.3f}",
                    )
                )
    return rows
