"""Every error that a user of `harness` can see, with its exit code."""

from __future__ import annotations

from builder.errors import ExitCode, ShownError


class HarnessError(ShownError):
    """Base of the harness's errors."""


class UsageError(HarnessError):
    """Bad input, configuration or usage."""

    exit_code: int = ExitCode.BAD_INPUT


class StoreError(UsageError):
    """A record store or record file cannot be read: damaged, locked, or of a newer schema."""


class MissingToolError(HarnessError):
    """A program or an extra is not installed."""

    exit_code: int = ExitCode.TOOL_MISSING


class VerificationError(HarnessError):
    """A device's output is wrong, or something else executed than was asked for."""

    exit_code: int = ExitCode.OUTPUT_WRONG


class DeviceError(HarnessError):
    """A device is absent, refused a command, or went away."""

    exit_code: int = ExitCode.DEVICE_FAILED


class DeviceLost(DeviceError):
    """A device dropped out, restarts, asks for authorization or is full: another try may find it well again."""


class DeviceAbsent(DeviceLost):
    """A device is not connected at all."""


class MeasurementError(HarnessError):
    """A measurement is not good enough to be used."""

    exit_code: int = ExitCode.MEASUREMENT_POOR
