"""A phone as physics, on a virtual clock: heat of load in two thermal masses, a governor with hysteresis, correlated noise, charging.

Pure and seeded, so that hours take seconds. It stands for no particular phone; the constants give what published curves show: a die that follows its load
within seconds, a body that needs minutes, and about 1.5 times the latency after half an hour (a Tensor G3 went from 196 to 400 ms).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

AMBIENT_C = 25.0
DIE_S, BODY_S = 8.0, 240.0  # time constants: of the die towards the body, of the body towards the room
DIE_RISE_C, BODY_RISE_C = 12.0, 30.0  # what full load adds in the end, to each
CHARGING_C = 4.0  # what charging adds to the body
CLOCKS_MHZ = (2800.0, 2400.0, 2000.0, 1600.0)
HOT_C, COOL_C = 46.0, 42.0  # of the die: above, the governor takes a step of the clock away; below, it gives one back
GOVERNOR_S = 1.0
LEAKAGE = 0.004  # latency per degree of the body above the room: leakage and memory refresh


@dataclass(kw_only=True)
class PhysicalPhone:
    """`noise` is the spread of the logarithm of a latency, `phi` how much of it stays from one to the next inference."""

    seed: int
    noise: float = 0.02
    phi: float = 0.6
    charging: bool = False
    now_s: float = 0.0
    body_c: float = AMBIENT_C
    die_c: float = AMBIENT_C
    step: int = 0
    _noise: float = 0.0
    _governed_s: float = 0.0
    _random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    @property
    def clock_mhz(self) -> float:
        return CLOCKS_MHZ[self.step]

    @property
    def skin_c(self) -> float:
        return self.body_c

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Idle: the phone cools, second by second."""
        left = seconds
        while left > 0:
            self._pass(min(left, 1.0), 0.0)
            left -= 1.0

    def infer(self, level_s: float) -> float:
        """Seconds that one inference takes which needs `level_s` at full clock on a phone as cool as the room."""
        self._noise = self.phi * self._noise + float(self._random.normal(0, self.noise * np.sqrt(1 - self.phi**2)))
        heat = 1 + LEAKAGE * (self.body_c - AMBIENT_C)
        took = level_s * CLOCKS_MHZ[0] / self.clock_mhz * heat * float(np.exp(self._noise))
        self._pass(took, (self.clock_mhz / CLOCKS_MHZ[0]) ** 2)
        return took

    def _pass(self, seconds: float, power: float) -> None:
        """Exact steps of both first-order masses under constant load (`power`: 1 at full clock)."""
        room = AMBIENT_C + (CHARGING_C if self.charging else 0.0)
        body = room + BODY_RISE_C * power
        self.body_c = body + (self.body_c - body) * float(np.exp(-seconds / BODY_S))
        die = self.body_c + DIE_RISE_C * power
        self.die_c = die + (self.die_c - die) * float(np.exp(-seconds / DIE_S))
        self.now_s += seconds
        if self.now_s - self._governed_s >= GOVERNOR_S:
            self._governed_s = self.now_s
            if self.die_c > HOT_C:
                self.step = min(self.step + 1, len(CLOCKS_MHZ) - 1)
            elif self.die_c < COOL_C:
                self.step = max(self.step - 1, 0)
