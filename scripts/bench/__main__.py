"""The figures this version has to reach, measured here and now, beside what a user would run instead, as ratios.

`python scripts/bench` measures all topics, `python scripts/bench spine` one. Nothing is judged by time in the tests; these
tables are where time, size and quality are looked at. Ends with 1 when a figure was missed.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.table import show

# Each is a module beside this one with `measure() -> list[Row]`.
TOPICS = (
    "spine",
    "warm",
    "same",
    "kills",
    "corpus",
    "inputs",
    "android",
    "measuring",
    "nights",
    "precision",
    "search",
    "ios",
    "lab",
    "over_adb",
    "faults",
    "fleet",
    "web",
    "papers",
    "culprits",
    "video",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("topic", nargs="*", metavar="TOPIC", help=f"one or more of: {', '.join(TOPICS)} (default: all)")
    topics = parser.parse_args().topic or TOPICS
    if unknown := [topic for topic in topics if topic not in TOPICS]:
        parser.error(f"there is no topic {unknown[0]!r}; known are {', '.join(TOPICS)}")
    missed = 0
    for topic in topics:
        rows = importlib.import_module(f"bench.{topic}").measure()
        show(f"edgebundle: {topic}", rows)
        missed += sum(not row.reached for row in rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
