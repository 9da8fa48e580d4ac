"""What an emulated phone says of itself: properties, dumps, files of /sys. Written for the tests in the formats of AOSP.

Words with a `$` are filled from what its sensors feel (`instruments.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

PROPERTIES = {
    "ro.boot.qemu": "1",
    "ro.build.fingerprint": "google/emu64a/emu64a:15/AE3A.240806.019/12345678:userdebug/dev-keys",
    "ro.build.version.release": "15",
    "ro.build.version.sdk": "35",
    "ro.hardware": "ranchu",
    "ro.product.cpu.abi": "arm64-v8a",
    "ro.product.cpu.abilist": "arm64-v8a",
    "ro.product.device": "emu64a",
    "ro.product.manufacturer": "Google",
    "ro.product.model": "Emulated Pixel",
    "ro.product.name": "sdk_gphone64_arm64",
    "ro.soc.manufacturer": "QEMU",
    "ro.soc.model": "cortex-a76",
    "sys.boot_completed": "1",
}
BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 500000
  Charge counter: 3120000
  status: 4
  health: 2
  present: true
  level: 78
  scale: 100
  voltage: 4123
  temperature: $battery_tenths
  technology: Li-ion
"""
THERMAL = """IsStatusOverride: false
Thermal Status: $status
Cached temperatures:
\tTemperature{mValue=27.0, mType=3, mName=VIRTUAL-SKIN, mStatus=0}
HAL Ready: true
HAL connection:
\tThermalHAL AIDL 1  connected: yes
Current temperatures from HAL:
\tTemperature{mValue=$skin, mType=3, mName=VIRTUAL-SKIN, mStatus=0}
\tTemperature{mValue=$die, mType=0, mName=BIG, mStatus=0}
\tTemperature{mValue=$battery, mType=2, mName=battery, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=0, mType=2, mName=thermal-cpufreq-0}
"""
FILES = {
    "/sys/class/thermal/thermal_zone0/type": "cpu-big\n",
    "/sys/class/thermal/thermal_zone0/temp": "$die_milli\n",
    "/sys/class/thermal/thermal_zone1/type": "modem\n",
    "/sys/class/thermal/thermal_zone1/temp": "-273000\n",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "$khz_1803000\n",
    "/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "$khz_2802000\n",
    "/sys/class/power_supply/battery/voltage_now": "4123000\n",
    "/sys/class/power_supply/battery/current_now": "-412000\n",
    "/proc/loadavg": "3.20 2.75 2.60 2/1830 4711\n",
    "/proc/stat": "cpu  120000 300 80000 900000\n",
    "/proc/4711/stat": "4711 (example (small)) S 1 2 0 0 -1 1077952832 5 0 0 0 100 20 0 0 10 -10 30 0 9 1 1\n",
    "/sys/devices/system/cpu/cpufreq/policy0/related_cpus": "0 1\n",
    "/sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq": "2802000\n",
    "/sys/devices/system/cpu/cpufreq/policy0/stats/time_in_state": "300000 71000\n2802000 29000\n",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "$khz_1803000\n",
    "/sys/devices/system/cpu/cpu1/cpufreq/scaling_max_freq": "$khz_2802000\n",
}


@dataclass(frozen=True, kw_only=True)
class Personality:
    """`denied` are paths that exist but that the shell may not read, `refused` texts of commands that it has no permission for."""

    properties: dict[str, str] = field(default_factory=lambda: dict(PROPERTIES))
    dumps: dict[str, str] = field(
        default_factory=lambda: {"battery": BATTERY, "thermalservice": THERMAL, "power": "  mWakefulness=Awake\n"}
    )
    headroom: str = "Headroom in 0 seconds: $headroom\n"
    files: dict[str, str] = field(default_factory=lambda: dict(FILES))
    denied: tuple[str, ...] = ("/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq",)
    refused: tuple[str, ...] = ()

    @property
    def banner(self) -> str:
        names = ("ro.product.name", "ro.product.model", "ro.product.device")
        told = ";".join(f"{name}={self.properties[name]}" for name in names)
        return f"device::{told};features=shell_v2,cmd,stat_v2,ls_v2,fixed_push_mkdir"

    def answers(self) -> dict[str, str]:
        """Replies by the shell's file names: of getprop and of each service of dumpsys."""
        getprop = "".join(f"[{name}]: [{value}]\n" for name, value in sorted(self.properties.items()))
        return {"getprop": getprop, "headroom": self.headroom} | {
            f"dumpsys.{service}": text for service, text in self.dumps.items()
        }


PIXEL = Personality()
