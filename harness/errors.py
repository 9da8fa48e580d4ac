"""Every error that a user of `harness` can see, with its exit code (the same numbers as the builder's)."""

from __future__ import annotations

from builder.errors import ShownError


class HarnessError(ShownError):
    """Base of the harness's errors."""


class UsageError(HarnessError):
    """Bad input, configuration or usage."""

    exit_code = 2


class StoreError(UsageError):
    """A record store or record file cannot be read: damaged, locked, or of a newer schema."""


class MissingToolError(HarnessError):
    """A program or an extra is not installed."""

    exit_code = 3


class VerificationError(HarnessError):
    """A device's output is wrong, or something else executed than was asked for."""

    exit_code = 5


class DeviceError(HarnessError):
    """A device is absent, refused a command, or went away."""

    exit_code = 6


class DeviceLost(DeviceError):
    """A device dropped out, restarts, asks for authorization or is full: another try may find it well again."""


class DeviceAbsent(DeviceLost):
    """A device is not connected at all."""


class MeasurementError(HarnessError):
    """A measurement is not good enough to be used."""

    exit_code = 7
