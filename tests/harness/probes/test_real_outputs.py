"""Probes on what real devices print, of which tests/data/android/real states the origin, and on a million mutilated copies of it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.devices.android.state import find_emulator_label, make_device_info, parse_properties
from harness.probes.battery import (
    STOPPED,
    parse_battery_fields,
    parse_charging,
    read_battery_percent,
    read_battery_temperature,
)
from harness.probes.headroom import read_thermal_headroom
from harness.probes.temperature import (
    OVERRIDDEN,
    Named,
    Sensor,
    choose_device_temperature,
    choose_die_temperature,
    read_service_sensors,
    read_thermal_status,
    read_zone_sensors,
)
from harness.protocol import Wanted
from harness.records.run import Reading
from harness.session.conditions import find_unmet
from tests.harness.runs import conditions

REAL = Path(__file__).parents[2] / "data" / "android" / "real"
NONE = Reading(unit="degC", reason="no battery dump")
CASES = int(os.environ.get("BENCH_FUZZ", "4000"))  # `make bench` takes a million


def text(name: str) -> str:
    return (REAL / name).read_text(encoding="utf-8")


def warm(name: str, battery: Reading = NONE) -> Named:
    return choose_device_temperature(read_service_sensors(text(name)), battery, [])


@pytest.mark.parametrize(
    ("name", "status", "celsius", "of", "die"),
    [
        ("thermal_google_pixel_hal2.txt", 0, 28.348001, "skin fps-therm-monitor", 32.300003),
        ("thermal_qualcomm_bcl.txt", 0, 33.136, "skin skin", 36.2),
        ("thermal_samsung_aidl.txt", 0, 28.2, "skin SKIN", 34.6),
        ("thermal_hal2_objects_throttled.txt", 2, 44.637, "skin skin", 48.2),
        ("thermal_emulator.txt", 0, 30.8, "skin test temperature sensor", None),
        ("thermal_nvidia_shield_tv.txt", 0, None, None, 37.0),
        ("thermal_xiaomi_13t_pro.txt", 0, 34.351, "skin SKIN", 57.9),
        ("thermal_samsung_tab_a7_lite.txt", None, None, None, 29.1),
        ("thermal_samsung_throttled.txt", 3, 44.3, "skin SKIN", 53.0),
        ("thermal_type_names.txt", 0, 25.3, "skin TYPE_SKIN", 24.0),
        ("thermal_google_tensor_currents.txt", 0, 24.83324, "skin VIRTUAL-SKIN", 27.000002),
        ("thermal_gold_and_silver.txt", 0, 30.147001, "skin mb-therm-monitor", 44.1),
    ],
)
def test_thermal_services(
    name: str, status: float | None, celsius: float | None, of: str | None, die: float | None
) -> None:
    """Skin, else battery, never the die; volts and percents that the service lists beside are no temperatures."""
    sensors = read_service_sensors(text(name))
    found = choose_device_temperature(sensors, NONE, [])
    assert (found.reading.value, found.of.value) == (celsius, of)
    assert read_thermal_status(text(name)).value == status
    assert choose_die_temperature(sensors, []).reading.value == die


def test_a_service_that_lists_the_die_alone_leaves_the_gate_to_the_battery() -> None:
    """66.5 degrees of the die are no reason to wait for a phone whose battery has 28.4."""
    battery = Reading(value=28.4, unit="degC")
    found = warm("thermal_nvidia_shield_tv.txt", battery)
    assert (found.reading.value, found.of.value) == (28.4, "battery")


def test_thresholds_in_the_spelling_of_the_hal() -> None:
    """Severe throttling of the skin begins at 52 degrees there: 44.637 are a headroom of 0.75."""
    assert read_thermal_headroom("", text("thermal_hal2_objects_throttled.txt")).value == pytest.approx(
        0.7546, abs=1e-4
    )
    counted_from_1 = text("thermal_type_names.txt") + (
        "\tTemperatureThreshold{mType=4, mName=TYPE_SKIN, mHotThrottlingThresholds=[NaN, 40.0, 43.0, 55.3]}\n"
        "\tTemperatureThreshold{mType=3, mName=TYPE_BATTERY, mHotThrottlingThresholds=[NaN, 40.0, 43.0, 45.0]}\n"
    )
    assert read_thermal_headroom("", counted_from_1).value == 0.0
    assert read_thermal_headroom("", text("thermal_qualcomm_bcl.txt")).value == pytest.approx(
        1 - (40 - 33.136) / 30, abs=1e-4
    )


@pytest.mark.parametrize(
    ("name", "level", "celsius", "state"),
    [
        ("battery_samsung_llb.txt", 100, 30.9, "full (USB)"),
        ("battery_no_sensor.txt", 89, None, "charging (AC)"),
        ("battery_full_usb.txt", 100, 27.4, "full (USB)"),
        ("battery_li_poly_ac.txt", 15, 34.0, "charging (AC)"),
        ("battery_oneplus_7.txt", 77, 29.4, "discharging"),
        ("battery_pixel_c.txt", 19, 27.5, "charging (AC)"),
        ("battery_xr_headset.txt", 16, 43.0, "charging (AC)"),
        ("battery_honor_alt_nx1.txt", 54, 22.0, "discharging"),
        ("battery_redmi_note_14.txt", 80, 36.4, "charging (AC)"),
        ("battery_broadcast_lines.txt", 64, 32.8, "discharging"),
        ("battery_fuzzing_lab.txt", 80, 18.0, "not charging"),
        ("battery_samsung_boot_completed.txt", 84, 32.6, "charging (USB)"),
        ("battery_tv_box.txt", None, None, "not charging"),
        ("battery_tv_box_plugged.txt", None, None, "charging (AC)"),
        ("battery_samsung_tablet.txt", 100, 27.3, "full (USB)"),
        ("battery_full_wireless.txt", 100, 35.0, "full (wireless)"),
        ("battery_full_li_poly.txt", 100, 34.0, "full (USB)"),
        ("battery_without_temperature.txt", 9, None, "charging (AC)"),
    ],
)
def test_batteries(name: str, level: float | None, celsius: float | None, state: str) -> None:
    """Level, temperature and source; a temperature of exactly 0 is that of no sensor."""
    assert read_battery_percent(text(name)).value == level
    assert read_battery_temperature(text(name)).value == (None if celsius is None else pytest.approx(celsius))
    assert parse_charging(text(name)).value == state


@pytest.mark.parametrize("millivolts", [1, 13, 999])
def test_a_battery_of_millivolts_is_none(millivolts: int) -> None:
    """A box without a battery tells one of 13 mV: neither its level nor its temperature means anything."""
    dump = text("battery_full_usb.txt").replace("4352", str(millivolts))
    assert read_battery_percent(dump).value is None
    assert f"{millivolts} mV, which is none" in str(read_battery_temperature(dump).reason)
    assert read_battery_percent(text("battery_full_usb.txt").replace("4352", "4")).value == 100  # whole volts


def test_what_was_set_by_hand_is_no_state_and_is_not_measured_under() -> None:
    """A battery whose updates were stopped and a status that is overridden: null, with the command that ends it, and not waited past."""
    frozen = text("battery_full_usb.txt").replace("state:\n", "state:\n  (UPDATES STOPPED -- use 'reset' to restart)\n")
    assert (
        read_battery_percent(frozen).reason
        == read_battery_temperature(frozen).reason
        == parse_charging(frozen).reason
        == STOPPED
    )
    faked = text("thermal_samsung_aidl.txt").replace("IsStatusOverride: false", "IsStatusOverride: true")
    assert read_thermal_status(faked).reason == OVERRIDDEN
    state = conditions().model_copy(update={"thermal_status": read_thermal_status(faked)})
    assert find_unmet(state, Wanted(max_thermal_status=0), None) == OVERRIDDEN
    assert find_unmet(state, Wanted(), None) is None
    state = conditions().model_copy(update={"battery_percent": read_battery_percent(frozen)})
    assert find_unmet(state, Wanted(min_battery_percent=20), None) == STOPPED


@pytest.mark.parametrize(
    ("name", "skin", "die"),
    [
        ("zone_names_sony_xz_premium.txt", {"msm_therm", "quiet_therm", "xo_therm"}, {"tsens_tz_sensor0", "tsens_tz_sensor1"}),
        ("zone_names_sony_x_compact.txt", {"xo_therm", "xo_therm_buf", "case_therm"}, {"tsens_tz_sensor0", "tsens_tz_sensor1"}),
        ("zone_names_nvidia_jetson.txt", set(), {"CPU-therm", "GPU-therm"}),
    ],
)  # fmt: skip
def test_zones_by_their_names(name: str, skin: set[str], die: set[str]) -> None:
    """Each alone: the skin's zones are the phone's temperature, the processors' are the die's, and others are neither."""
    found: dict[str, set[str]] = {"skin": set(), "die": set()}
    for zone in text(name).split():
        sensors = read_zone_sensors(f"{zone}\t31000\n")
        for told in (choose_device_temperature([], NONE, sensors).of, choose_die_temperature([], sensors).of):
            what, _, sensor = (told.value or "none ").partition(" ")
            found.setdefault(what, set()).add(sensor)
    assert (found["skin"], found["die"]) == (skin, die)


@pytest.mark.parametrize(
    "zone", ["soc", "socd", "vbat", "ibat", "pmi8998-ibat-lvl0", "pm8150b-bcl-lvl1", "vph_pwr_bcl"]
)
def test_a_zone_that_is_no_temperature_is_none(zone: str) -> None:
    """A state of charge of 87 is not 87 degrees, of nothing."""
    sensors = read_zone_sensors(f"{zone}\t87\n")
    assert choose_device_temperature([], NONE, sensors).reading.value is None
    assert choose_die_temperature([], sensors).reading.value is None
    assert choose_die_temperature([], read_zone_sensors("soc_thermal\t45000\n")).reading.value == 45


HARDWARE = sorted(path.name for path in REAL.glob("properties_*.txt") if "redroid" not in path.name)


@pytest.mark.parametrize("name", HARDWARE)
def test_phones_are_no_emulators(name: str) -> None:
    """Phones, TVs and headsets, an Android that somebody else built and a generic image too: all run on hardware."""
    assert find_emulator_label(parse_properties(text(name))) is None


@pytest.mark.parametrize(
    ("name", "model", "system"),
    [
        ("properties_pixel_8.txt", "Google Pixel 8", None),
        ("properties_galaxy_s8_custom.txt", "samsung SM-G950F", None),
        ("properties_galaxy_note_9.txt", None, "Android 10 (API 29)"),
        ("properties_tv_allwinner_h313.txt", "Google Android TV", "Android 10 (API 29), which calls itself 15.0"),
        ("properties_tv_konka.txt", "KONKA Konka Android TV 551", "Android 5.1.1 (API 22)"),
        ("properties_moto_z_gsi.txt", "Moto Z", None),
        ("properties_quest_3.txt", "Quest 3", "Android 14 (API 34)"),
        ("properties_quest_2.txt", "Quest 2", "Android 12 (API 32)"),
    ],
)
def test_devices_by_their_properties(name: str, model: str | None, system: str | None) -> None:
    """What a device is, or that it does not say so."""
    info = make_device_info("android", "S", parse_properties(text(name)))
    assert (info.model.value, info.os.value) == (model, system)


@pytest.mark.parametrize("name", ["properties_redroid_12.txt", "properties_redroid_14.txt"])
def test_android_in_a_container_is_an_emulator(name: str) -> None:
    """By its hardware, or by its brand alone."""
    assert find_emulator_label(parse_properties(text(name))) is not None


@pytest.mark.parametrize(
    ("properties", "emulator"),
    [
        ({"ro.hardware": "vbox86", "ro.product.manufacturer": "Genymotion"}, True),
        ({"ro.genymotion.version": "3.2"}, True),
        ({"ro.product.device": "waydroid_arm64", "ro.hardware": "qcom"}, True),
        ({"ro.hardware": "ranchu"}, True),
        ({"ro.hardware": "cutf_cvm"}, True),
        ({"ro.hardware": "qcom", "ro.product.manufacturer": "samsung", "ro.product.model": "SM-S918B"}, False),
        ({"ro.hardware": "zuma", "ro.product.model": "Pixel 8"}, False),
    ],
)
def test_who_is_an_emulator(properties: dict[str, str], emulator: bool) -> None:
    """Virtual machines on computers and Android in a container are; phones are not."""
    assert (find_emulator_label(properties) is not None) == emulator


def mutilated(count: int) -> Iterator[str]:
    """Real outputs with pieces cut out, doubled, exchanged, and numbers that drivers and broken tools print."""
    draw = random.Random(17)
    sources = [path.read_text(encoding="utf-8") for path in sorted(REAL.glob("*.txt"))]
    strange = (
        "-273000",
        "2147483647",
        "1e308",
        "NaN",
        "-0.0",
        "\x00",
        "\u0663",
        "99999999999999999999",
        "}",
        "{",
        "=",
        "\n\n",
        "Infinity",
    )
    for _ in range(count):
        words = list(draw.choice(sources))
        for _ in range(draw.randint(1, 6)):
            at = draw.randrange(len(words) + 1)
            end = min(len(words), at + draw.choice((0, 1, 3, 20, 200)))
            words[at:end] = draw.choice(
                (draw.choice(strange), "", "".join(words[at:end]) * 2, str(draw.randint(-(10**6), 10**6)))
            )
        yield "".join(words)


def test_no_mutilated_output_gives_an_impossible_number() -> None:
    """Whatever a device prints, each reading is within what its quantity can be, or null with a reason; nothing raises."""
    for dump in mutilated(CASES):
        sensors: list[Sensor] = read_service_sensors(dump)
        zones = read_zone_sensors(dump.replace(":", "\t").replace("=", "\t"))
        cell = read_battery_temperature(dump)
        told = [
            (choose_device_temperature(sensors, cell, zones).reading, -40, 150),
            (choose_die_temperature(sensors, zones).reading, -40, 150),
            (read_thermal_status(dump), 0, 6),
            (read_battery_percent(dump), 0, 100),
            (cell, -40, 100),
            (read_thermal_headroom(dump, dump), 0, 10),
        ]
        for reading, low, high in told:
            assert reading.reason if reading.value is None else low <= reading.value <= high, dump
        assert parse_charging(dump).value or parse_charging(dump).reason
        assert isinstance(parse_battery_fields(dump), dict)
        find_emulator_label(parse_properties(dump))
