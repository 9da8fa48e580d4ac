"""Probe parsers: right on recordings, null with a reason on everything that is not a value, never an exception."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probes.battery import parse_charging, read_battery_percent, read_battery_temperature
from harness.probes.clocks import read_clocks_mhz
from harness.probes.temperature import (
    choose_device_temperature,
    choose_die_temperature,
    read_service_sensors,
    read_thermal_status,
    read_zone_sensors,
)
from harness.records.run import Reading, TextReading

DATA = Path(__file__).parents[2] / "data" / "android"
PIECES = (
    *(
        "Thermal Status: ",
        "Temperature{mValue=",
        ", mType=3",
        ", mName=",
        ", mStatus=0}",
        "Current temperatures from HAL:",
        "\n",
    ),
    *(
        "  level: ",
        "scale: ",
        "temperature: ",
        "status: ",
        "USB powered: true",
        "present: false",
        "cpu0",
        "cpu7",
        "\t",
        "NaN",
        "inf",
    ),
    *(
        "0",
        "-1",
        "-273000",
        "2147483647",
        "1e99",
        "28.5",
        "Permission denied",
        "٣",
        "ﬀ",
        "\x00",
        "45300",
        "-0.0",
        "0x1f",
    ),
)
dumps = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=30).map("".join)


def recording(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


def test_thermalservice_of_a_samsung() -> None:
    """The HAL's present battery temperature counts, and a sensor that says 0.0 is absent."""
    text = recording("thermalservice_samsung_a52.txt")
    sensors = read_service_sensors(text)
    assert [(sensor.name, sensor.reading.value) for sensor in sensors] == [("AP", 25.6), ("BAT", 23.8)]
    assert read_thermal_status(text).value == 0
    assert choose_device_temperature(sensors, Reading(unit="degC", reason="none"), []).reading.value == 23.8
    cached = read_service_sensors(text.partition("HAL Ready")[0])
    assert cached[0].name == "SUBBAT"
    assert cached[0].reading.value is None
    assert "absent" in str(cached[0].reading.reason)


def test_battery_of_a_samsung() -> None:
    """Level, tenths of a degree and the power source are read."""
    text = recording("battery_samsung.txt")
    assert read_battery_percent(text).value == 84
    assert read_battery_temperature(text).value == pytest.approx(32.6)
    assert parse_charging(text) == TextReading(value="charging (USB)")


def test_impossible_temperatures_of_the_service() -> None:
    """NaN, absolute zero, a sentinel and a cut line give no temperature, and a status of 9 no status."""
    text = recording("thermalservice_broken_synthetic.txt")
    assert [sensor.reading.value for sensor in read_service_sensors(text)] == [None, None, None]
    assert read_thermal_status(text).value is None
    whole = choose_device_temperature(read_service_sensors(text), read_battery_temperature(""), []).reading
    assert whole.value is None
    assert "NaN" in str(whole.reason)


def test_zones() -> None:
    """Thousandths and whole degrees are read; sentinels, denied, empty and zero zones are null with the reason."""
    sensors = {sensor.name: sensor.reading for sensor in read_zone_sensors(recording("zones_synthetic.txt"))}
    assert sensors["cpu-0-0"].value == pytest.approx(45.3)
    assert sensors["gpuss-0"].value == 44
    assert {name for name, reading in sensors.items() if reading.value is None} == {
        "battery",
        "modem",
        "pmic",
        "empty",
        "zero",
    }
    assert "denied" in str(sensors["pmic"].reason)
    none = Reading(unit="degC", reason="no sensor")
    zones = read_zone_sensors(recording("zones_synthetic.txt"))
    assert choose_die_temperature([], zones).reading.value == pytest.approx(45.3)
    assert "none of" in str(choose_device_temperature([], none, zones).reading.reason)


@pytest.mark.parametrize("level", ["-1", "101", "2147483647", "", "eighty", "٨٠"])
def test_impossible_levels(level: str) -> None:
    """A battery level that cannot be is null with a reason."""
    reading = read_battery_percent(f"  level: {level}\n  scale: 100\n")
    assert reading.value is None
    assert reading.reason


def test_level_of_another_scale() -> None:
    """The level is a part of the scale that the dump names."""
    assert read_battery_percent("level: 50\nscale: 200").value == 25


def test_a_device_without_battery() -> None:
    """A dump that says that no battery is present gives no percentage although it prints a level."""
    assert read_battery_percent("present: false\nlevel: 100\nscale: 100").value is None


def test_dump_in_another_language() -> None:
    """A dump whose names are not the known ones gives nulls with reasons, no numbers."""
    text = "Aktueller Akkustatus:\n  Ladestand: 80\n  Temperatur: 280\n"
    assert read_battery_percent(text).reason == "dumpsys battery tells no level"
    assert read_battery_temperature(text).value is None
    assert parse_charging(text).value is None


def test_clocks_are_in_order_of_the_cpus() -> None:
    """Clocks come by CPU number and in MHz; one that is denied or 0 is null with the reason."""
    readings = read_clocks_mhz("cpu10\t2802000\ncpu2\t1803000\ncpu3\tcat: x: Permission denied\ncpu4\t0\n")
    assert [reading.value for reading in readings] == [1803.0, None, None, 2802.0]
    assert "denied" in str(readings[1].reason)
    assert read_clocks_mhz("")[0].reason == "the device shows no CPU clocks"


def collect_readings(text: str) -> list[tuple[Reading, float, float]]:
    """Everything that the parsers read from a text, each with the limits of its quantity."""
    service, zones = read_service_sensors(text), read_zone_sensors(text)
    celsius = [sensor.reading for sensor in (*service, *zones)]
    celsius += [
        read_battery_temperature(text),
        choose_device_temperature(service, read_battery_temperature(text), zones).reading,
    ]
    return [
        *((reading, -40.0, 150.0) for reading in celsius),
        *((reading, 1.0, 10_000.0) for reading in read_clocks_mhz(text)),
        (read_battery_percent(text), 0.0, 100.0),
        (read_thermal_status(text), 0.0, 6.0),
    ]


@given(dumps)
def test_no_text_gives_an_impossible_value(text: str) -> None:
    """Whatever a command prints, each reading is within its limits or null with a reason."""
    for reading, low, high in collect_readings(text):
        if reading.value is None:
            assert reading.reason
        else:
            assert low <= reading.value <= high


@given(dumps)
def test_temperatures_are_never_zero(text: str) -> None:
    """No temperature is the 0 that stands for a sensor that could not be read."""
    temperatures: list[Callable[[str], list[Reading]]] = [
        lambda dump: [sensor.reading for sensor in read_service_sensors(dump)],
        lambda dump: [sensor.reading for sensor in read_zone_sensors(dump)],
        lambda dump: [read_battery_temperature(dump)],
    ]
    assert all(reading.value != 0 for parse in temperatures for reading in parse(text))


@given(dumps)
def test_charging_of_any_text(text: str) -> None:
    """The charging state is one of the known ones, or null with a reason."""
    told = parse_charging(text)
    assert told.reason or str(told.value).split(" (")[0] in ("charging", "discharging", "not charging", "full")
