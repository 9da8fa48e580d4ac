"""What an Android device says of itself and of its state: properties and probes, read over adb."""

from __future__ import annotations

import re
from collections.abc import Mapping

from builder import process
from harness.devices.android.adb import Adb
from harness.errors import DeviceLost
from harness.probes import list_probes
from harness.probes.battery import parse_charging, read_battery_percent, read_battery_temperature
from harness.probes.clocks import read_clocks_mhz
from harness.probes.headroom import read_thermal_headroom
from harness.probes.power import read_battery_current, read_battery_voltage
from harness.probes.probe import split_answers, with_answers, write_shell_line
from harness.probes.temperature import (
    choose_device_temperature,
    choose_die_temperature,
    read_service_sensors,
    read_thermal_status,
    read_zone_sensors,
)
from harness.records.phone import name_model, name_soc
from harness.records.run import Conditions, DeviceInfo, TextReading

PROPERTY = re.compile(r"^\[([^\]\n]+)\]: \[(.*?)\]$", re.MULTILINE | re.DOTALL)
# kernel names of Google's emulators and Cuttlefish; Android in a container (redroid, Waydroid); Genymotion and other PC players
EMULATOR_HARDWARE = (
    "goldfish",
    "ranchu",
    "cutf",
    "redroid",
    "waydroid",
    "vbox86",
    "ttvm",
    "nox",
    "android_x86",
    "windows",
    "bertha",
    "cheets",
)
EMULATOR_WORDS = ("redroid", "waydroid", "genymotion", "vbox86", "bluestacks", "sdk_gphone", "android_x86", "anbox")
EMULATOR_NAMES = (
    "ro.product.name",
    "ro.product.device",
    "ro.product.brand",
    "ro.product.manufacturer",
    "ro.product.model",
    "ro.build.fingerprint",
)
# each zone may take a third of a second: what is not read within ZONES_S is not read
ZONES_S = 6
ZONES = f'edgebundle_since=$SECONDS; for z in /sys/class/thermal/thermal_zone*; do [ $((SECONDS - edgebundle_since)) -lt {ZONES_S} ] || break; [ ! -e "$z/temp" ] || echo "$(cat "$z/type" 2>&1)\t$(cat "$z/temp" 2>&1)"; done'
CLOCKS = (
    "for c in /sys/devices/system/cpu/cpu[0-9]*; do "
    '[ ! -e "$c/cpufreq/scaling_cur_freq" ] || echo "${c##*/}\t$(cat "$c/cpufreq/scaling_cur_freq" 2>&1)"; done'
)

CLOCK_LIMITS = CLOCKS.replace("scaling_cur_freq", "scaling_max_freq")
POWER = (
    "for s in /sys/class/power_supply/*; do for f in voltage_now current_now; do "
    '[ ! -e "$s/$f" ] || echo "${s##*/}\t$f\t$(cat "$s/$f" 2>&1)"; done; done'
)
# developer.android.com, 'Codenames, Tags, and Build Numbers'; before Android 10 versions have a part behind the dot
VERSIONS = {"29": "10", "30": "11", "31": "12", "32": "12", "33": "13", "34": "14", "35": "15", "36": "16"}
MODELS = ("ro.product.model", "ro.product.vendor.model", "ro.product.odm.model")
# Of a probe that a measurement can do without.
OPTIONAL_S = 12.0


def read_properties(adb: Adb) -> dict[str, str]:
    return parse_properties(adb.require_shell("getprop", doing="tell its properties"))


def require_started(adb: Adb) -> dict[str, str]:
    """The properties of a phone that has started. Raises DeviceLost for one that has not: adbd answers long before Android's services do.

    The activity manager sets sys.boot_completed when all are there (AOSP, ActivityManagerService.finishBooting), on every Android.
    """
    known = read_properties(adb)
    if known.get("sys.boot_completed") != "1":
        raise DeviceLost(f"{adb.serial} is still starting; wait until its lock screen shows.")
    return known


def parse_properties(text: str) -> dict[str, str]:
    """`[name]: [value]` lines of getprop; a value may hold line ends."""
    return dict(PROPERTY.findall(text))


def find_emulator_label(known: Mapping[str, str]) -> str | None:
    """The label of all results of an emulator, by the properties that emulators set; None for a phone."""
    hardware = known.get("ro.hardware", "").lower()
    qemu = "1" in (known.get("ro.kernel.qemu"), known.get("ro.boot.qemu"))
    named = " ".join(known.get(name, "").lower() for name in EMULATOR_NAMES)
    own = any(name.startswith(("ro.genymotion.", "ro.waydroid.", "waydroid.")) for name in known)
    if qemu or own or hardware.startswith(EMULATOR_HARDWARE) or any(word in named for word in EMULATOR_WORDS):
        return "emulator: not device-representative"
    return None


