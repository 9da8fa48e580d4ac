"""Phones of the big vendors, each with the ways in which its answers differ from AOSP's.

Recorded, with the numbers of the sensors put in: Samsung's thermal service (tests/data/android) and its battery lines, OnePlus's and OPPO's
battery blocks, Honor's battery dump, a thermal service without a HAL, MediaTek's zone names with -127000 for an absent sensor, and zones in whole
degrees beside ones in thousandths: all as people show them in public issues and articles. From public knowledge, without a recording:
properties, build names, clock tables, Xiaomi's refusals ('USB debugging (Security settings)') and denials, the zones of the Kirin. No phone
is known that translates `dumpsys battery`; HONOR does, because issues fear it. Unlike PIXEL none says that it is an emulator.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.emulated_phone.personality import Personality

POWER = "Power Manager State:\n  mWakefulness=Awake\n"
NO_HEADROOM = "Unknown command: headroom\n"  # before Android 15
NO_HAL = "IsStatusOverride: false\nThermal Status: $status\nCached temperatures:\nHAL Ready: false\n"
BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: {current}
  Max charging voltage: 5000000
  Charge counter: 3124799
  status: 2
  health: 2
  present: true
  level: {level}
  scale: 100
  voltage: 4218
  temperature: $battery_tenths
  technology: {technology}
"""
LOADS = {
    "/proc/loadavg": "3.20 2.75 2.60 2/1830 4711\n",
    "/proc/stat": "cpu  120000 300 80000 900000\n",
    "/proc/4711/stat": "4711 (example (small)) S 1 2 0 0 -1 1077952832 5 0 0 0 100 20 0 0 10 -10 30 0 9 1 1\n",
}


def properties(
    maker: str, model: str, device: str, android: str, level: int, build: str, **more: str
) -> dict[str, str]:
    """What every phone sets; `more` with `__` for the dots of a name."""
    return {
        "ro.build.fingerprint": f"{maker}/{device}/{device}:{android}/{build}:user/release-keys",
        "ro.build.version.release": android,
        "ro.build.version.sdk": str(level),
        "ro.product.cpu.abi": "arm64-v8a",
        "ro.product.cpu.abilist": "arm64-v8a,armeabi-v7a,armeabi",
        "ro.product.device": device,
        "ro.product.manufacturer": maker,
        "ro.product.model": model,
        "ro.product.name": device,
        "sys.boot_completed": "1",
    } | {name.replace("__", "."): value for name, value in more.items()}


