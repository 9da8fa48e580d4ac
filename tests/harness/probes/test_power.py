"""Voltage and current of the battery, in the spellings and units of several vendors. The texts are written for these tests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probes.power import read_battery_current, read_battery_voltage

LINES = st.lists(
    st.sampled_from(
        ("battery", "bms", "usb", "\t", "current_now", "voltage_now", "\n", "-273000", "2147483647", "0", "NaN")
    )
    | st.integers(-(10**8), 10**8).map(str)
    | st.text(max_size=4),
    max_size=30,
).map("".join)


@pytest.mark.parametrize(
    ("text", "volts", "amperes"),
    [
        (
            "battery\tvoltage_now\t4123000\nbattery\tcurrent_now\t-412000\n",
            4.123,
            -0.412,
        ),  # millionths, as the kernel says
        ("battery\tvoltage_now\t4123\nbattery\tcurrent_now\t-412\n", 4.123, -0.412),  # thousandths
        ("usb\tvoltage_now\t5000000\nbms\tvoltage_now\t3900000\nbms\tcurrent_now\t1200000\n", 3.9, 1.2),
    ],
)
def test_units_and_names_of_vendors(text: str, volts: float, amperes: float) -> None:
    """Millionths and thousandths, the names of gauges, and never the charger's own voltage."""
    assert read_battery_voltage(text).value == pytest.approx(volts)
    assert read_battery_current(text).value == pytest.approx(amperes)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("0", "absent sensor"),
        ("2147483647", "which cannot be"),
        ("cat: x: Permission denied", "permission denied"),
        ("", "no number"),
        ("sechzehn", "no number"),
    ],
)
def test_what_is_no_current_has_a_reason(told: str, words: str) -> None:
    """Sentinels, refusals and other texts are null with the reason."""
    reading = read_battery_current(f"battery\tcurrent_now\t{told}\n")
    assert reading.value is None
    assert words in str(reading.reason)


def test_a_phone_without_a_gauge() -> None:
    """No file at all is told as such."""
    assert read_battery_voltage("").reason == "no fuel gauge tells voltage_now"


@given(LINES)
def test_no_text_gives_an_impossible_value(text: str) -> None:
    """Whatever is printed, a value is within what a battery can be and never the 0 of an absent sensor."""
    for reading, low, high in ((read_battery_voltage(text), 2.0, 30.0), (read_battery_current(text), -20.0, 20.0)):
        assert reading.reason if reading.value is None else low <= reading.value <= high
        assert reading.value != 0
