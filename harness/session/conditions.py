"""What must hold before a measurement: looked at, waited for, and told when it does not come."""

from __future__ import annotations

from collections.abc import Callable

from harness.clock import Clock
from harness.errors import MeasurementError
from harness.probes.battery import STOPPED
from harness.probes.temperature import OVERRIDDEN
from harness.protocol import Wanted
from harness.records.run import Conditions, TextReading

# Reading a phone's state costs it about a tenth of a second of one core: nothing beside 10 s.
LOOK_EVERY_S = 10.0


def find_unmet(state: Conditions, wanted: Wanted, start_c: float | None) -> str | None:
    """The first condition that does not hold, with both figures, or None. `start_c` is the temperature at the session's start."""
    if (frozen := _explain_frozen(state, wanted)) is not None:
        return frozen
    temperature, status = state.temperature_c.value, state.thermal_status.value
    ceilings = [limit for limit in (wanted.max_temperature_c, _find_cool_limit(wanted, start_c)) if limit is not None]
    if temperature is not None and ceilings and temperature > min(ceilings):
        return f"it has {temperature:.1f} °C, the limit is {min(ceilings):.1f} °C"
    if status is not None and wanted.max_thermal_status is not None and status > wanted.max_thermal_status:
        return f"its thermal status is {status:.0f}, the limit is {wanted.max_thermal_status}"
    level = state.battery_percent.value
    if level is not None and wanted.min_battery_percent is not None and level < wanted.min_battery_percent:
        return f"its battery has {level:.0f} %, at least {wanted.min_battery_percent:.0f} % are wanted"
    if wanted.not_charging and str(state.charging.value).startswith(("charging", "full", "plugged in")):
        return f"it is {state.charging.value}, which is not wanted"
    return _find_unmet_use(state, wanted)


def _explain_frozen(state: Conditions, wanted: Wanted) -> str | None:
    """What somebody has set by hand and not set back says nothing of the device; what is wanted of it cannot be seen."""
    told = (
        (wanted.max_thermal_status is not None, state.thermal_status.reason, OVERRIDDEN),
        (wanted.min_battery_percent is not None or wanted.not_charging, state.battery_percent.reason, STOPPED),
    )
    return next((why for asked, reason, why in told if asked and reason == why), None)


def _find_unmet_use(state: Conditions, wanted: Wanted) -> str | None:
    """The same of the device's modes and of what else runs on it."""
    screen, airplane = _value(state.screen), _value(state.airplane_mode)
    if screen is not None and wanted.screen is not None and screen != wanted.screen:
        return f"its screen is {screen}, {wanted.screen} is wanted"
    mode = None if wanted.airplane_mode is None else "on" if wanted.airplane_mode else "off"
    if airplane is not None and mode is not None and airplane != mode:
        return f"its airplane mode is {airplane}, {mode} is wanted"
    load = state.background_load.value if state.background_load is not None else None
    if load is not None and wanted.max_load is not None and load > wanted.max_load:
        return f"other programs use {load:.0f} % of its processors, the limit is {wanted.max_load:g} %"
    return None


def _value(reading: TextReading | None) -> str | None:
    return reading.value if reading is not None else None


def _find_cool_limit(wanted: Wanted, start_c: float | None) -> float | None:
    return None if wanted.cool_down_c is None or start_c is None else start_c + wanted.cool_down_c


def wait_for(look: Callable[[], Conditions], wanted: Wanted, start_c: float | None, clock: Clock) -> Conditions:
    """The first state that meets the conditions. Raises MeasurementError when none does within `wait_s`."""
    deadline = clock.now() + wanted.wait_s
    while True:
        state = look()
        reason = find_unmet(state, wanted, start_c)
        if reason is None:
            return state
        left = deadline - clock.now()
        if left <= 0:
            raise MeasurementError(
                f"the device was not ready within {wanted.wait_s:g} s: {reason}; let it rest, or change the condition in a protocol of your own."
            )
        clock.sleep(min(LOOK_EVERY_S, left))