def clocks(clusters: Mapping[str, int]) -> dict[str, str]:
    """Files of CPUs that share a clock: their numbers and the highest clock in kHz."""
    files = {}
    for cpus, top in clusters.items():
        policy = f"/sys/devices/system/cpu/cpufreq/policy{cpus.split()[0]}"
        files[f"{policy}/related_cpus"] = f"{cpus} \n"
        files[f"{policy}/stats/time_in_state"] = f"300000 71000\n{top} 29000\n"
        for cpu in cpus.split():
            files[f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq"] = f"$khz_{top}\n"
            files[f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_max_freq"] = f"$khz_{top}\n"
    return files


def zones(*found: tuple[str, str]) -> dict[str, str]:
    """Files of the kernel's zones: type and temperature."""
    files = {}
    for number, (kind, temperature) in enumerate(found):
        files[f"/sys/class/thermal/thermal_zone{number}/type"] = f"{kind}\n"
        files[f"/sys/class/thermal/thermal_zone{number}/temp"] = f"{temperature}\n"
    return files


def gauge(voltage: str, current: str) -> dict[str, str]:
    folder = "/sys/class/power_supply/battery"
    return {f"{folder}/voltage_now": f"{voltage}\n", f"{folder}/current_now": f"{current}\n"}


def paths(files: Mapping[str, str], end: str) -> tuple[str, ...]:
    return tuple(name for name in files if name.endswith(end))


SAMSUNG_HAL = """Temperature{mValue=$die, mType=0, mName=AP, mStatus=0}
	Temperature{mValue=$battery, mType=2, mName=BAT, mStatus=0}
	Temperature{mValue=$skin, mType=3, mName=LRB, mStatus=0}
	Temperature{mValue=$skin, mType=3, mName=LRF, mStatus=0}
	Temperature{mValue=25.7, mType=5, mName=PA, mStatus=0}
	Temperature{mValue=0.0, mType=2, mName=SUBBAT, mStatus=0}
	Temperature{mValue=0.0, mType=4, mName=USB, mStatus=0}"""
SAMSUNG = Personality(
    properties=properties(
        "samsung",
        "SM-A526B",
        "a52xq",
        "12",
        31,
        "SP1A.210812.016/A526BXXU1CVE1",
        ro__soc__manufacturer="QTI",
        ro__soc__model="SM7225",
        ro__board__platform="lito",
        ro__hardware="qcom",
    ),
    dumps={
        # the service's lines, then its vendor's
        "battery": BATTERY.format(current=0, level=84, technology="Li-ion")
        + "  batteryMiscEvent: 65536\n  batteryCurrentEvent: 0\n  mSecPlugTypeSummary: 2\n  current now: 0\n"
        + "USE_FAKE_BATTERY: false\nLLB CURRENT: YEAR2023M8D9\nBatteryInfoBackUp\n  mSavedBatteryMaxTemp: 534\n",
        "thermalservice": f"IsStatusOverride: false\nThermal Status: $status\nCached temperatures:\n\t{SAMSUNG_HAL}\n"
        f"HAL Ready: true\nHAL connection:\n\tThermalHAL 2.0 connected: yes\nCurrent temperatures from HAL:\n\t{SAMSUNG_HAL}\n"
        "Current cooling devices from HAL:\nTemperature static thresholds from HAL:\n",
        "power": POWER,
    },
    headroom=NO_HEADROOM,
    files=LOADS
    | clocks({"0 1 2 3 4 5": 1804800, "6 7": 2208000})
    | zones(("cpu-1-0-usr", "$die_milli"), ("sec-battery", "$battery_tenths"))
    | gauge("4218000", "-412"),  # microvolts, but milliamperes
    denied=(),
)

XIAOMI_FILES = (
    LOADS
    | clocks({"0 1 2": 2016000, "3 4 5 6": 2803200, "7": 3187200})
    | zones(("cpu-1-0", "$die_milli"), ("xo-therm", "$skin_milli"), ("quiet-therm", "$skin_milli"))
    | gauge("4218000", "1250000")
)
XIAOMI_LIMITS = (
    "[NaN, 39.0, 42.0, 45.0, 48.0, 52.0, 60.0], mColdThrottlingThresholds=[NaN, NaN, NaN, NaN, NaN, NaN, NaN]"
)
XIAOMI = Personality(
    properties=properties(
        "Xiaomi",
        "2211133C",
        "fuxi",
        "14",
        34,
        "UKQ1.230804.001/V816.0.5.0.UMCCNXM",
        ro__soc__manufacturer="QTI",
        ro__soc__model="SM8550",
        ro__hardware="qcom",
    ),
    dumps={
        "battery": BATTERY.format(current=500000, level=67, technology="Li-poly"),
        "thermalservice": "IsStatusOverride: false\nThermal Status: $status\nCached temperatures:\n"
        "\tTemperature{mValue=$skin, mType=3, mName=skin, mStatus=0}\nHAL Ready: true\nHAL connection:\n\tThermalHAL AIDL 1  connected: yes\n"
        "Current temperatures from HAL:\n\tTemperature{mValue=$die, mType=0, mName=CPU0, mStatus=0}\n"
        "\tTemperature{mValue=NaN, mType=1, mName=GPU0, mStatus=0}\n\tTemperature{mValue=$skin, mType=3, mName=skin, mStatus=0}\n"
        "Current cooling devices from HAL:\n\tCoolingDevice{mValue=0, mType=2, mName=cpu7}\nTemperature static thresholds from HAL:\n"
        f"\tTemperatureThreshold{{mType=3, mName=skin, mHotThrottlingThresholds={XIAOMI_LIMITS}}}\n",
        "power": POWER,
    },
    headroom=NO_HEADROOM,
    files=XIAOMI_FILES,
    denied=(*paths(XIAOMI_FILES, "/temp"), *paths(XIAOMI_FILES, "_now")),
    refused=("settings put", "settings delete", "input keyevent"),
)

ONEPLUS = Personality(
    properties=properties(
        "OnePlus",
        "PKG110",
        "OP60EBL1",
        "15",
        35,
        "AP3A.240617.008/V.1d0d2d1",
        ro__soc__manufacturer="QTI",
        ro__soc__model="SM8650",
        ro__hardware="qcom",
    ),
    dumps={
        "battery": "Current OPLUS Battery Service state:\n  Charger voltage : 4757\n  Battery current : -1589\n  ChargerTechnology: 0\n"
        "  ChargeFastCharger: false\n  PlugType: 2\n  UpdatesStopped: false\n  BatteryHwStatus: -2147483648\n\n  PhoneTemp: 330\n"
        "  ThermalFeatureOn: true\n"
        + BATTERY.format(current=2000000, level=87, technology="Li-ion")
        + "  Charging state: 0\n  Charging policy: 0\n",
        "thermalservice": NO_HAL,
        "power": POWER,
    },
    headroom="Headroom in 0 seconds: NaN\n",
    files=LOADS
    | clocks({"0 1": 2265600, "2 3 4": 3148800, "5 6": 2956800, "7": 3302400})
    | zones(("cpu-0-0-0", "$die_milli"), ("msm_therm", "$skin_whole"), ("shell_front", "$skin_milli"))
    | gauge("4402", "-1589"),  # millivolts and milliamperes
    denied=(),
)

OPPO = Personality(
    properties=properties(
        "OPPO",
        "CPH1909",
        "CPH1909",
        "8.1.0",
        27,
        "O11019/1569387215",
        ro__board__platform="mt6765",
        ro__hardware="mt6765",
    ),
    dumps={
        "battery": "Current OPPO Battery Service state:\n  Charger voltage : 4576\n  Battery current : 121\n  Accessory status: 0\n"
        "  ChargerTechnology: 1\n  PlugType: 1\n  UpdatesStopped: false\n  PhoneTemp: -1023\n\nCurrent Battery Service state:\n"
        "  AC powered: true\n  USB powered: false\n  Wireless powered: false\n  status: 5\n  health: 2\n  present: true\n  level: 100\n"
        "  scale: 100\n  voltage: 3914\n  temperature: $battery_tenths\n  technology: Li-ion\n",
        "power": POWER,
    },
    headroom="cmd: Can't find service: thermalservice\n",
    files=LOADS
    | clocks({"0 1 2 3": 1800000, "4 5 6 7": 2301000})
    | zones(("mtktscpu", "$die_milli"), ("mtktsbattery", "$battery_milli"), ("mtktspa", "-127000")),
    denied=(),
)

HUAWEI_FILES = (
    LOADS
    | clocks({"0 1 2 3": 1863000, "4 5": 2093000, "6 7": 2860000})
    | zones(("soc_thermal", "$die_milli"), ("system_h", "$skin_whole"), ("Battery", "$battery_whole"))
    | gauge("4218000", "-412000")
)
HUAWEI = Personality(
    properties=properties(
        "HUAWEI",
        "LIO-AL00",
        "HWLIO",
        "10",
        29,
        "HUAWEILIO-AL00/102.0.0.185C00",
        ro__board__platform="kirin990",
        ro__hardware="kirin990",
    ),
    dumps={
        "battery": BATTERY.format(current=900000, level=68, technology="Li-poly"),
        "thermalservice": NO_HAL,
        "power": POWER,
    },
    headroom=NO_HEADROOM,
    files=HUAWEI_FILES,
    denied=(*paths(HUAWEI_FILES, "scaling_cur_freq"), *paths(HUAWEI_FILES, "_now"), "/proc/stat"),
)

TRANSLATED = {"level": "电量", "status": "状态", "temperature": "温度", "scale": "刻度", "present": "存在"}
HONOR = Personality(
    properties=properties(
        "HONOR",
        "BVL-AN00",
        "HNBVL-AN",
        "14",
        34,
        "HONORBVL-AN00/8.0.0.150",
        ro__soc__model="SM8650",
        ro__hardware="qcom",
    ),
    dumps={
        "battery": "\n".join(
            line.replace(name, TRANSLATED[name]) if (name := line.partition(":")[0].strip()) in TRANSLATED else line
            for line in BATTERY.format(current=900000, level=55, technology="Li-poly").splitlines()
        )
        + "\n",
        "thermalservice": "Can't find service: thermalservice\n",
        "power": POWER,
    },
    headroom="cmd: Can't find service: thermalservice\n",
    files=LOADS | clocks({"0 1 2 3 4 5 6 7": 3302400}) | zones(("soc", "$die_whole"), ("board", "$skin_whole")),
    denied=(),
)

VENDORS = {
    "samsung": SAMSUNG,
    "xiaomi": XIAOMI,
    "oneplus": ONEPLUS,
    "oppo": OPPO,
    "huawei": HUAWEI,
    "honor": HONOR,
}
