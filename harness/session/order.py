"""Who has its turn when: balanced over a session, so that neither drift nor what ran before favours a variant.

Williams squares (E. J. Williams 1949, Australian Journal of Scientific Research 2): each variant stands equally often in each place
of a round, and follows each other variant equally often.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from builder.bundle import Bundle, Variant
from builder.suggest import did_you_mean
from harness.errors import UsageError
from harness.records.way import Cores, Way

Pair = tuple[str, int | None, Cores | None]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A variant of a build; `baseline` is the build that the other one is held against. `threads` and `cores` are its own in a sweep over them."""

    bundle: Bundle
    variant: Variant
    baseline: bool = False
    threads: int | None = None
    cores: Cores | None = None

    @property
    def name(self) -> str:
        threads = "" if self.threads is None else f", {Way(self.threads).words}"
        swept = threads + ("" if self.cores is None else f", {self.cores} cores")
        return f"{self.variant.id}{swept}{' (baseline)' if self.baseline else ''}"

    @property
    def pair(self) -> Pair:
        """What both builds have in common."""
        return self.variant.id, self.threads, self.cores


def list_contenders(
    bundle: Bundle,
    baseline: Bundle | None,
    only: Sequence[str] = (),
    threads: Sequence[int] = (),
    cores: Sequence[Cores] = (),
) -> list[Contender]:
    """Variants in the bundle's order, each with that of the baseline beside it where both have it; with `only` those of these ids, with
    `threads` and `cores` each once for each number of them on each cluster.

    Raises UsageError for an id that the bundle does not have.
    """
    known = [variant.id for variant in bundle.manifest.variants]
    for name in only:
        if name not in known:
            raise UsageError(f"the bundle has no variant {name!r}{did_you_mean(name, known)}")
    entries = []
    old = {variant.id: variant for variant in baseline.manifest.variants} if baseline is not None else {}
    for variant in bundle.manifest.variants:
        if only and variant.id not in only:
            continue
        if baseline is not None and variant.id in old:
            entries.append(Contender(bundle=baseline, variant=old[variant.id], baseline=True))
        entries.append(Contender(bundle=bundle, variant=variant))
    if baseline is not None and not only:
        # what the new build lost is measured too, so that the records show it and a gate can tell
        entries += [
            Contender(bundle=baseline, variant=gone, baseline=True) for name, gone in old.items() if name not in known
        ]
    numbers: list[int | None] = [*dict.fromkeys(threads)] or [None]
    clusters: list[Cores | None] = [*dict.fromkeys(cores)] or [None]
    return [
        replace(entry, threads=number, cores=cluster) for entry in entries for cluster in clusters for number in numbers
    ]


def draw_turns(entries: Sequence[Contender], rounds: int, seed: int) -> list[tuple[int, Contender]]:
    """Every round with every contender. The two builds of a variant are neighbours, the older one first in half of the rounds."""
    together: dict[Pair, list[Contender]] = {}
    for entry in entries:
        together.setdefault(entry.pair, []).append(entry)
    pairs = list(together.values())
    if rounds == 1:
        return [(0, entry) for pair in pairs for entry in pair]
    draw = random.Random(seed)
    draw.shuffle(pairs)
    turned = {pair[0].pair: draw_halves(rounds, draw) for pair in pairs}
    order = []
    rows: list[list[int]] = []
    for number in range(rounds):
        if not rows:
            rows = williams(len(pairs))
            draw.shuffle(rows)
        for place in rows.pop():
            pair = pairs[place]
            order += [(number, entry) for entry in (pair[::-1] if turned[pair[0].pair][number] else pair)]
    return order


def draw_halves(count: int, draw: random.Random) -> list[bool]:
    """As many of one kind as of the other, to one, in an order by chance: strict turns would fall in step with what comes and goes."""
    which = draw.random() < 0.5
    flags = [(number % 2 == 0) == which for number in range(count)]
    draw.shuffle(flags)
    return flags


def williams(count: int) -> list[list[int]]:
    """Rows of a balanced design of `count` items: as many rows as items, twice as many for an odd number."""
    if count < 2:
        return [list(range(count))]
    first = [0]
    low, high = 1, count - 1
    while low <= high:
        first.append(low)
        if low < high:
            first.append(high)
        low, high = low + 1, high - 1
    rows = [[(item + shift) % count for item in first] for shift in range(count)]
    return rows + [row[::-1] for row in rows] if count % 2 else rows
