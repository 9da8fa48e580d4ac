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
    """`noise` is the spread of the logarithm of a latency, `phi` how much of it stays from one to the next inference.

    `offset` is the spread of what all inferences of a run share, `offset_phi` how much of it stays from one to the next run. `spike` is
    the share of inferences that something else disturbs: they take half as long again on average. The same terms as those of
    `tests/harness/phone_model.py`.
    """

    seed: int
    noise: float = 0.02
    phi: float = 0.6
    offset: float = 0.0
    offset_phi: float = 0.5
    spike: float = 0.0
    charging: bool = False
    now_s: float = 0.0
    body_c: float = AMBIENT_C
    die_c: float = AMBIENT_C
    step: int = 0
    _noise: float = 0.0
    _offset: float = field(init=False)
    _governed_s: float = 0.0
    _random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._offset = self._normal(self.offset)

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

    def begin_run(self) -> None:
        """A program starts, and with it a run with an offset of its own."""
        step = self._normal(self.offset * np.sqrt(1 - self.offset_phi**2))
        self._offset = self.offset_phi * self._offset + step

    def infer(self, level_s: float) -> float:
        """Seconds that one inference takes which needs `level_s` at full clock on a phone as cool as the room."""
        self._noise = self.phi * self._noise + self._normal(self.noise * np.sqrt(1 - self.phi**2))
        heat = 1 + LEAKAGE * (self.body_c - AMBIENT_C)
        took = (
            level_s
            * CLOCKS_MHZ[0]
            / self.clock_mhz
            * heat
            * float(np.exp(self._offset + self._noise))
            * self._disturbance()
        )
        self._pass(took, (self.clock_mhz / CLOCKS_MHZ[0]) ** 2)
        return took

    def _disturbance(self) -> float:
        if self.spike == 0 or self._random.random() >= self.spike:
            return 1.0
        return 1.0 + float(self._random.exponential(0.5))

    def _normal(self, spread: float) -> float:
        return float(self._random.normal(0, spread)) if spread > 0 else 0.0

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
