"""Which phone is this: one definition for the harness, Kotlin (`core/Phone.kt`) and Swift (`Phone.swift`).

`docs/formats/vectors/phones.json` holds the three together on real phones. An app on Android before 12 is not told the SoC, and an
iPhone never tells it, so that a phone is known by several names, and the most telling one that both sides know decides.
"""

from __future__ import annotations

import re

from builder.bundle import Phone
from harness.records.run import DeviceInfo, TextReading

# Names that say nothing: what systems write where they know none, and those of emulators.
NOTHING = {"", "unknown", "none", "null", "default", "goldfish", "ranchu"}
# Boards and hardware that several SoCs share, as their phones report them.
SHARED = {"qcom", "semc", "sc8830", "msm8937", "msm8952", "msm8953", "lito", "bengal", "holi"}
# Vendors write one chip in several ways ('MT6893Z/CZA', 'SM8650-AC'): the number decides.
CHIP = re.compile(r"\b(MT\d{4}|(?:SM|SDM|MSM|QCM|SC)\d{3,4})", re.IGNORECASE)


def describe_phone(info: DeviceInfo) -> Phone:
    """The names of a measured device; what it does not tell is None."""
    return Phone(
        soc=_value(info.soc), board=_value(info.board), hardware=_value(info.hardware), model=_value(info.model)
    )


def name_soc(manufacturer: str | None, model: str | None) -> str | None:
    """`ro.soc.manufacturer` and `ro.soc.model` as one name, such as 'Google Tensor G3'; None where the model says nothing."""
    if _read_known(model) is None:
        return None
    return " ".join(filter(None, (_read_known(manufacturer), _read_known(model))))


def name_model(manufacturer: str | None, model: str | None) -> str | None:
    """The maker's and the phone's name, such as 'Google Pixel 8'."""
    if _read_known(model) is None:
        return None
    return " ".join(filter(None, (_read_known(manufacturer), _read_known(model))))


def is_same_phone(first: Phone, second: Phone) -> bool:
    """Whether what was measured on one counts for the other.

    Where both tell their SoC, it alone decides. Otherwise one name that both tell and that is not shared by several SoCs must be
    the same: the board, the hardware, or the model.
    """
    socs = _chip(first.soc), _chip(second.soc)
    if None not in socs:
        return socs[0] == socs[1]
    pairs = ((first.board, second.board), (first.hardware, second.hardware), (first.model, second.model))
    return any(_telling(one) is not None and _telling(one) == _telling(other) for one, other in pairs)


def _chip(name: str | None) -> str | None:
    known = _read_known(name)
    if known is None:
        return None
    match = CHIP.search(known)
    return (match.group(1) if match else known).lower()


def _telling(name: str | None) -> str | None:
    known = (_read_known(name) or "").lower()
    return None if not known or known in SHARED else known


def _read_known(name: str | None) -> str | None:
    text = (name or "").strip()
    return None if text.lower() in NOTHING else text


def _value(reading: TextReading | None) -> str | None:
    return None if reading is None else reading.value