def make_device_info(kind: str, serial: str, known: Mapping[str, str]) -> DeviceInfo:
    return DeviceInfo(
        kind=kind,
        id=serial,
        model=_model(known),
        soc=_soc(known),
        board=_text(known, "ro.product.board"),
        hardware=_text(known, "ro.hardware"),
        os=_system(known),
        build=_text(known, "ro.build.fingerprint"),
        abi=_text(known, "ro.product.cpu.abi"),
    )


def read_conditions(adb: Adb) -> Conditions:
    """State of the device now. What it does not tell is null with the reason; only a lost device is an error."""
    battery = adb.shell("dumpsys battery", doing="tell its battery").stdout
    thermal = adb.shell("dumpsys thermalservice", doing="tell its temperatures").stdout
    clocks = adb.shell(CLOCKS, doing="tell its clocks").stdout
    limits = adb.shell(CLOCK_LIMITS, doing="tell the limits of its clocks").stdout
    power = read_optional(adb, POWER, doing="tell its power")
    probes = list_probes()
    printed = split_answers(probes, adb.shell(write_shell_line(probes), doing="tell its screen and load").stdout)
    headroom = next(text for probe, text in printed if probe.field == "thermal_headroom")
    sensors, cell = read_service_sensors(thermal), read_battery_temperature(battery)
    warm, die = choose_device_temperature(sensors, cell, []), choose_die_temperature(sensors, [])
    if warm.reading.value is None:  # only then: a phone may have a hundred zones, and some take long
        zones = read_zone_sensors(read_optional(adb, ZONES, doing="tell its thermal zones"))
        warm, die = choose_device_temperature(sensors, cell, zones), choose_die_temperature(sensors, zones)
    state = Conditions(
        temperature_c=warm.reading,
        temperature_of=warm.of,
        die_c=die.reading,
        thermal_status=read_thermal_status(thermal),
        battery_percent=read_battery_percent(battery),
        charging=parse_charging(battery),
        clocks_mhz=read_clocks_mhz(clocks),
        clock_limits_mhz=read_clocks_mhz(limits),
        battery_v=read_battery_voltage(power),
        battery_a=read_battery_current(power),
        thermal_headroom=read_thermal_headroom(headroom, thermal),
    )
    told = {probe.name: probe.read(text) for probe, text in printed if probe.read is not None}
    return with_answers(state, told, probes)


def read_optional(adb: Adb, command: str, *, doing: str) -> str:
    """What a probe that a measurement can do without printed; nothing when it did not end in time on a phone that still answers."""
    try:
        return adb.shell(command, doing=doing, timeout_s=OPTIONAL_S).stdout
    except DeviceLost as error:
        if not isinstance(error.__cause__, process.ToolTimeout):
            raise
        adb.shell("true", doing=f"answer after it did not {doing}")
        return ""


def _text(known: Mapping[str, str], name: str) -> TextReading:
    value = known.get(name, "").strip()
    return TextReading(value=value) if value else TextReading(reason=f"the device does not set {name}")


def _system(known: Mapping[str, str]) -> TextReading:
    """By the API level where the two contradict one another: boxes call an old Android by a newer name."""
    version, level = _text(known, "ro.build.version.release"), known.get("ro.build.version.sdk", "")
    if version.value is None:
        return version
    right = VERSIONS.get(level, version.value.partition(".")[0])
    if version.value.partition(".")[0] == right:
        return TextReading(value=f"Android {version.value}" + (f" (API {level})" if level else ""))
    return TextReading(value=f"Android {right} (API {level}), which calls itself {version.value[:20]}")


def _model(known: Mapping[str, str]) -> TextReading:
    """A generic image (GSI) leaves the product's own name unset, or to the vendor's partition."""
    told = next((known[name] for name in MODELS if known.get(name, "").lower() not in ("", "unknown")), None)
    name = name_model(known.get("ro.product.manufacturer"), told)
    return TextReading(value=name) if name else TextReading(reason="the device does not set ro.product.model")


def _soc(known: Mapping[str, str]) -> TextReading:
    """ro.soc.* exist from Android 12 on, and apps are told no other name."""
    name = name_soc(known.get("ro.soc.manufacturer"), known.get("ro.soc.model"))
    if name is not None:
        return TextReading(value=name)
    platform = known.get("ro.board.platform", "").strip()
    return TextReading(
        reason="the device does not set ro.soc.model" + (f"; its platform is {platform}" if platform else "")
    )
