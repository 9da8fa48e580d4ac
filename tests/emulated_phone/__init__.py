"""An emulated Android phone: the real adb protocol, a real shell, arm64 programs under QEMU. For tests, never a sandbox."""

from tests.emulated_phone.adb_server import AdbServer
from tests.emulated_phone.faults import Faults
from tests.emulated_phone.personality import PIXEL, Personality
from tests.emulated_phone.phone import EmulatedPhone
from tests.emulated_phone.vendors import VENDORS

__all__ = ["PIXEL", "VENDORS", "AdbServer", "EmulatedPhone", "Faults", "Personality"]
