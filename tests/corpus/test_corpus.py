"""The corpus: every network exports and agrees with PyTorch on the quick backend, some of each kind on the other two.

`scripts/bench corpus` looks at all of them on all three.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from builder import process
from tests.corpus import CORPUS, STYLE

LIMIT_S = 900.0
LEAST_DB = 80.0
# A style network, one of many splits and sums or transposed convolutions, and attention.
SOME = {
    "executorch": ("many_styles", "imdn", "vit"),
    "tflite": ("many_styles", "fsrcnn", "vit"),
}


def verdicts(backend: str, *words: str) -> dict[str, dict[str, object]]:
    """From one process: a converter's imports take longer than a small network."""
    done = process.run(
        [sys.executable, "-m", "tests.corpus.judge", backend, *words], timeout_s=LIMIT_S, cwd=Path(__file__).parents[2]
    )
    lines = [line.removeprefix("VERDICT ") for line in done.stdout.splitlines() if line.startswith("VERDICT ")]
    return {verdict["network"]: verdict for verdict in map(json.loads, lines)}


@pytest.fixture(scope="module")
def quick() -> dict[str, dict[str, object]]:
    return verdicts("coreml", *CORPUS)


@pytest.mark.parametrize("name", sorted(CORPUS))
def test_every_network_exports_and_agrees_on_core_ml(name: str, quick: dict[str, dict[str, object]]) -> None:
    """At least 80 dB on inputs that its weights were not scaled by, on the worst output of three samples."""
    verdict = quick[name]
    assert verdict["error"] is None
    assert verdict["psnr_db"] >= LEAST_DB  # type: ignore[operator]


@pytest.mark.parametrize("backend", sorted(SOME))
def test_some_of_each_kind_are_taken_whole_by_xnnpack(backend: str) -> None:
    """In three pieces at most, 99 % of the MACs, right to 80 dB; a style network among them, without transposes at its borders."""
    assert set(SOME[backend]) & set(STYLE)
    for name, verdict in verdicts(backend, *SOME[backend]).items():
        assert verdict["error"] is None, name
        assert verdict["psnr_db"] >= LEAST_DB, name  # type: ignore[operator]
        assert verdict["mac_share"] >= 0.99, (name, verdict["left"])  # type: ignore[operator]
        assert verdict["subgraphs"] <= 3, (name, verdict["left"])  # type: ignore[operator]
        assert name not in STYLE or verdict["border_transposes"] in (0, None), name


def test_the_corpus_has_the_networks_that_were_asked_for() -> None:
    """At least 24, a third of them for style, some with several inputs and outputs."""
    assert len(CORPUS) >= 24
    assert set(STYLE) <= set(CORPUS)
    assert sum(len(network.inputs) > 1 for network in CORPUS.values()) >= 5
    assert sum(len(network.outputs) > 1 for network in CORPUS.values()) >= 2
