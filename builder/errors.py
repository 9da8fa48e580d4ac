"""Every error that a user of `builder` can see, with its exit code.

The message is one sentence: what failed, why, and the command or line to change. Only `cli.py` catches these.
"""

from __future__ import annotations


class EdgebundleError(Exception):
    """Base of all errors that are shown to a person as one sentence, without a traceback."""

    exit_code = 1


class InputError(EdgebundleError):
    """Bad input, configuration or usage."""

    exit_code = 2


class ConfigError(InputError):
    """builder.toml or plan.toml says something that cannot be meant."""


class SourceError(InputError):
    """The model or its checkpoint cannot be loaded as it was described."""


class UnsupportedOperation(SourceError):
    """The model holds an operation that no importer of ours knows, named with the nearest form that one knows."""


class DataError(InputError):
    """A calibration or evaluation file is missing, unreadable or used twice."""


class OutputError(InputError):
    """The output directory cannot be written, or holds somebody else's files."""


class BundleError(InputError):
    """A bundle or package is not one of ours, is damaged, or is of a newer schema."""


class MissingToolError(EdgebundleError):
    """A program, a Python package or a system package is not installed."""

    exit_code = 3


class ConversionError(EdgebundleError):
    """A converter failed, crashed, or exceeded its time or memory limit."""

    exit_code = 4


class VerificationError(EdgebundleError):
    """An artifact is not what was asked for, or a budget is not met."""

    exit_code = 5


class Interrupted(EdgebundleError):
    """The user pressed Ctrl-C, or the process was asked to end."""

    exit_code = 130
