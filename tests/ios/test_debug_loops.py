"""Debug builds: nobody may optimise a package's loops in an app's debug build, so hot loops call nothing even there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from filelock import FileLock

from tests.ios.swift import Swift, build_folder, find_ios_sources

# file -> functions whose loops run for each pixel, value or byte
HOT = {
    "LumaPyramid.swift": ("fillRow", "halveRow"),
    "PatchSearch.swift": ("measure", "look"),
    "OpticalFlow.swift": ("spreadRow",),
    "CarriedKey.swift": ("followRow", "believeRow"),
    "CarriedRow.swift": ("write",),
    "FrameCarrier.swift": ("believed",),
    "FrameFitter.swift": ("fitRow",),
    "Hash.swift": ("mix",),
    "PictureOrientation.swift": ("copyRow",),
    "PictureCodec.swift": ("opaque", "fillChannel", "decodeChannel"),
    "Blend.swift": ("mix",),
    "Transparency.swift": ("composeOnWhite",),
    "Parity.swift": ("errors",),
}
# functions that were compiled with optimisation before: a float to a double, infinity, and one copy for 64 bytes
ALLOWED = ("$sSdySdSfcfC", "$sSd8infinitySdvgZ", "memcpy")


@pytest.fixture(scope="module")
def sil() -> str:
    """What the compiler makes of the core without optimisation, in its own language."""
    work = build_folder("debug-loops")
    with FileLock(work / "lock", timeout=900):
        swift = Swift(find_ios_sources() / "edgebundle", work)
        core = f"{swift.source_path}/Sources/EdgebundleCore"
        out = f"{swift.work_path}/core.sil"
        command = f"swiftc -emit-sil -Onone -wmo -swift-version 6 -module-name EdgebundleCore {core}/*.swift -o {out}"
        swift.run("sh", "-c", command)
        return (work / "core.sil").read_text(encoding="utf-8")


def functions(sil: str, source: str, name: str) -> list[str]:
    """The bodies of a function and of the closures inside it, by the name that the compiler writes for people."""
    found = re.findall(
        r"^// ([^\n]*)\n(?://[^\n]*\n)*(sil [^\n]*\{\n.*?^\} // end sil function)", sil, re.MULTILINE | re.DOTALL
    )
    return [body for title, body in found if re.search(rf"\b{name}\(", title) and _belongs(title, source)]


def _belongs(title: str, source: str) -> bool:
    """Whether a title names the type of a file, or no type at all for files of free functions."""
    owner = Path(source).stem
    types = {"PictureOrientation": "UprightPixels", "Hash": "", "Transparency": "", "Parity": ""}
    wanted = types.get(owner, owner)
    return f"{wanted}." in title if wanted else not re.search(r"\b[A-Z]\w+\.(?:mix|errors|composeOnWhite)\(", title)


def calls_in_loops(body: str) -> list[str]:
    """Instructions that call something, in blocks from which control comes back to them."""
    blocks: dict[str, list[str]] = {}
    for line in body.splitlines():
        if label := re.match(r"(bb\d+)[(:]", line):
            blocks[label[1]] = []
        elif blocks:
            blocks[next(reversed(blocks))].append(line)
    after = {name: set(re.findall(r"\bbb\d+\b", " ".join(lines))) for name, lines in blocks.items()}

    def reaches(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(after[start])
        while waiting:
            block = waiting.pop()
            if block not in seen:
                seen.add(block)
                waiting += after.get(block, set())
        return seen

    loop = [name for name in blocks if name in reaches(name)]
    assert loop, "no loop was found"
    refs = dict(re.findall(r"(%\d+) = function_ref @(\S+)", body))
    calls = [
        line
        for name in loop
        for line in blocks[name]
        if re.search(r"= (?:apply|try_apply|begin_apply|witness_method)\b", line)
    ]
    return [
        line
        for line in calls
        if not any(refs.get(value) in ALLOWED for value in re.findall(r"%\d+", line.partition("=")[2]))
    ]


@pytest.mark.parametrize("source", HOT)
def test_hot_loops_call_nothing(sil: str, source: str) -> None:
    """A loop over pixels, values or bytes has no call in it, not even to a subscript or an operator."""
    for name in HOT[source]:
        bodies = [body for body in functions(sil, source, name) if re.search(r"^bb\d+.*\n", body, re.MULTILINE)]
        looping = [body for body in bodies if _has_loop(body)]
        assert looping, f"{name} of {source} has no loop"
        for body in looping:
            assert calls_in_loops(body) == [], f"{name} of {source}"


def _has_loop(body: str) -> bool:
    try:
        calls_in_loops(body)
    except AssertionError:
        return False
    return True
